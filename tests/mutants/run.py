"""Breaks one rule at a time, and fails when the tests do not notice: a proof that cannot fail proves nothing.

Each ``*.patch`` beside this file is a unified diff under a few lines of head: ``Rule:`` says what it breaks, every
``Fails:`` names a test that must fail with it. ``python tests/mutants/run.py [NAME ...]`` copies the tree, checks that
the named tests pass there, and then applies one patch after the other.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "data_lake", "logs", "state", "*cache*", "*.pyc")
FAILED = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+::[^\s\[]+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """One broken rule, the tests that must fail with it, and where the patch is."""

    name: str
    rule: str
    tests: tuple[str, ...]
    path: Path


def mutants() -> list[Mutant]:
    """Return every patch beside this file."""
    return [read(path) for path in sorted(HERE.glob("*.patch"))]


def read(path: Path) -> Mutant:
    """Return the mutant of one patch; its head comes before the line that begins with ``---``."""
    head = path.read_text().partition("\n--- ")[0].splitlines()
    said = [line.partition(": ") for line in head if ": " in line]
    rule = " ".join(text for word, _, text in said if word == "Rule")
    return Mutant(path.stem, rule, tuple(text.strip() for word, _, text in said if word == "Fails"), path)


def patch(mutant: Mutant, tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Apply a mutant to ``tree``, with ``--check`` or ``--reverse`` if told."""
    line = ["git", "apply", "--whitespace=nowarn", *options, str(mutant.path)]
    # Without this git takes a copy inside another checkout for a folder that the patch does not reach.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    return subprocess.run(line, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def run_tests(tree: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run the tests of ``tree`` against the sources of ``tree``."""
    line = [sys.executable, "-m", "pytest", "-n", "0", "-rfE", "--tb=line", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["RELIABILITY"] = "commits"
    return subprocess.run(line, cwd=tree, env=environment, capture_output=True, text=True, timeout=900, check=False)


def copy_tree(tree: Path) -> None:
    """Copy what tests need into ``tree``, and make sure that Python takes the sources from there."""
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT, dirs_exist_ok=True)
    asked = [sys.executable, "-c", "import aitrader; print(aitrader.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    found = subprocess.run(asked, cwd=tree, env=environment, capture_output=True, text=True, check=True).stdout
    if not Path(found.strip()).is_relative_to(tree):
        sys.exit(f"the tests would use {found.strip()}, not the copy in {tree}")


def survival(mutant: Mutant, tree: Path) -> str:
    """Return why the mutant survives; empty if each of its tests fails."""
    applied = patch(mutant, tree)
    if applied.returncode:
        return f"the patch does not apply: {applied.stderr.strip()}"
    try:
        ran = run_tests(tree, mutant.tests)
    finally:
        patch(mutant, tree, "--reverse")
    failed = {match["test"] for match in FAILED.finditer(ran.stdout)}
    passed = [test for test in mutant.tests if test.partition("[")[0] not in failed]
    if not passed:
        return ""
    if ran.returncode < 0:
        return ""  # the tests died of it
    return f"not failing: {', '.join(passed)}\n{ran.stdout[-2000:]}{ran.stderr[-1000:]}"


def main(names: list[str]) -> int:
    """Run the mutants of these names, or all, and return how many survived."""
    known = mutants()
    if unknown := set(names) - {mutant.name for mutant in known}:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}; there are: {', '.join(m.name for m in known)}")
    chosen = [mutant for mutant in known if not names or mutant.name in names]
    survivors = 0
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch).resolve() / "tree"
        copy_tree(tree)
        sound = run_tests(tree, tuple(sorted({test for mutant in chosen for test in mutant.tests})))
        if sound.returncode:
            print(sound.stdout[-4000:], sound.stderr[-2000:])
            print("The tests do not pass without any mutant: their failing would say nothing.")
            return 1
        for mutant in chosen:
            started = time.perf_counter()
            why = survival(mutant, tree)
            survivors += bool(why)
            took = time.perf_counter() - started
            print(f"{'SURVIVED' if why else 'caught':9} {mutant.name:32} {took:5.1f} s  {mutant.rule}", flush=True)
            if why:
                print(why)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants are caught")
    return survivors


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
