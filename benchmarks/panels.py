"""The panels that the benchmarks read: one Parquet file by symbol and session, missing bars as rows of NaN.

A seeded random walk of daily bars, plain or ``--hard`` (late listings, missing bars, halts at one price, sessions
without volume), or real bars laid out the same way (``--real FILE``). Prices are rounded to cents and every number fits
float32, so that programs that store float32 see the same bars.
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from aitrader.domain.calendars import calendar
from aitrader.domain.symbols import Symbol
from aitrader.panel.panel import Panel

PRICES = ("open", "high", "low", "close", "vwap")
COLUMNS = ("open", "high", "low", "close", "volume", "vwap")
FIRST, LAST = date(2004, 1, 2), date(2030, 12, 31)
SEED = 4


def bars(symbols: int, sessions: int) -> dict[str, np.ndarray]:
    """Return the columns, shape (symbols, sessions). The first symbols are the same however many there are."""
    columns = {name: np.empty((symbols, sessions)) for name in COLUMNS}
    for row in range(symbols):
        rng = np.random.default_rng((SEED, row))
        step = rng.normal(0.0002, 0.018, sessions)
        walk = np.cumsum(step)
        close = np.round(rng.uniform(15, 150) * np.exp(walk / (1 + np.abs(walk) / 4)), 2)  # not beyond e**4 times
        opened = np.round(np.roll(close, 1) * (1 + rng.normal(0, 0.005, sessions)), 2)
        opened[0] = close[0]
        up, down = 1 + np.abs(rng.normal(0, 0.008, (2, sessions)))
        high, low = np.round(np.maximum(opened, close) * up, 2), np.round(np.minimum(opened, close) / down, 2)
        volume = np.floor(np.exp(rng.normal(13.5, 0.5, sessions) + 6 * np.abs(step)))
        vwap = np.round((opened + high + low + close) / 4, 4)
        for name, values in zip(COLUMNS, (opened, high, low, close, volume, vwap), strict=True):
            columns[name][row] = values.astype(np.float32)
    return columns


def made_hard(columns: dict[str, np.ndarray], halt: int, lost_share: float) -> None:
    """Halt every symbol twice, for less than ``halt`` sessions, at one price and for a while without volume.

    Lose a share of the bars, and once many in a row; list a third of the symbols later.
    """
    symbols, sessions = columns["close"].shape
    for row in range(symbols):
        rng = np.random.default_rng((SEED, row, 1))
        for begin in rng.integers(0, sessions, 2):
            end = begin + rng.integers(3, halt)
            for name in PRICES:
                columns[name][row, begin:end] = columns["close"][row, begin]
            columns["volume"][row, begin : (begin + end) // 2] = 0
        lost = rng.random(sessions) < lost_share
        gap, listed = rng.integers(0, sessions), rng.integers(0, sessions // 2) if row % 3 == 2 else 0
        lost[gap : gap + rng.integers(2, 90)] = True
        for values in columns.values():
            values[row, lost] = np.nan
            values[row, :listed] = np.nan


def sessions_of(count: int) -> np.ndarray:
    """Return so many sessions of the exchange."""
    return np.array(calendar("XNYS").between(FIRST, LAST)[:count], dtype="datetime64[D]")


def symbols_of(count: int) -> list[str]:
    """Return so many names, in order."""
    return [f"S{number:04d}" for number in range(count)]


def random(symbols: int, sessions: int, hard: tuple[int, float] | None = None) -> pl.DataFrame:
    """Return the rows of a random panel, every symbol from its first bar to its last; ``hard``: see ``made_hard``."""
    columns = bars(symbols, sessions)
    if hard:
        made_hard(columns, *hard)
    keys = {"symbol": np.repeat(symbols_of(symbols), sessions), "session": np.tile(sessions_of(sessions), symbols)}
    rows = pl.DataFrame({**keys, **{name: values.ravel() for name, values in columns.items()}})
    there = pl.col("session").filter(pl.col("close").is_not_nan())
    return rows.filter(pl.col("session").is_between(there.min().over("symbol"), there.max().over("symbol")))


def real(path: Path) -> pl.DataFrame:
    """Return the rows of a table of bars without a vwap: (high + low + close) / 3 stands for it."""
    table = pl.read_parquet(path).rename({"date": "session"}).with_columns(pl.col("symbol").cast(pl.String))
    days = table.select(pl.col("session").unique().sort())
    ends = table.group_by("symbol").agg(pl.col("session").min().alias("from"), pl.col("session").max().alias("to"))
    grid = ends.join(days, how="cross").filter(pl.col("session").is_between("from", "to")).select("symbol", "session")
    rows = grid.join(table, on=["symbol", "session"], how="left").sort("symbol", "session")
    numbers = [pl.col(name).cast(pl.Float32).cast(pl.Float64).fill_null(float("nan")) for name in COLUMNS[:-1]]
    typical = ((pl.col("high") + pl.col("low") + pl.col("close")) / 3).cast(pl.Float32).cast(pl.Float64)
    return rows.with_columns(numbers).with_columns(typical.alias("vwap")).select("symbol", "session", *COLUMNS)


def days(path: Path) -> list[date]:
    """Return the sessions of a panel's file."""
    return pl.scan_parquet(path).select(pl.col("session").unique().sort()).collect()["session"].to_list()


def load(path: Path, symbols: int | None = None) -> tuple[Panel, tuple[np.ndarray, np.ndarray]]:
    """Return the panel in memory, cut to the first so many symbols, and where the file's rows lie in it."""
    keys = pl.read_parquet(path, columns=["symbol", "session"])
    known = keys["symbol"].unique().sort()[:symbols]
    kept = keys["symbol"] <= known[-1]
    rows = keys.filter(kept)
    sessions = np.array(days(path), dtype="datetime64[D]")
    symbol = np.searchsorted(known.to_numpy(), rows["symbol"].to_numpy())
    place = np.searchsorted(sessions, rows["session"].to_numpy().astype("datetime64[D]"))
    columns = {name: np.full((len(known), len(sessions)), np.nan) for name in COLUMNS}
    for name, values in columns.items():
        values[symbol, place] = pl.read_parquet(path, columns=[name])[name].filter(kept).to_numpy()
    members = np.ones((len(known), len(sessions)), dtype=bool)
    return Panel("XNYS", "1d", sessions, tuple(map(Symbol, known)), columns, members), (symbol, place)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--symbols", type=int, default=800)
    parser.add_argument("--sessions", type=int, default=3_400)
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--halt", type=int, default=40, help="halts of a hard panel are shorter than this")
    parser.add_argument("--lost", type=float, default=0.003, help="share of the bars that a hard panel lacks")
    parser.add_argument("--real", type=Path)
    chosen = parser.parse_args()
    table = (
        real(chosen.real)
        if chosen.real
        else random(chosen.symbols, chosen.sessions, (chosen.halt, chosen.lost) if chosen.hard else None)
    )
    table.write_parquet(chosen.path, compression="zstd", compression_level=1)
