"""The receipt of a run: what went in, what came out, under which settings and versions."""

import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from aitrader.disk.files import write_text
from aitrader.domain.receipts import Receipt
from aitrader.envelope import jsonable
from aitrader.errors import LakeError

LIBRARIES: Final = (
    "numpy",
    "polars",
    "pyarrow",
    "pandas",
    "lightgbm",
    "scikit-learn",
    "pydantic",
)


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of aitrader, Python and those of ``libraries`` that are installed."""
    found = {"python": platform.python_version()}
    for name in ("aitrader", *libraries):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_receipt(lake_path: Path, receipt: Receipt) -> Path:
    """Write ``receipts/<run_id>.json`` in one step and return its path.

    Raises
    ------
    LakeError
        The disk is full, read-only or failing.
    """
    path = lake_path / "receipts" / f"{receipt.run_id}.json"
    text = json.dumps(jsonable(receipt), indent=2, allow_nan=False, ensure_ascii=False)
    try:
        write_text(path, f"{text}\n")
    except OSError as error:
        raise LakeError(
            f"The receipt {path} could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error
    return path
