"""Runs the console blocks of a document and compares, or rewrites, what they show.

In a fenced block marked ``console`` a line that starts with ``$`` is run by the shell; the lines below it are its
output (stdout and stderr as they come, without progress), up to the next command or the end of the block. A line
``(exit code N)`` after the output is the exit code, when it is not 0. What differs from run to run (seconds, run ids,
sizes, hashes) is compared as if it were equal.

A fenced block whose first line is ``# config/NAME.yaml`` is a file of the root that the document talks about.

``python tests/docs/documents.py README.md ...`` rewrites the documents with what the commands print now.
"""

import bz2
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

PROGRESS = re.compile(r"^[\w -]+: \d+/\d+( .*)?$")
CHANGING = (
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d\b"), "WHEN"),
    (re.compile(r"\b20\d{6}T\d{6}Z?-[0-9a-z]+\b"), "RUN"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|min)\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (kB|MB|GB|KiB|MiB|GiB)\b"), "SIZE"),
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "HASH"),
    (re.compile(r"[ ─━-]+"), " "),
)
HOME = "/home/you/trading"
"""What the documents call the folder that their commands run in."""

COMMAND = re.compile(r"^\$ (.+)$")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (config/\S+\.yaml)\n")


@dataclass(frozen=True)
class Shown:
    """One command of a document, with the output that the document shows in its lines ``first`` to ``last`` - 1."""

    first: int
    last: int
    command: str
    output: str


def normalised(text: str) -> list[str]:
    """Return the lines of ``text`` without what changes from run to run."""
    text = "\n".join(line for line in text.splitlines() if not PROGRESS.match(line.strip()))
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield the first and the last+1 line number of the inside of each console block that is run."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if start is None and line.strip() == "```console":
            start = number + 1
        elif start is not None and line.strip() == "```":
            yield start, number
            start = None


def commands(text: str) -> Iterator[Shown]:
    """Yield the commands of a document in order, each with the output shown below it."""
    lines = text.splitlines()
    for first, last in blocks(text):
        starts = [n for n in range(first, last) if COMMAND.match(lines[n])]
        for start, end in zip(starts, [*starts[1:], last], strict=True):
            yield Shown(start + 1, end, lines[start][2:], "\n".join(lines[start + 1 : end]))


def links(text: str) -> list[str]:
    """Return the relative targets of the document's links, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [t.partition("#")[0] for t in targets if "://" not in t and not t.startswith("#")]


def fenced(text: str, kind: str) -> list[str]:
    """Return the insides of the fenced blocks of one kind: yaml, cron, console."""
    return [inside for name, inside in FENCE.findall(text) if name == kind]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment that commands run in: a home of their own, and this installation of aitrader.

    Compiled kernels are those of whoever runs this, where that is named: compiling them takes twenty seconds.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kernels = {name: os.environ[name] for name in ("NUMBA_CACHE_DIR",) if name in os.environ}
    return {"PATH": path, "HOME": str(folder), "COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC", **kernels}


def run(command: str, folder: Path) -> str:
    """Return what ``command`` prints in ``folder``, with its exit code if that is not 0."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    code = f"\n(exit code {done.returncode})" if done.returncode else ""
    lines = (done.stdout.replace(str(folder), HOME).rstrip() + code).splitlines()
    lines = [line for line in lines if not PROGRESS.match(line)]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def rewritten(text: str, folder: Path) -> str:
    """Return the document with the output that its commands print now."""
    lines = text.splitlines()
    printed = [(shown, run(shown.command, folder)) for shown in commands(text)]
    for shown, output in reversed(printed):
        more = shown.last < len(lines) and COMMAND.match(lines[shown.last])
        lines[shown.first : shown.last] = [*output.splitlines(), *([""] if more else [])]
    return "\n".join(lines) + "\n"


def prepare(folder: Path, since: str = "20040101") -> None:
    """Put what the documents talk about into ``folder``: prices of a few symbols ``since`` a day, one CSV file each."""
    prices = folder / "prices"
    prices.mkdir()
    for file in files("fakestockdata") or ():
        symbol = file.name.removeprefix("table_").removesuffix(".csv.bz2").upper()
        if not file.name.endswith(".csv.bz2"):
            continue
        rows = [line.split(",") for line in bz2.decompress(file.locate().read_bytes()).decode().split()]
        kept = [(f"{r[0][:4]}-{r[0][4:6]}-{r[0][6:]}", *r[2:]) for r in rows if r[0] >= since]
        text = "\n".join(["Date,Open,High,Low,Close,Volume", *(",".join(row) for row in kept)])
        (prices / f"{symbol}.csv").write_text(text + "\n")


def prepare_root(folder: Path, text: str) -> None:
    """Make ``folder`` a root with two years of prices and with the files that the document shows."""
    prepare(folder, since="20110801")
    run("aitrader init .", folder)
    for inside in fenced(text, "yaml"):
        if found := FILE.match(inside):
            (folder / found[1]).write_text(inside)
    printed = run("aitrader backfill", folder)
    assert "(exit code" not in printed, printed


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(name).read_text()
            if any(FILE.match(inside) for inside in fenced(page, "yaml")):
                prepare_root(Path(scratch), page)
            else:
                prepare(Path(scratch))
            Path(name).write_text(rewritten(page, Path(scratch)))
