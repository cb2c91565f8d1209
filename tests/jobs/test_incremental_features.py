"""Features that were built in several runs equal, bit for bit, those of one run over the same bars."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from aitrader.config.schema import Config
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.features.feature import load, spec_of
from aitrader.jobs.calculate_features import Wanted, calculate_features
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify
from aitrader.panel.plan import groups_of

NOW = datetime(2014, 1, 2, 12, tzinfo=UTC)
VENUE = calendar("XNYS")
DAYS = VENUE.between(date(2012, 1, 3), date(2013, 6, 28))
SYMBOLS = tuple(f"S{number:02d}" for number in range(12))
SETTINGS = {
    "data": {"source": "files"},
    "universe": {"min_history": 25, "min_dollar_volume": 1.0},
    "features": {
        "min_names": 4,
        "custom": {
            "smoothed_rank": "(close / close.shift(3) - 1).rank_across().ema(9)",
            "mean_smooth": "close.ema(7).mean(30) / close",
            "traded_gap": "traded_open / traded_close.shift(1) - 1",
            "weekly_smooth": "weekly(close.ema(4)) / close",
        },
        "sets": {
            "few": ["momentum", "ema", "momentum_rank", "smoothed_rank", "mean_smooth", "traded_gap", "weekly_smooth"]
        },
        "compute": ["few"],
    },
}


def market(seed=5):
    """Bars as traded with gaps, a late listing, a halt and a delisting; splits and dividends."""
    rng = np.random.default_rng(seed)
    frames, actions = [], []
    for number, symbol in enumerate(SYMBOLS):
        close = 50 * np.exp(rng.normal(0, 0.02, len(DAYS)).cumsum())
        for place in rng.integers(30, len(DAYS), 4):
            kind = "split" if rng.random() < 0.5 else "dividend"
            number_ = 2.0 if kind == "split" else 0.4
            close = np.where(np.arange(len(DAYS)) >= place, close / 2 if kind == "split" else close, close)
            known = datetime.combine(DAYS[place], datetime.min.time(), UTC)
            pair = (number_, None) if kind == "split" else (None, number_)
            actions.append((symbol, DAYS[place], kind, *pair, "files", known))
        frame = pl.DataFrame(
            {
                "symbol": symbol,
                "session": DAYS,
                "open": close * (1 + rng.normal(0, 0.004, len(DAYS))),
                "high": close * 1.012,
                "low": close * 0.988,
                "close": close,
                "volume": np.round(rng.lognormal(12, 1, len(DAYS))),
                "vwap": close * 1.001,
                "adj_close": None,
                "source": "files",
                "known_at": [VENUE.close_of(day) for day in DAYS],
            },
            schema=BARS,
        )
        there = rng.random(len(DAYS)) > 0.02
        there[: 40 * (number % 4 == 1)] = False
        there[-55 : -5 if number == 2 else -55] = False
        frames.append(frame.filter(pl.Series(there)))
    found = pl.DataFrame(actions, schema=ACTIONS, orient="row").unique(
        ["symbol", "ex_date", "kind"], maintain_order=True
    )
    return pl.concat(frames), found


BARS_OF, ACTIONS_OF = market()


class Root:
    """A root with a lake that is fed and built step by step."""

    def __init__(self, path, settings=SETTINGS):
        self.path = path
        self.config = Config.model_validate(settings)
        with Lake.open(path / "data_lake", create=True, clock=fixed_clock(NOW)):
            pass

    def feed(self, bars, actions=None):
        series = {Symbol(symbol): SeriesInfo("files", Adjustment.RAW) for symbol in bars["symbol"].unique()}
        with Lake.open(self.path / "data_lake", clock=fixed_clock(NOW)) as lake:
            if not bars.is_empty():
                lake.append("bars/1d", bars, source="files", series=series)
            if actions is not None and not actions.is_empty():
                lake.append("actions", actions, source="files")
        return self

    def until(self, last, first=date.min, symbols=SYMBOLS):
        span = pl.col("session").is_between(first, last) & pl.col("symbol").is_in(symbols)
        return self.feed(BARS_OF.filter(span), ACTIONS_OF.filter(pl.col("ex_date").is_between(first, last)))

    def build(self, *sets, **wanted):
        return calculate_features(self.config, self.path, Wanted(sets=sets, **wanted), clock=fixed_clock(NOW))

    def stored(self):
        with Lake.open(self.path / "data_lake", clock=fixed_clock(NOW)) as lake:
            view = lake.snapshot()
            assert verify(lake.root, view, deep=True, tell=lambda *_: None).problems == ()
            assert view.stale_features() == ()
            return view.feature_frame()


def assert_same(one, other):
    """Compare two tables of features by their bits."""
    assert one.columns == other.columns
    assert one.select("symbol", "session").equals(other.select("symbol", "session"))
    differing = [
        name
        for name in one.columns[2:]
        if one[name].fill_null(np.nan).to_numpy().tobytes() != other[name].fill_null(np.nan).to_numpy().tobytes()
    ]
    assert differing == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The features of one run over all bars."""
    root = Root(tmp_path_factory.mktemp("whole")).until(DAYS[-1])
    root.build()
    return root.stored()


def test_every_registered_feature_is_the_same_when_it_is_built_day_after_day(tmp_path):
    everything = (*(name for name, known in load().items() if not groups_of(spec_of(known).expr)), "few")
    built = Root(tmp_path / "whole").until(DAYS[-1])
    built.build(*everything)
    grown = Root(tmp_path / "grown")
    cuts = (DAYS[290], DAYS[291], DAYS[300], DAYS[-1])
    grown.until(cuts[0]).build(*everything)

    for before, last in pairwise(cuts):
        grown.until(last, before + timedelta(days=1)).build(*everything)

    assert_same(grown.stored(), built.stored())
