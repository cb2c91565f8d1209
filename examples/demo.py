"""From an empty folder to a doubted backtest and a scan, on real prices.

Runs only the console script: echoes each command, shows what it prints, and checks its exit code. A code other than 0
that belongs to the story is printed as such. Usage: demo.py [FOLDER], by default build/demo, which is made anew.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOW = "2013-08-07T18:00-04:00"
AITRADER = Path(sys.executable).with_name("aitrader")


class DemoFailed(Exception):
    """A command ended with another exit code than the story tells."""


@dataclass
class Story:
    """The commands so far, their wall times, and where they run."""

    root: Path
    times: list[tuple[str, float]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Print a line of the story."""
        print(f"\n# {text}", flush=True)

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> int:
        """Run one command, show it and its output, and check its exit code."""
        print(f"\n$ aitrader {shlex.join(arguments)}", flush=True)
        started = time.monotonic()
        done = subprocess.run([str(AITRADER), *arguments], cwd=self.root, check=False)
        self.times.append((_command(arguments), time.monotonic() - started))
        if done.returncode not in expect:
            raise DemoFailed(f"`aitrader {shlex.join(arguments)}` ended with {done.returncode}, expected {expect}")
        if done.returncode:
            print(f"(exit code {done.returncode}, as expected)", flush=True)
        return done.returncode

    def ask(self, *arguments: str) -> Any:
        """Return the result that a command gives with --json, without showing it."""
        done = subprocess.run(
            [str(AITRADER), *arguments, "--json"], cwd=self.root, check=False, capture_output=True, text=True
        )
        return json.loads(done.stdout)["result"]


def _command(arguments: tuple[str, ...]) -> str:
    """Return the command's name: the first word that is neither an option of the demo nor its value."""
    words = list(arguments)
    while words[0].startswith("--"):
        del words[:2]
    return words[0]


def main(folder: Path) -> None:
    """Tell the whole story in ``folder``, which is deleted first."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    story = Story(folder)

    story.tell("A configuration that works at once. The demo's profile reads 29 US large caps that come with pip.")
    story.run("init", ".")
    demo = ("--profile", "demo")
    story.run(*demo, "backfill")
    story.run(*demo, "calculate-features")

    story.tell("Train: five-day returns in excess of the cross-section, walk-forward, no label later than 2013-06-28.")
    passed = story.run(*demo, "train", "--end", "2013-06-28", expect=(0, 3)) == 0
    rejected = _rejected(story, demo)
    if not passed or rejected:
        story.tell(
            "The strategy's model did not pass its gate. The demo goes on with --allow-rejected; live refuses that."
        )
    allow = ("--allow-rejected",) if rejected else ()

    story.tell("Backtest, beside equal weight and cash, and every doubt that can be computed.")
    story.run(*demo, "backtest", *allow)

    story.tell("What would it look at on the evening of 2013-08-07, and why?")
    story.run(*demo, "scan", "--now", NOW, *allow)
    candidate = story.ask(*demo, "scan", "--now", NOW, *allow)["candidates"][0]["symbol"]
    story.run(*demo, "explain", candidate, "--now", NOW, *allow)

    story.tell("Two features of your own that cheat. Neither gets past the configuration.")
    for text in ("close.shift(-1) / close - 1", "(close - close.mean()) / close.std()"):
        story.run(*demo, "--set", f"features.custom.mine={text}", "validate", "--level", "config", expect=(3,))

    story.tell(
        "Other data, as traded and dirty: 524 S&P 500 symbols in a lake of its own. The check must fail, and say why."
    )
    other = ("--root", "sp500", "--set", "data.source=sp500_sample")
    story.run("init", "sp500")
    story.run(*other, "backfill")
    story.run(*other, "validate", "--level", "data", "--now", "2010-08-20T18:00-04:00", expect=(3,))
    story.run(*other, "scan", "--scanner", "movers", "--now", "2010-08-20T18:00-04:00")

    story.tell("The model of the first lake saw prices up to 2013-06-28. Scanning 2010 with it would be cheating.")
    story.run(*other, "models", "import", "data_lake/models/lgbm")
    story.run(*other, "scan", "--scanner", "model", "--now", "2010-08-20T18:00-04:00", "--allow-rejected", expect=(3,))
    _close(story, demo, allow)


def _rejected(story: Story, demo: tuple[str, ...]) -> bool:
    return bool(story.ask(*demo, "models", "show", "lgbm")["line"]["status"] != "passed")


def _close(story: Story, demo: tuple[str, ...], allow: tuple[str, ...]) -> None:
    """Print the table that the story ends with, from what the commands wrote."""
    lake = {dataset["name"]: dataset for dataset in story.ask(*demo, "lake", "ls")["datasets"]}
    scores = {name: story.ask(*demo, "models", "show", name) for name in ("lgbm", "ridge")}
    result = json.loads(max((story.root / "data_lake" / "reports").glob("*/result.json")).read_text())
    candidates = story.ask(*demo, "scan", "--now", NOW, *allow)["candidates"]
    doubts = ", ".join(doubt["name"] for doubt in result["doubts"] if doubt["verdict"] == "bad")
    rows = [("bars in the lake", f"{lake['bars/1d']['rows']:,}"), ("features", str(len(lake["features/1d"]["names"])))]
    rows += [(f"rank IC out of fold, {name}", _rank_ic(shown)) for name, shown in scores.items()]
    rows += [
        (f"{one['name']} from {result['start']} to {result['end']}", _earned(one)) for one in result["performances"]
    ]
    rows += [
        ("universe", "hand-picked, survivors only: every result is too good"),
        ("doubts that hold", doubts),
        ("candidates", ", ".join(candidate["symbol"] for candidate in candidates)),
    ]
    print("\nWhat came out")
    for name, value in rows:
        print(f"  {name:<48}{value}")
    print(f"\nReport: {os.path.relpath(story.root / result['report'])}")
    print("\nWhere the time went, in seconds")
    for name, seconds in (*story.times, ("all commands", sum(seconds for _, seconds in story.times))):
        print(f"  {name:<48}{seconds:6.1f} s")


def _rank_ic(shown: dict[str, Any]) -> str:
    scores = shown["passport"]["scores"]
    interval = f"{scores['rank_ic_lower']:+.4f} to {scores['rank_ic_upper']:+.4f}"
    return f"{scores['rank_ic']:+.4f} (95 % interval {interval}), {shown['line']['status']}"


def _earned(performance: dict[str, Any]) -> str:
    sharpe = "-" if performance["sharpe"] is None else f"{performance['sharpe']:.2f}"
    earned, fall = performance["annual_return"], performance["max_drawdown"]
    return f"{earned:+.1%} a year, Sharpe {sharpe}, max drawdown {fall:.1%}"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "build" / "demo"
    try:
        main(target)
    except DemoFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
