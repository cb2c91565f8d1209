"""Alpha158 against its definition, one window at a time, and against numbers that pyqlib itself printed."""

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.features.compute import compute
from aitrader.features.resolve import resolve
from aitrader.panel.panel import Panel

ANSWERS = Path(__file__).parents[1] / "answers"


def _definition():
    spec = importlib.util.spec_from_file_location("alpha158_definition", ANSWERS / "alpha158_definition.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DEFINITION = _definition()
COLUMNS, NAMES, OF_BAR, WINDOWS = DEFINITION.COLUMNS, DEFINITION.NAMES, DEFINITION.OF_BAR, DEFINITION.WINDOWS


def random_bars(seed, length):
    rng = np.random.default_rng(seed)
    close = np.round(30 * np.exp(rng.normal(0, 0.02, length).cumsum()), 2)
    open_ = np.round(close * np.exp(rng.normal(0, 0.005, length)), 2)
    high = np.round(np.maximum(open_, close) * (1 + np.abs(rng.normal(0, 0.01, length))), 2)
    low = np.round(np.minimum(open_, close) * (1 - np.abs(rng.normal(0, 0.01, length))), 2)
    volume = np.floor(rng.lognormal(13, 0.7, length))
    return dict(zip(COLUMNS, (open_, high, low, close, volume, np.round((high + low) / 2, 4)), strict=True))


def halted(bars, start, stop, *, volume):
    """A halt: one price, and this volume."""
    for name in COLUMNS:
        bars[name][start:stop] = volume if name == "volume" else bars["close"][start]
    return bars


def without(bars, rows):
    for values in bars.values():
        values[rows] = np.nan
    return bars


LENGTH = 170
MARKETS = {
    "every bar": random_bars(1, LENGTH),
    "missing bars": without(random_bars(2, LENGTH), [*range(12, 15), 40, 41, 90, *range(100, 168, 6)]),
    "a late listing": without(random_bars(3, LENGTH), slice(0, 95)),
    "a halt at one price": halted(random_bars(4, LENGTH), 30, 110, volume=1000.0),
    "a halt without volume": halted(random_bars(5, LENGTH), 60, 80, volume=0.0),
    "missing for longer than a window": without(random_bars(6, LENGTH), slice(50, 125)),
    "few prices": {name: np.round(x, -6 if name == "volume" else 0) for name, x in random_bars(7, LENGTH).items()},
    "one bar": without(random_bars(8, LENGTH), np.arange(LENGTH) != 100),
    "holes in single columns": random_bars(9, LENGTH),
    "a level of a million": {name: values * 3e4 for name, values in random_bars(10, LENGTH).items()},
}  # fmt: skip
for _place, _name in enumerate(COLUMNS):
    MARKETS["holes in single columns"][_name][20 + 7 * _place : 150 : 31] = np.nan
MARKETS["holes in single columns"]["vwap"][100:] = np.nan
PANEL = Panel(
    "XNYS", "1d", np.datetime64("2020-01-01") + np.arange(LENGTH), tuple(Symbol(f"S{n}") for n in range(len(MARKETS))),
    {name: np.array([bars[name] for bars in MARKETS.values()]) for name in COLUMNS},
    np.ones((len(MARKETS), LENGTH), dtype=bool),
)  # fmt: skip


def values_of(chosen, panel=PANEL):
    """Values by qlib's name, (symbols, sessions)."""
    specs = resolve([chosen], sets={}, custom={})
    grids = compute(panel, specs, min_names=1)
    return {spec.name.removesuffix("_full"): grid for spec, grid in zip(specs, grids, strict=True)}


@pytest.fixture(scope="module")
def computed():
    return {chosen: values_of(chosen) for chosen in ("alpha158", "alpha158_full")}


def test_the_names_and_their_order_are_those_of_qlib():
    assert tuple(spec.name for spec in resolve(["alpha158"], sets={}, custom={})) == NAMES


def test_whole_windows_have_names_of_their_own_and_what_has_no_window_has_not():
    names = [spec.name for spec in resolve(["alpha158_full"], sets={}, custom={})]

    assert [name.removesuffix("_full") for name in names] == list(NAMES)
    assert [name for name in names if not name.endswith("_full")] == list(NAMES[: len(OF_BAR) + len(WINDOWS)])


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("chosen", ["alpha158", "alpha158_full"])
def test_every_column_is_its_definition(computed, chosen, market):
    row = list(MARKETS).index(market)
    expected = DEFINITION.defined(MARKETS[market], whole=chosen == "alpha158_full")

    assert expected.keys() == set(NAMES)
    for name, grid in computed[chosen].items():
        np.testing.assert_allclose(
            grid[row], expected[name].astype(float), rtol=1e-6, atol=1e-11, err_msg=f"{name}, {market}"
        )


def test_a_whole_window_has_the_bits_of_the_partial_one(computed):
    level = ("CORR", "VMA", "VSTD")
    for name, whole in computed["alpha158_full"].items():
        if not name.startswith(level):
            known = ~np.isnan(whole)
            np.testing.assert_array_equal(whole[known], computed["alpha158"][name][known], err_msg=name)


def test_only_the_volume_s_guards_see_a_level():
    raw = {
        spec.name
        for chosen in ("alpha158", "alpha158_full")
        for spec in resolve([chosen], sets={}, custom={})
        if spec.raw_level
    }

    assert raw == {f"{kind}{bars}" for kind in ("CORR", "VMA", "VSTD") for bars in WINDOWS}


def test_no_column_needs_all_of_history():
    assert [
        spec.name for spec in resolve(["alpha158", "alpha158_full"], sets={}, custom={}) if spec.lookback is None
    ] == []
    assert max(spec.lookback for spec in resolve(["alpha158"], sets={}, custom={})) == 60


def test_a_short_read_knows_where_the_history_began(computed):
    # The window's oldest bar is missing: only the panel can tell that the symbol is older than the read.
    short = values_of("alpha158", PANEL.slice(100 - 60, 101))

    for name, grid in computed["alpha158"].items():
        np.testing.assert_array_equal(short[name][:, -1], grid[:, 100], err_msg=name)


def test_pyqlib_prints_the_same_numbers():
    bars = pl.read_csv(ANSWERS / "alpha158_bars.csv").partition_by("symbol", maintain_order=True)
    columns = {name: np.array([part[name].cast(pl.Float64).to_numpy() for part in bars]) for name in COLUMNS}
    shape = columns["close"].shape
    sessions = np.datetime64("2020-01-01") + np.arange(shape[1])
    symbols = tuple(Symbol(part["symbol"][0]) for part in bars)
    ours = values_of("alpha158", Panel("XNYS", "1d", sessions, symbols, columns, np.ones(shape, dtype=bool)))
    theirs = pl.read_csv(ANSWERS / "alpha158_qlib.csv")
    rows = [symbols.index(Symbol(symbol)) for symbol in theirs["symbol"]]

    assert theirs.columns == ["symbol", "row", *NAMES]
    for name in NAMES:
        got, expected = ours[name][rows, theirs["row"].to_numpy()], theirs[name].cast(pl.Float64).to_numpy()
        if name.startswith(("IMAX", "IMIN", "IMXD")):  # qlib takes a missing bar for the extreme
            whole = (theirs["symbol"] == "AAA").to_numpy()
            got, expected = got[whole], expected[whole]
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, err_msg=name)
