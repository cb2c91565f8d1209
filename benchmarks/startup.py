"""Start-up: how long a person waits for the first word, as a ratio to the same waiting elsewhere.

Three comparisons, each the ratio of the median times of interleaved runs in fresh processes: ``aitrader --help``
against the ``--help`` of a Typer app with one command (target: at most 1.3), and ``aitrader emergency-shutdown --help``
and its refusal without keys against ``import ssl, http.client, json``, the least that anything needs which speaks to
a broker (target: at most 2). Prints one JSON line with the ratios and the hash of what was shown. A bare time would say
more about the machine than about the program.
"""

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 25
TYPER = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str) -> None:
    print(name)
app(["--help"])
"""
BROKER = "import ssl, http.client, json"
COMMANDS = {
    "help": ("--help", TYPER, 0),
    "emergency_help": ("emergency-shutdown --help", BROKER, 0),
    "emergency_refusal": ("emergency-shutdown", BROKER, 11),
}
TARGETS = {"help": 1.3, "emergency_help": 2.0, "emergency_refusal": 2.0}


def ours(words: str) -> str:
    """Return the program that runs the console script with ``words``."""
    return f"import sys\nsys.argv = {['aitrader', *words.split()]!r}\nfrom aitrader.__main__ import main\nmain()\n"


def seconds(code: str, folder: str, expected: int = 0) -> tuple[float, bytes]:
    """Return the wall time of a fresh interpreter that runs ``code`` in ``folder``, and what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AITRADER", "APCA_"))}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=folder, env=env)
    taken = time.perf_counter() - start
    if done.returncode != expected:
        raise SystemExit(f"exit code {done.returncode} instead of {expected}: {done.stderr.decode()}")
    return taken, done.stdout + done.stderr


def measure(words: str, peer: str, expected: int) -> tuple[float, bytes]:
    """Return the ratio of the console script's median time to the peer's, and what it showed."""
    with tempfile.TemporaryDirectory() as folder:
        for code, exit_code in ((peer, 0), (ours(words), expected)):
            seconds(code, folder, exit_code)
        peers, times, shown = [], [], b""
        for _ in range(ROUNDS):
            peers.append(seconds(peer, folder)[0])
            taken, shown = seconds(ours(words), folder, expected)
            times.append(taken)
    return statistics.median(times) / statistics.median(peers), shown.replace(folder.encode(), b"FOLDER")


def run() -> dict[str, object]:
    """Measure all of it and return the figures."""
    figures = {name: measure(*command) for name, command in COMMANDS.items()}
    shown = re.sub(rb"\s+", b" ", b"".join(text for _, text in figures.values()))
    return {
        "benchmark": "startup",
        "ratios": {name: round(ratio, 3) for name, (ratio, _) in figures.items()},
        "targets": TARGETS,
        "rounds": ROUNDS,
        "hash": hashlib.sha256(shown).hexdigest()[:16],
    }


if __name__ == "__main__":
    print(json.dumps(run()))
