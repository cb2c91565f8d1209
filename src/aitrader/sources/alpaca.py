"""Daily bars as traded and corporate actions from Alpaca's market data API.

Spoken to over plain REST: the vendor's own client has no time limits, retries by rules of its own, follows a repeated
page token for ever and drops all earlier pages when one fails. Not verified against the live service: the tests replay
answers built from its OpenAPI description (market data 1.1).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar, Final, Literal

import httpx2
import polars as pl
from pydantic import PositiveFloat, SecretStr

from aitrader.config.fields import Section
from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.errors import ConfigError, DataFetchError
from aitrader.sources.http import Http, RefusedByVendor
from aitrader.sources.source import ACTION_ROWS, Context, Fetched, to_actions, to_bars
from aitrader.transport.pacing import Pacer
from aitrader.transport.redact import Redactor
from aitrader.transport.session import Session

KEYS: Final = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")

_FIELDS: Final = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vw": "vwap"}
_ROWS: Final = {"symbol": pl.String, "t": pl.String, **dict.fromkeys(_FIELDS.values(), pl.Float64)}
_TYPES: Final = "forward_split,reverse_split,stock_dividend,cash_dividend"
_APPEARS_WITHIN: Final = timedelta(days=30)
"""The vendor does not promise how soon an action appears, so each fetch asks again for the weeks before it."""
_PAYS_WITHIN: Final = timedelta(days=120)
"""Actions are found by the day they are processed; a dividend is paid weeks after its ex-date."""


class AlpacaSettings(Section):
    """Which host and feed, and how patiently."""

    base_url: str = "https://data.alpaca.markets"
    """The market data host, without path."""
    feed: Literal["sip", "iex", "otc", "boats"] = "sip"
    """sip (all exchanges; the free plan withholds the last 15 minutes) or iex (free, about 2.5% of the volume)."""
    requests_per_minute: PositiveFloat = 180.0
    """Requests a minute; the basic plan allows 200."""
    max_wait: PositiveFloat = 120.0
    """Seconds of waiting, in all, before a request that fails or is throttled is given up."""


class AlpacaBars:
    """Bars as traded, from many symbols at once; splits, stock and cash dividends as actions."""

    Settings: ClassVar[type[Section]] = AlpacaSettings
    batch: int = 100

    def __init__(
        self, settings: AlpacaSettings, context: Context, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Check URL and keys; ``transport`` replaces the network, in tests.

        Raises
        ------
        ConfigError
            A key is missing, or the base URL is not that of a host.
        """
        key, secret = (_secret(context, name) for name in KEYS)
        self.name = f"alpaca:{settings.feed}"
        self._feed = settings.feed
        self._context = context
        pacer = Pacer(settings.requests_per_minute)
        session = Session(
            settings.base_url,
            headers={"APCA-API-KEY-ID": key.get_secret_value(), "APCA-API-SECRET-KEY": secret.get_secret_value()},
            redact=Redactor((key, secret)),
            pacer=pacer,
            transport=transport,
        )
        self._http = Http(session, clock=context.clock, pacer=pacer, max_wait=settings.max_wait)

    def listing(self) -> None:
        """Return None: which symbols to load is the user's choice."""

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return bars and actions; a symbol that the vendor calls invalid is in ``failed``, the others are not."""
        rows, failed = self._bisected(symbols, start, end)
        # A daily bar carries midnight in New York, in UTC: 05:00 in winter, 04:00 in summer.
        stamp = pl.col("t").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        session = stamp.dt.convert_time_zone(self._context.calendar.time_zone).dt.date().alias("session")
        found = pl.DataFrame(rows, schema=_ROWS, orient="row").with_columns(session)
        good = [symbol for symbol in symbols if symbol not in failed]
        actions, notices = self._actions(good, start, end)
        strangers = sorted(set(found["symbol"]) - set(symbols))
        if strangers:
            notices += (f"{self.name} answered for symbols that nobody asked for: {', '.join(strangers[:5])}.",)
        bars = to_bars(
            # The end asked for may be a day whose bar is still forming at the vendor; later rows are not believed.
            found.filter(pl.col("symbol").is_in(good), pl.col("session").is_between(start, end)),
            source=self.name,
            calendar=self._context.calendar,
            lag=self._context.lag,
        )
        info = SeriesInfo(self.name, Adjustment.RAW, note=f"feed {self._feed}, adjustment=raw")
        return Fetched(bars, {Symbol(text): info for text in bars["symbol"].unique()}, actions, failed, notices=notices)

    def _bisected(
        self, symbols: Sequence[Symbol], start: date, end: date
    ) -> tuple[list[tuple[Any, ...]], dict[Symbol, str]]:
        try:
            return self._rows(symbols, start, end), {}
        except RefusedByVendor as error:
            # One malformed symbol refuses the whole list.
            if error.status not in {400, 422} or "symbol" not in str(error):
                raise
            if len(symbols) == 1:
                return [], {symbols[0]: str(error)}
        half = len(symbols) // 2
        left, right = (self._bisected(part, start, end) for part in (symbols[:half], symbols[half:]))
        return left[0] + right[0], {**left[1], **right[1]}

    def _rows(self, symbols: Sequence[Symbol], start: date, end: date) -> list[tuple[Any, ...]]:
        params = {
            "symbols": ",".join(symbols),
            "timeframe": "1Day",
            "start": start.isoformat(),
            "end": end.isoformat(),
            "adjustment": "raw",
            "feed": self._feed,
            "limit": "10000",
        }
        rows: list[tuple[Any, ...]] = []
        for page in self._http.pages("/v2/stocks/bars", params):
            series = page.get("bars") or {}
            if not isinstance(series, dict):
                raise DataFetchError(f"{self.name} answered bars that are no object.", fix="Run again later.")
            rows += [_bar(symbol, bar) for symbol, bars in series.items() for bar in bars or ()]
        return rows

    def _actions(self, symbols: Sequence[Symbol], start: date, end: date) -> tuple[pl.DataFrame, tuple[str, ...]]:
        start -= _APPEARS_WITHIN
        params = {
            "symbols": ",".join(symbols),
            "types": _TYPES,
            "start": start.isoformat(),
            "end": (end + _PAYS_WITHIN).isoformat(),
            "limit": "1000",
        }
        pages = self._http.pages("/v1/corporate-actions", params) if symbols else ()
        rows, bad = _understood(pages)
        table = pl.DataFrame(sorted(rows), schema={"id": pl.String, **ACTION_ROWS}, orient="row")
        kept = table.filter(pl.col("symbol").is_in(symbols), pl.col("ex_date").is_between(start, end))
        notice = (f"{counted(len(bad), 'corporate action')} not understood: {', '.join(bad[:5])}.",) if bad else ()
        return to_actions(_together(kept), source=self.name, calendar=self._context.calendar), notice


def _understood(pages: Iterable[Mapping[str, Any]]) -> tuple[set[tuple[Any, ...]], list[str]]:
    """Return the corporate actions as rows, each once, and the names of those that this module does not know."""
    groups = [group for page in pages for group in (page.get("corporate_actions") or {}).items()]
    given = [(group, action) for group, actions in groups for action in actions or ()]
    rows, bad = set(), []
    for group, action in given:
        row = _action(group, action)
        if row:
            rows.add(row)
        else:
            bad.append(f"{action.get('symbol')} {group}")
    return rows, bad


def _together(actions: pl.DataFrame) -> pl.DataFrame:
    # A regular and a special dividend may share their ex-date: they are paid together.
    merged = actions.group_by("symbol", "ex_date", "kind").agg(pl.col("amount").sum(), pl.col("ratio").product())
    split = pl.col("kind") == "split"
    return merged.with_columns(
        pl.when(split).then("ratio").alias("ratio"), pl.when(~split).then("amount").alias("amount")
    )


def _bar(symbol: str, bar: Mapping[str, Any]) -> tuple[Any, ...]:
    # A number that is none becomes null and is quarantined; it must not take the whole page with it.
    return (symbol, str(bar.get("t")), *(_number(bar.get(field)) for field in _FIELDS))


def _action(group: str, action: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return (id, symbol, ex_date, kind, ratio, amount) of one action; None for what this module does not know."""
    try:
        head = (str(action["id"]), str(action["symbol"]), date.fromisoformat(action["ex_date"]))
        if group in {"forward_splits", "reverse_splits"}:
            return _positive((*head, "split", float(action["new_rate"]) / float(action["old_rate"]), 0.0), 4)
        if group == "stock_dividends":
            return _positive((*head, "split", 1.0 + float(action["rate"]), 0.0), 4)
        if group == "cash_dividends" and action.get("currency", "USD") == "USD":
            return _positive((*head, "dividend", 1.0, float(action["rate"])), 5)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return None


def _positive(row: tuple[Any, ...], position: int) -> tuple[Any, ...] | None:
    return row if 0 < row[position] < float("inf") else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _secret(context: Context, name: str) -> SecretStr:
    value = context.secret(name)
    if value is None or not value.get_secret_value():
        raise ConfigError(
            f"The source alpaca needs {' and '.join(KEYS)}; {name} is not set.",
            fix="Set both in the environment, or in a file of mode 0600 given with --env-file.",
        )
    return value
