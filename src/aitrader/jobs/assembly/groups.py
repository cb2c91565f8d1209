"""Which symbols belong together, such as those of a sector: read from the user's file, laid out on a panel's grid."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import ConfigError, InvalidSymbolError
from aitrader.lake.snapshot import Snapshot
from aitrader.panel.panel import GROUPS

_FIX: Final = "It wants the columns symbol, and sector or industry; a column `from` (YYYY-MM-DD) may date the rows."


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows ``symbol``, ``from`` (null: ever since) and one column of names (null: no group) per kind, sorted."""

    rows: pl.DataFrame

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of groups that the file has."""
        return tuple(name for name in GROUPS if name in self.rows.columns)

    def hash(self, kind: str) -> str:
        """Return the SHA-256 of what the file says about one kind, in whatever order."""
        rows = self.rows.select("symbol", pl.col("from").cast(pl.String()), kind).rows()
        return sha256(json.dumps(rows).encode()).hexdigest()

    def grids(
        self, symbols: Sequence[Symbol], sessions: NDArray[np.datetime64], kinds: Collection[str]
    ) -> dict[str, NDArray[np.int64]]:
        """Return numbers of groups by kind, shape (symbols, sessions), -1 for none; each row counts until the next."""
        place = {str(symbol): row for row, symbol in enumerate(symbols)}
        begins = np.searchsorted(sessions, self.rows["from"].to_numpy().astype("datetime64[D]"))
        begins[self.rows["from"].is_null().to_numpy()] = 0
        found = {}
        for kind in sorted(kinds):
            number_of = {name: number for number, name in enumerate(self.rows[kind].drop_nulls().unique().sort())}
            grid = np.full((len(symbols), len(sessions)), -1, dtype=np.int64)
            for symbol, begin, name in zip(self.rows["symbol"], begins, self.rows[kind], strict=True):
                if symbol in place:
                    grid[place[symbol], begin:] = number_of.get(name, -1)
            found[kind] = grid
        return found


def read_groups(config: Config, snapshot: Snapshot) -> Groups:
    """Return the groups of ``universe.groups``, whose path begins at the root; none of any kind if it is not set.

    Raises
    ------
    ConfigError
        The file cannot be read, lacks a column, or says two things about a symbol.
    """
    if config.universe.groups is None:
        return Groups(pl.DataFrame(schema={"symbol": pl.String(), "from": pl.Date()}))
    path = snapshot.root.parent / config.universe.groups
    try:
        raw = path.read_bytes()
        return Groups(
            _rows(pl.read_parquet(raw) if path.suffix == ".parquet" else pl.read_csv(raw, infer_schema=False))
        )
    except (OSError, ValueError, InvalidSymbolError, pl.exceptions.PolarsError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        reason = (said or str(error)).splitlines()[0].rstrip(".")
        raise ConfigError(f"universe.groups: {path} cannot be used: {reason}.", fix=_FIX) from error


def _rows(raw: pl.DataFrame) -> pl.DataFrame:
    """Return checked rows; ``ValueError`` says what is wrong."""
    kinds = [name for name in GROUPS if name in raw.columns]
    if "symbol" not in raw.columns or not kinds:
        raise ValueError(f"its columns are {', '.join(raw.columns) or 'none'}")
    dated = raw if "from" in raw.columns else raw.with_columns(pl.lit(None, pl.Date()).alias("from"))
    dated = dated.with_columns(pl.selectors.temporal().cast(pl.Date()))
    texts = [pl.col(name).cast(pl.String()).str.strip_chars().replace("", None) for name in ("symbol", "from", *kinds)]
    rows = dated.select(texts).with_columns(pl.col("from").str.to_date("%Y-%m-%d"))
    for symbol in rows["symbol"]:
        parse_symbol(symbol or "")
    twice = rows.filter(pl.struct("symbol", "from").is_duplicated())["symbol"]
    if not twice.is_empty():
        raise ValueError(f"{twice[0]} stands in it twice")
    return rows.sort("symbol", "from")
