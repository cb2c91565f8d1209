"""What the lake holds, whether it is unharmed, and its rows as a file for other programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.config.schema import Config
from aitrader.disk.files import replacing
from aitrader.domain.frames import Adjustment
from aitrader.domain.symbols import parse_symbol
from aitrader.domain.wording import counted
from aitrader.errors import LakeError, UsageError
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.lake.files import write_parquet
from aitrader.lake.schemas import schema_of
from aitrader.lake.snapshot import DatasetInfo, Snapshot
from aitrader.lake.store import Lake
from aitrader.lake.verify import Verification
from aitrader.lake.verify import verify as check
from aitrader.registry import unknown_name

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell instead of showing it."""


@dataclass(frozen=True, slots=True)
class SeriesGroup:
    """How many symbols of one source are to be read in one way."""

    source: str
    symbols: int
    adjustment: Adjustment
    assumed: bool
    as_of: date | None
    survivors_only: bool
    hand_picked: bool
    note: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a lake holds at ``version``; sizes in bytes."""

    path: str
    version: int
    size: int
    datasets: tuple[DatasetInfo, ...]
    series: tuple[SeriesGroup, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """A written file: its rows and columns, the sessions (ex-dates) and the number of symbols in it."""

    dataset: str
    out: str
    rows: int
    columns: tuple[str, ...]
    symbols: int
    first: date | None
    last: date | None
    sha256: str
    lake_version: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which rows to export; None means all. Both ends are included."""

    feature_set: str | None = None
    symbols: Sequence[str] | None = None
    start: date | None = None
    end: date | None = None


def ls(lake_path: Path, *, as_of: datetime | None = None) -> Listing:
    """List the datasets and series of the lake as it was recorded at ``as_of`` (default: now)."""
    with Lake.open(lake_path) as lake:
        snapshot = lake.snapshot(as_of)
    datasets = tuple(snapshot.datasets())
    groups: dict[SeriesGroup, int] = {}
    for info in snapshot.series().values():
        flags = (info.assumed, info.as_of, info.survivors_only, info.hand_picked, info.note)
        group = SeriesGroup(info.source, 0, info.adjustment, *flags)
        groups[group] = groups.get(group, 0) + 1
    series = [SeriesGroup(g.source, n, g.adjustment, *_flags(g)) for g, n in groups.items()]
    size = sum(dataset.size for dataset in datasets)
    return Listing(str(lake_path), snapshot.version, size, datasets, tuple(sorted(series, key=str)))


def verify(lake_path: Path, *, deep: bool = False, progress: Report = silent) -> Verification:
    """Check every file of the lake; ``deep`` reads every byte and every value."""
    with Lake.open(lake_path) as lake:
        snapshot = lake.snapshot()
    return check(lake_path, snapshot, deep=deep, tell=lambda *told: progress(Progress("verify", *told)))


def export(
    config: Config,
    lake_path: Path,
    dataset: str,
    out: Path,
    cut: Cut,
    *,
    as_of: datetime | None = None,
    now: datetime | None = None,
) -> Exported:
    """Write rows of ``dataset`` to ``out``, a .parquet or .csv file, which is replaced if it exists.

    Text cells of a CSV that a spreadsheet would run as a formula get a leading ``'``. Bars are those of
    ``data.source`` where the lake holds several sources. ``as_of`` and ``now`` choose the view.

    Raises
    ------
    UsageError
        An unknown dataset, a wrong file name, a feature set for rows that are no features, an end before the start.
    LakeError
        No row is left, a file of the lake is damaged, or ``out`` could not be written.
    """
    _refuse_wrong_call(lake_path, dataset, out, cut)
    with Lake.open(lake_path) as lake:
        snapshot = lake.snapshot(as_of, now)
    known = [info.name for info in snapshot.datasets()]
    if dataset not in known:
        raise unknown_name("dataset", dataset, known)
    rows, day, features = _rows(config, snapshot, dataset, cut)
    wanted = sorted({str(parse_symbol(symbol)) for symbol in cut.symbols or ()})
    rows = _filtered(rows, day, wanted, cut)
    if rows.is_empty():
        raise LakeError(f"{dataset} has no rows for these symbols and dates.", fix="See `aitrader lake ls`.")
    _write(rows, out)
    first, last = rows[day].min(), rows[day].max()
    return Exported(
        dataset,
        str(out),
        rows.height,
        tuple(rows.columns),
        rows["symbol"].n_unique(),
        first if isinstance(first, date) else None,
        last if isinstance(last, date) else None,
        _sha256(out),
        snapshot.version,
        (*_absent(rows, wanted, dataset), *_stale(snapshot, dataset, features)),
    )


def _flags(group: SeriesGroup) -> tuple[bool, date | None, bool, bool, str]:
    return group.assumed, group.as_of, group.survivors_only, group.hand_picked, group.note


def _refuse_wrong_call(lake_path: Path, dataset: str, out: Path, cut: Cut) -> None:
    fix = "See `aitrader lake export --help`."
    if out.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{out} ends neither in .parquet nor in .csv.", fix=fix)
    if not out.parent.is_dir() or out.is_dir():
        raise UsageError(f"{out} is not a file in an existing folder.", fix=fix)
    if out.resolve().is_relative_to(lake_path.resolve()):
        raise UsageError(
            f"{out} lies inside the lake, which nothing but aitrader may write.", fix="Choose another folder."
        )
    if cut.feature_set is not None and not dataset.startswith("features/"):
        raise UsageError(f"{dataset} holds no features, so --feature-set says nothing.", fix=fix)
    if cut.start is not None and cut.end is not None and cut.end < cut.start:
        raise UsageError(f"The end {cut.end} lies before the start {cut.start}.", fix=fix)


def _rows(config: Config, snapshot: Snapshot, dataset: str, cut: Cut) -> tuple[pl.DataFrame, str, Sequence[str]]:
    """Return the rows, the name of their day, and the names under which the lake holds their features."""
    family, _, timeframe = dataset.partition("/")
    if family == "features" and cut.feature_set is not None:
        keys, builds = _keys(config, snapshot, cut.feature_set), snapshot.builds(timeframe)
        rows = snapshot.feature_frame(timeframe=timeframe, keys=keys)
        return rows, "session", [snapshot.column_names(builds[key])[key] for key in keys.values()]
    if family == "features":
        rows = snapshot.feature_frame(None, timeframe)
        return rows, "session", rows.columns
    if family == "bars":
        return snapshot.bars(cut.symbols, cut.start, cut.end, config.data.source), "session", []
    return snapshot.read(dataset), schema_of(dataset).day, []


def _keys(config: Config, snapshot: Snapshot, name: str) -> dict[str, str]:
    """Return the key of each feature of a set: a name may have meant another formula when it was stored."""
    from aitrader.jobs.assembly.feature_bars import Bars  # heavy: the expression language and its kernels
    from aitrader.jobs.assembly.feature_units import stored_key
    from aitrader.jobs.assembly.learning import feature_set

    bars = Bars(config, snapshot)
    return {spec.name: stored_key(spec, config, bars) for spec in feature_set(config, name)}


def _filtered(rows: pl.DataFrame, day: str, symbols: Sequence[str], cut: Cut) -> pl.DataFrame:
    if symbols:
        rows = rows.filter(pl.col("symbol").is_in(symbols))
    return (
        rows.filter(pl.col(day).is_between(cut.start or date.min, cut.end or date.max))
        if cut.start or cut.end
        else rows
    )


def _absent(rows: pl.DataFrame, wanted: Sequence[str], dataset: str) -> list[str]:
    absent = sorted(set(wanted) - set(rows["symbol"].unique()))
    return [f"{dataset} has no rows of {', '.join(absent)}"] if absent else []


def _stale(snapshot: Snapshot, dataset: str, features: Sequence[str]) -> list[str]:
    stale = set(snapshot.stale_features(dataset.partition("/")[2])) & set(features) if features else set()
    return [f"{counted(len(stale), 'feature')} older than the bars; run `aitrader calculate-features`"] if stale else []


def _write(rows: pl.DataFrame, out: Path) -> None:
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String()]
    if out.suffix == ".parquet":
        write_parquet(out, rows, texts=texts, keys=("symbol",))
        return
    safe = rows.with_columns(
        pl.when(pl.col(name).str.head(1).is_in(_FORMULA)).then("'" + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name in texts
    )
    try:
        with replacing(out) as temporary:
            safe.write_csv(temporary, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
    except OSError as error:
        raise LakeError(f"{out} could not be written: {error}.", fix="Free space, then run again.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
