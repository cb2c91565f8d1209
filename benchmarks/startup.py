"""Start-up: ``aitrader --help`` against the ``--help`` of a Typer app with one command.

Prints one JSON line: the ratio of the median times of interleaved runs in fresh processes (target: at most 1.3), and
the hash of the help text. A bare time would say more about the machine than about the program.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import time

ROUNDS = 25
PEER = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str) -> None:
    print(name)
app(["--help"])
"""
OURS = "import sys\nsys.argv = ['aitrader', '--help']\nfrom aitrader.__main__ import main\nsys.exit(main())\n"


def seconds(code: str) -> tuple[float, bytes]:
    """Return the wall time of a fresh interpreter that runs ``code``, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.perf_counter() - start, done.stdout


def run() -> dict[str, object]:
    """Measure both in turns and return the figures."""
    for code in (PEER, OURS):
        seconds(code)
    peer, ours, shown = [], [], b""
    for _ in range(ROUNDS):
        peer.append(seconds(PEER)[0])
        taken, shown = seconds(OURS)
        ours.append(taken)
    return {
        "benchmark": "startup",
        "ratio": round(statistics.median(ours) / statistics.median(peer), 3),
        "target": 1.3,
        "rounds": ROUNDS,
        "hash": hashlib.sha256(shown).hexdigest()[:16],
    }


if __name__ == "__main__":
    print(json.dumps(run()))
