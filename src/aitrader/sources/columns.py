"""Which column of a file is which: by name in any case, or as the user maps them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aitrader.errors import UsageError

PRICES: Final = ("open", "high", "low", "close")
NUMBERS: Final = (*PRICES, "volume", "vwap", "adj_close", "dividend", "split")
WANTED: Final = ("symbol", "session", *NUMBERS, "published")
_NEEDED: Final = ("session", *PRICES, "volume")
YAHOO_SPLITS: Final = ("stock_splits", "stock_split")
"""How Yahoo names its splits, as ``plain`` names."""

_ALIASES: Final = {"date": "session", "dividends": "dividend", "splits": "split"} | dict.fromkeys(YAHOO_SPLITS, "split")


@dataclass(frozen=True, slots=True)
class Columns:
    """The file's name of each of our columns, and the names that nobody reads."""

    names: Mapping[str, str]
    ignored: tuple[str, ...]


def choose(header: Sequence[str], mapping: Mapping[str, str], where: str, *, symbol: bool = True) -> Columns:
    """Return which column of ``header`` is which; ``mapping`` (theirs -> ours) wins over names that match.

    Names match without regard to case, outer spaces, and space against underscore; ``date`` is ``session``, and
    ``Dividends`` and ``Stock Splits``, as Yahoo writes them, are ``dividend`` and ``split``.
    ``symbol=False`` reads no column ``symbol``: the file's name is the symbol.

    Raises
    ------
    UsageError
        A column is missing, stands twice, or the mapping names one that is not there.
    """
    mapped = _mapped(header, mapping, where)
    names = mapped | _matched([column for column in header if column not in mapped.values()], set(mapped), where)
    if not symbol:
        names.pop("symbol", None)
    missing = [name for name in (("symbol", *_NEEDED) if symbol else _NEEDED) if name not in names]
    if missing:
        raise _lacking(missing, header, where)
    return Columns(names, tuple(column for column in header if column not in names.values()))


def plain(name: str) -> str:
    """Return a column's name as it is compared: ``' Adj Close'`` is ``adj_close``."""
    return "_".join(name.replace("\ufeff", "").strip().lower().replace("_", " ").split())


def _mapped(header: Sequence[str], mapping: Mapping[str, str], where: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for theirs, ours in mapping.items():
        target = _our_name(ours)
        found = [column for column in header if column == theirs] or [
            column for column in header if plain(column) == plain(theirs)
        ]
        if target not in WANTED:
            raise UsageError(f"--map {theirs}={ours}: there is no column {ours!r}.", fix=f"Known: {', '.join(WANTED)}.")
        if not found:
            raise UsageError(f"{where} has no column {theirs!r} to map.", fix=f"It has: {', '.join(header)}.")
        if target in names:
            raise UsageError(
                f"--map gives two columns for {target}: {names[target]!r} and {theirs!r}.", fix="Keep one."
            )
        names[target] = found[0]
    return names


def _matched(header: Sequence[str], taken: Collection[str], where: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in header:
        ours = _our_name(column)
        if column in names.values() or ours not in WANTED or ours in taken:
            continue
        if ours in names:
            raise UsageError(
                f"{where}: the columns {names[ours]!r} and {column!r} are both {ours}.",
                fix=f"Choose one: --map {column!r}={ours}.",
            )
        names[ours] = column
    return names


def _our_name(column: str) -> str:
    return _ALIASES.get(plain(column), plain(column))


def _lacking(missing: Sequence[str], header: Sequence[str], where: str) -> UsageError:
    fix = f"It has: {', '.join(header) or 'none'}. Name them with --map THEIRS={missing[0]},..."
    if missing == ["symbol"]:
        fix = f"One file per symbol is loaded with --pattern '{{symbol}}.csv'. {fix}"
    return UsageError(f"{where} has no column for {', '.join(missing)}.", fix=fix)
