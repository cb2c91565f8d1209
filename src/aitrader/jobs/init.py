"""A new root: folders and a commented configuration that works at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aitrader.config.starter import starter_files
from aitrader.errors import UsageError


@dataclass(frozen=True, slots=True)
class InitReport:
    """The files below ``root``: those written now, and those left as they were."""

    root: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]


YOURS: Final = frozenset({".gitignore"})
"""Files that belong to whoever made the folder: written where they are missing, never overwritten."""


def init(root: Path, *, force: bool, dry_run: bool = False) -> InitReport:
    """Write the starter files into ``root``, which is made where it is missing.

    Nothing is written if any file stands there with another text, unless ``force``.

    Raises
    ------
    UsageError
        A file would be overwritten, or ``root`` is no folder.
    """
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is not a folder.", fix="Name a folder that exists or is to be made.")
    files = starter_files()
    standing = _standing(root, files)
    unchanged = tuple(name for name, text in standing.items() if text == files[name] or name in YOURS)
    if not force:
        _refuse_changed(root, [name for name in standing if name not in unchanged])
    written = tuple(name for name in files if name not in unchanged)
    if not dry_run:
        _write(root, {name: files[name] for name in written})
    return InitReport(root, written, unchanged)


def _standing(root: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: text for name in names if (text := _text(root / name)) is not None}


def _refuse_changed(root: Path, changed: Sequence[str]) -> None:
    if changed:
        raise UsageError(
            f"{root} already holds {', '.join(changed[:3])}{' and more' if len(changed) > 3 else ''}, with other text.",
            fix="Name another folder, or overwrite them with --force.",
        )


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, IsADirectoryError, NotADirectoryError):
        return ""  # something else stands there, so it is not ours to overwrite
