"""Make the virtual environment that `make demo` and `make test` run in; nothing but Python is needed.

Usage: python3 examples/set_up.py run | dev
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
SIZES = {"run": "about 1.1 GB", "dev": "about 1.3 GB"}


def main(kind: str) -> int:
    """Create .venv, install the hashed requirements of ``kind`` and this package; say what it will cost first."""
    if sys.version_info < (3, 11):
        print(f"error: Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        print("fix: name a newer one, for example: make demo PYTHON=python3.12", file=sys.stderr)
        return 2
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print("error: this Python comes without its venv module.", file=sys.stderr)
        print(
            f"fix: install the system package, on Debian and Ubuntu: apt install python{version}-venv", file=sys.stderr
        )
        return 2
    free = shutil.disk_usage(ROOT).free / 1e9
    print(
        f"Setting up .venv from requirements/{kind}.txt: {SIZES[kind]} on disk ({free:.0f} GB are free), "
        "one to two minutes."
    )
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for arguments in (
        ["--require-hashes", "-r", f"requirements/{kind}.txt"],
        ["--no-build-isolation", "--editable", "."],
    ):
        if subprocess.run([*pip, *arguments], cwd=ROOT, check=False).returncode:
            print("error: pip could not install what is needed (see above).", file=sys.stderr)
            print(
                "fix: check that the Python package index can be reached, then run the command again.", file=sys.stderr
            )
            return 1
    (VENV / f".{kind}").touch()
    if kind == "dev":
        (VENV / ".run").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
