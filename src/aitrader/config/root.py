"""The root folder: where ``config/``, ``data_lake/``, ``logs/`` and ``state/`` of one user stand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aitrader.errors import ConfigError

MARKER: Final = Path("config", "aitrader.yaml")
VARIABLE: Final = "AITRADER_ROOT"


def find_root(root: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """Return the absolute root: ``root``, else ``AITRADER_ROOT``, else the nearest parent of ``cwd`` with the marker.

    Raises
    ------
    ConfigError
        None of them holds ``config/aitrader.yaml``.
    """
    if root is not None:
        return _marked(cwd / root.expanduser(), "--root")
    if env.get(VARIABLE):
        return _marked(cwd / Path(env[VARIABLE]).expanduser(), VARIABLE)
    for folder in (cwd, *cwd.parents):
        if _has_marker(folder):
            return folder.resolve()
    raise ConfigError(
        f"Neither {cwd} nor a folder above it holds {MARKER}.",
        fix=f"Make a root with `aitrader init DIR`, or name one with --root DIR or {VARIABLE}.",
    )


def _marked(folder: Path, origin: str) -> Path:
    if not _has_marker(folder):
        raise ConfigError(
            f"{origin} names {folder}, which holds no {MARKER}.",
            fix=f"Name a root that exists, or make one with `aitrader init {folder}`.",
        )
    return folder.resolve()


def _has_marker(folder: Path) -> bool:
    try:
        return (folder / MARKER).is_file()
    except OSError:  # a folder above that this user may not look into is not a root of theirs
        return False
