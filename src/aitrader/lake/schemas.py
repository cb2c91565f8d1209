"""Which datasets a lake may hold, and how the rows of each are keyed, sorted and cut into files."""

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from aitrader.domain.frames import ACTIONS, BARS, PREDICTIONS
from aitrader.errors import UsageError

QUARANTINE: Final = "quarantine/"

NOT_OVER: Final = "session was not over yet"
"""The one reason of quarantine that time cures: the row says nothing about the bar that comes later."""

FOLDERS: Final = ("bars", "actions", "features", "predictions", "quarantine")
"""The folders of a lake that hold committed files, and nothing else."""

QUARANTINED: Final = pl.Schema({**BARS, "reason": pl.String()})
"""A row that was not admitted, as it came, and why. Anything but ``reason`` may be null."""

_NAME: Final = re.compile(r"bars/1d|features/1d|actions|predictions/[A-Za-z0-9_]{1,12}|quarantine/bars/1d")


@dataclass(frozen=True, slots=True)
class DatasetSchema:
    """The shape of one dataset.

    ``key`` names what a row is about: a later row with the same key and other values is a revision.
    ``day`` is the column that ranges speak of, ``known`` says whether rows carry ``known_at``,
    ``yearly`` whether files are cut by the year of ``day``, ``strict`` whether key and ``known_at`` are never null.
    """

    id: str
    columns: pl.Schema
    key: tuple[str, ...]
    day: str
    known: bool
    yearly: bool
    strict: bool = True

    @property
    def values(self) -> tuple[str, ...]:
        """The columns whose change makes a revision: neither key nor ``known_at``."""
        return tuple(name for name in self.columns if name not in self.key and name != "known_at")

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns."""
        return tuple(name for name, dtype in self.columns.items() if dtype == pl.String())


_BARS: Final = DatasetSchema("bars/1", BARS, ("symbol", "session", "source"), "session", known=True, yearly=True)
_ACTIONS: Final = DatasetSchema(
    "actions/1", ACTIONS, ("symbol", "ex_date", "kind", "source"), "ex_date", known=True, yearly=False
)
_PREDICTIONS: Final = DatasetSchema(
    "predictions/1",
    PREDICTIONS,
    ("symbol", "session", "model", "version", "kind"),
    "session",
    known=False,
    yearly=False,
)
_QUARANTINE: Final = DatasetSchema(
    "quarantine/1",
    QUARANTINED,
    tuple(name for name in QUARANTINED if name != "known_at"),
    "session",
    known=True,
    yearly=False,
    strict=False,
)
FEATURES: Final = "features/1"
"""Schema of feature files: ``symbol``, ``session``, then float32 columns named like the features."""


STATES: Final = "states/1"
"""Schema of the files beside them: one row per symbol, from which the next build goes on."""


def check_name(dataset: str) -> str:
    """Return ``dataset`` if a lake may hold one of that name; ``UsageError`` otherwise."""
    if not _NAME.fullmatch(dataset):
        raise UsageError(
            f"{dataset!r:.60} is not a dataset.",
            fix="`aitrader lake ls` lists the stored ones: bars/1d, actions, features/1d, predictions/MODEL, ...",
        )
    return dataset


def schema_of(dataset: str) -> DatasetSchema:
    """Return the schema of a dataset whose columns are fixed.

    Raises
    ------
    UsageError
        Not a dataset, or ``features/*``, whose columns are the stored features.
    """
    family = check_name(dataset).split("/")[0]
    table = {"bars": _BARS, "actions": _ACTIONS, "predictions": _PREDICTIONS, "quarantine": _QUARANTINE}
    if family not in table:
        raise UsageError(f"{dataset} has no fixed columns.", fix="Read it with `Snapshot.features`.")
    return table[family]
