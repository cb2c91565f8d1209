"""Registered features, panels of whole bars, and the outside numbers they are held against."""

import csv
import operator

import numpy as np
import polars as pl
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from aitrader.domain.symbols import Symbol
from aitrader.features.feature import load
from aitrader.panel.panel import Panel
from aitrader.panel.plan import plan


@pytest.fixture(scope="session")
def registry():
    """Every registered feature by name."""
    return load()


@pytest.fixture(scope="session")
def make_panel():
    """Lay columns (one row per symbol) out as a panel of which everybody is a member."""

    def build(columns, symbols=None):
        grids = {name: np.atleast_2d(np.array(values, dtype=np.float64)) for name, values in columns.items()}
        shape = next(iter(grids.values())).shape
        named = symbols or tuple(Symbol(f"S{number:03d}") for number in range(shape[0]))
        sessions = np.datetime64("2020-01-01") + np.arange(shape[1])
        return Panel("XNYS", "1d", sessions, named, grids, np.ones(shape, dtype=bool))

    return build


@pytest.fixture(scope="session")
def run_one(make_panel):
    """Return an expression's values on one symbol's columns, float64 of what float32 keeps."""
    return lambda expr, columns: plan([expr]).run(make_panel(columns))[0, 0].astype(np.float64)


@pytest.fixture(scope="session")
def value(registry, make_panel):
    """Compute a feature on closes (one row per symbol, called S000 and so on), which are the highs and lows too."""

    def compute(name, closes, *, market="universe_mean", **settings):
        columns = {"open": closes, "high": closes, "low": closes, "close": closes, "volume": np.ones_like(closes)}
        expr = registry[name].expression(market, **settings)
        return plan([expr]).run(make_panel(columns), min_names=1)[0].astype(np.float64)

    return compute


@pytest.fixture(scope="session")
def stockcharts(shared_data):
    """Return a worked example of StockCharts by its name: the printed texts of each column, by the column's title."""

    def read(name):
        with (shared_data / "oracles" / "stockcharts" / f"cs-{name}.csv").open(newline="") as file:
            titles, *rows = list(csv.reader(file))
        return {title.strip(): [row[place].strip() for row in rows] for place, title in enumerate(titles)}

    return read


@pytest.fixture(scope="session")
def tulip(shared_data):
    """Tulip's vectors: what its tests call an indicator -> the printed texts of each line below, inputs first."""
    blocks = (shared_data / "oracles" / "tulip_untest.txt").read_text().split("\n\n")
    lines = [block.strip().splitlines() for block in blocks if block.strip() and not block.strip().startswith("#")]
    return {name: [row.strip("{}").split(",") if row != "{}" else [] for row in rows] for name, *rows in lines}


@pytest.fixture(scope="session")
def tulip_bars(tulip):
    """The fifteen bars that all of Tulip's vectors are about."""
    named = zip(("open", "high", "low", "close"), tulip["bop"][:4], strict=True)
    return {name: np.array(texts, dtype=np.float64) for name, texts in named}


@pytest.fixture(scope="session")
def declared(registry):
    """Return a registered feature's expression by name and settings."""
    return lambda name, **settings: registry[name].expression(**settings)


@pytest.fixture(scope="session")
def after_quiet_bars():
    """Put bars before others that stand still at their first close, so that a recursion begins with it."""

    def put(columns, bars, *, without=()):
        first = columns["close"][0]
        return {
            name: np.concatenate([np.full(bars, np.nan if name in without else first), values])
            for name, values in columns.items()
        }

    return put


@pytest.fixture(scope="session")
def sheet_bars():
    """Return the bars of a StockCharts sheet."""

    def read(sheet):
        columns = {title.lower(): texts for title, texts in sheet.items()}
        return {
            name: np.array([float(text) if text else np.nan for text in columns[name]])
            for name in ("open", "high", "low", "close", "volume")
            if name in columns
        }

    return read


@pytest.fixture(scope="session")
def read_slowly():
    """Evaluate an expression bar by bar in NumPy, its exponential means begun as other programs begin them.

    They begin with the first value (unless ``seeded``: with the mean of the first ``span``) and show themselves at once
    (if ``hidden``: from the ``span``-th value on); ``factors`` replaces the factor of a span. Wilder's sum shows its
    seed. Only what the indicators need is understood.
    """
    return _read_slowly


@pytest.fixture(scope="session")
def assert_as_printed():
    """Hold values against printed texts, ends aligned: half a unit of the last digit, and what float32 keeps."""

    def check(got, texts, *, told):
        wanted = np.array([float(text) if text else np.nan for text in texts])
        got = got[-len(wanted) :]
        both = ~np.isnan(got) & ~np.isnan(wanted)
        digits = max(len(text.partition(".")[2]) for text in texts)
        assert both.sum() == told
        np.testing.assert_allclose(got[both], wanted[both], rtol=1.2e-7, atol=0.50001 * 10.0**-digits)

    return check


@pytest.fixture(scope="session")
def assert_as_talib(shared_data, make_panel):
    """Hold an expression against a column of TA-Lib's on three stocks, their missing values included.

    If ``later``, TA-Lib begins later than the values are known, and only its own bars are compared.
    """
    parts = pl.read_parquet(shared_data / "oracles" / "talib_indicators.parquet").partition_by("symbol")
    columns = {
        name: [part[name].cast(pl.Float64).to_numpy() for part in parts]
        for name in ("open", "high", "low", "close", "volume")
    }

    def check(indicator, expr, *, later=False):
        wanted = np.array([part[indicator].cast(pl.Float64).fill_null(np.nan).to_numpy() for part in parts])
        got = plan([expr]).run(make_panel(columns))[0]
        if later:
            got = np.where(np.isnan(wanted), np.nan, got)
        spread = np.nanstd(wanted, axis=1, keepdims=True)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
        assert np.nanmax(np.abs(got - wanted) / (np.abs(wanted) + 1e-3 * spread)) < 1e-6

    return check


def _compared(compare):
    return lambda left, right: np.where(np.isnan(left + right), np.nan, compare(left, right))


def _where(condition, then, otherwise):
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, then, otherwise))


_ELEMENTWISE = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "neg": operator.neg, "abs": np.abs, "log": np.log, "sqrt": np.sqrt, "sign": np.sign,
    "maximum": np.maximum, "minimum": np.minimum, "gt": _compared(operator.gt), "lt": _compared(operator.lt),
    "where": _where,
}  # fmt: skip
_ROLLED = {"sum": np.sum, "mean": np.mean, "min": np.min, "max": np.max}


def _read_slowly(expr, columns, *, hidden=False, seeded=False, factors=()):
    def value(part):
        args, params = [value(arg) for arg in part.args], part.params
        if part.op == "column":
            return np.asarray(columns[params[0]], float)
        if part.op == "constant":
            return np.full(len(columns["close"]), params[0])
        if part.op in _ELEMENTWISE:
            return _ELEMENTWISE[part.op](*args)
        if part.op == "shift":
            return np.concatenate([np.full(params[0], np.nan), args[0]])[: len(args[0])]
        if part.op in _ROLLED:
            padded = np.concatenate([np.full(params[0] - 1, np.nan), args[0]])
            return _ROLLED[part.op](sliding_window_view(padded, params[0]), axis=1)
        bars = params[0]
        rules = {
            "ema": (dict(factors).get(bars, 2 / (bars + 1)), bars if seeded else 1),
            "wilder": (1 / bars, bars),
            "wilder_sum": (1 / bars, bars - 1),
        }
        factor, count = rules[part.op]
        if part.op == "wilder_sum":
            return _smoothed(args[0], factor, count, gain=1, divisor=1)
        late = bars - count if part.op == "ema" and hidden else 0
        return _smoothed(args[0], factor, count, gain=factor, divisor=count, late=late)

    with np.errstate(all="ignore"):
        return value(expr)


def _smoothed(values, factor, count, *, gain, divisor, late=0):
    known = np.flatnonzero(~np.isnan(values))
    out = np.full(len(values), np.nan)
    state = values[known[:count]].sum() / divisor
    for step, place in enumerate(known[count - 1 :]):
        state = state * (1 - factor) + values[place] * gain if step else state
        out[place] = state if step >= late else np.nan
    return out
