"""What every registered feature, and every column of the set ``core``, must hold; and that cheats do not.

Each rule is a function (expressions, bars) -> offenders, so that planted faults run through the same code.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.features.feature import load, spec_of
from aitrader.features.resolve import resolve
from aitrader.lake.adjust import forward
from aitrader.panel import plan as planning
from aitrader.panel.expr import Expr, column
from aitrader.panel.panel import Panel
from aitrader.panel.plan import looks_across, plan
from aitrader.panel.scale import level_dependent

NAMES, BARS_COUNT, MIN_NAMES = 14, 420, 5
PRICES = ("open", "high", "low", "close", "vwap")
SYMBOLS = tuple(Symbol(f"S{number:02d}") for number in range(NAMES))
DAYS = np.datetime64("2018-01-01") + np.arange(BARS_COUNT)

SPECS = {
    spec.name: spec for spec in (*(spec_of(known) for known in load().values()), *resolve(["core"], sets={}, custom={}))
}
LEVEL_FREE = [name for name, spec in SPECS.items() if not spec.raw_level]
ALONE = [name for name, spec in SPECS.items() if not spec.looks_across]
WINDOWED = [name for name, spec in SPECS.items() if spec.lookback is not None]


@dataclass(frozen=True)
class Market:
    """Bars as traded, (symbols, sessions) per column, with corporate actions (symbol, position, kind, number)."""

    traded: dict[str, np.ndarray]
    actions: tuple[tuple[Symbol, int, str, float], ...] = ()
    symbols: tuple[Symbol, ...] = SYMBOLS
    members: np.ndarray | None = None

    def panel(self) -> Panel:
        """Lay the bars out as the program does: adjusted forward by the lake."""
        adjusted = forward(self._bars(), self._actions(), {s: SeriesInfo("x", Adjustment.RAW) for s in self.symbols})
        row = np.searchsorted(np.array(sorted(self.symbols)), adjusted["symbol"].to_numpy())
        place = np.searchsorted(DAYS, adjusted["session"].to_numpy().astype("datetime64[D]"))
        order = np.argsort(np.argsort(np.array(self.symbols)))
        columns = {}
        for name in (*PRICES, "volume"):
            grid = np.full(self.traded["close"].shape, np.nan)
            grid[row, place] = adjusted[name].to_numpy()
            columns[name] = grid[order]
        members = np.ones(self.traded["close"].shape, bool) if self.members is None else self.members
        return Panel("XNYS", "1d", DAYS[: members.shape[1]], self.symbols, columns, members)

    def _bars(self):
        known = ~np.isnan(self.traded["close"])
        rows, places = np.nonzero(known)
        data = {name: values[known] for name, values in self.traded.items()}
        days = pl.Series(DAYS[places])
        texts = {"symbol": np.array(self.symbols)[rows], "session": days, "source": "x", "adj_close": None}
        frame = pl.DataFrame({**texts, **data}).with_columns(
            pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("known_at")
        )
        return frame.select([pl.col(name).cast(kind) for name, kind in BARS.items()])

    def _actions(self):
        rows = [
            {
                "symbol": symbol,
                "ex_date": DAYS[place].item(),
                "kind": kind,
                "ratio": number if kind == "split" else None,
                "amount": number if kind == "dividend" else None,
                "source": "x",
                "known_at": None,
            }
            for symbol, place, kind, number in self.actions
        ]
        return pl.DataFrame(rows, schema=ACTIONS)

    def rows(self, chosen):
        members = None if self.members is None else self.members[chosen]
        traded = {name: values[chosen] for name, values in self.traded.items()}
        return replace(self, traded=traded, symbols=tuple(self.symbols[row] for row in chosen), members=members)


def _market():
    """Random bars with late listings, an early end, missing bars, a halt at a constant price, and actions."""
    rng = np.random.default_rng(77)
    shape = (NAMES, BARS_COUNT)
    close = 40 * np.exp(rng.normal(0, 0.02, shape).cumsum(axis=1)) * np.linspace(0.2, 6, NAMES)[:, None]
    open_ = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.01, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.01, shape)))
    volume = rng.lognormal(13, 0.8, shape)
    traded = {"open": open_, "high": high, "low": low, "close": close, "volume": volume, "vwap": (high + low) / 2}
    for values in traded.values():
        values[1, :150] = np.nan
        values[2, 300:] = np.nan
        values[3, 310] = np.nan
        values[4, rng.integers(0, BARS_COUNT, 6)] = np.nan
    for name in PRICES:
        traded[name][5, 330:345] = close[5, 330]
    traded["volume"][5, 333:340] = 0
    actions = ((SYMBOLS[6], 120, "split", 2.0), (SYMBOLS[6], 260, "dividend", 0.4), (SYMBOLS[0], 200, "dividend", 0.05))
    return Market(traded, actions)


MARKET = _market()


def values_of(exprs, market_or_panel):
    panel = market_or_panel.panel() if isinstance(market_or_panel, Market) else market_or_panel
    return plan(list(exprs)).run(panel, min_names=MIN_NAMES)


def offenders(exprs, got, expected):
    """Return the positions of expressions whose values differ in any bit."""
    same = [np.array_equal(a, b, equal_nan=True) for a, b in zip(got, expected, strict=True)]
    return {position for position in range(len(exprs)) if not same[position]}


def moved(exprs, got, expected, tolerance=1e-5):
    """Return the positions of expressions whose values differ by more than ``tolerance`` of value or spread."""
    found = set()
    for position in range(len(exprs)):
        a, b = (grid[position].astype(np.float64) for grid in (got, expected))
        near = np.abs(a - b) <= tolerance * (np.abs(b) + np.nanstd(b))
        if not (near | (np.isnan(a) & np.isnan(b))).all():
            found.add(position)
    return found


# Rules


def later_bars_disturbed(exprs, cut=350):
    rng = np.random.default_rng(5)
    traded = {name: values.copy() for name, values in MARKET.traded.items()}
    for values in traded.values():
        values[:, cut:] *= rng.lognormal(0, 1, values[:, cut:].shape)
        values[:, cut + 3] = np.nan
    full, other = values_of(exprs, MARKET), values_of(exprs, replace(MARKET, traded=traded))
    return offenders(exprs, other[:, :, :cut], full[:, :, :cut])


def later_bars_removed(exprs, cut=350):
    panel = MARKET.panel()
    return offenders(exprs, values_of(exprs, panel.slice(0, cut)), values_of(exprs, panel)[:, :, :cut])


def later_actions_disturbed(exprs, cut=350):
    later = tuple((symbol, cut + place % 50, "split", 3.0) for place, symbol in enumerate(SYMBOLS[:5]))
    full, other = values_of(exprs, MARKET), values_of(exprs, replace(MARKET, actions=(*MARKET.actions, *later)))
    return offenders(exprs, other[:, :, :cut], full[:, :, :cut])


def symbols_removed(exprs):
    kept = [0, 3, 4, 5, 6]
    return offenders(exprs, values_of(exprs, MARKET.rows(kept)), values_of(exprs, MARKET)[:, kept])


def symbols_shuffled(exprs):
    order = list(np.random.default_rng(9).permutation(NAMES))
    return offenders(exprs, values_of(exprs, MARKET.rows(order)), values_of(exprs, MARKET)[:, order])


def non_members_added(exprs):
    """The last symbols stand in the panel without ever being members; the others must not notice."""
    inside = list(range(NAMES - 4))
    members = np.ones((NAMES, BARS_COUNT), bool)
    members[NAMES - 4 :] = False
    with_others = values_of(exprs, replace(MARKET, members=members))[:, inside]
    return offenders(exprs, with_others, values_of(exprs, MARKET.rows(inside)))


def split_put_in(exprs, ratio):
    """Symbol by symbol a split is put into the as-traded history, prices and volume before it changed to match."""
    factor = np.ones((NAMES, BARS_COUNT))
    actions = list(MARKET.actions)
    for row, symbol in enumerate(SYMBOLS):
        first = int(np.argmax(~np.isnan(MARKET.traded["close"][row])))
        place, own = first + 40 + 7 * row, ratio ** (row % 3 + 1)
        factor[row, :place] = own
        actions.append((symbol, place, "split", own))
    dividends = [
        (symbol, place, kind, number * factor[SYMBOLS.index(symbol), place] if kind == "dividend" else number)
        for symbol, place, kind, number in actions
    ]
    return values_of(exprs, replace(_times(factor), actions=tuple(dividends))), values_of(exprs, MARKET)


def history_scaled(exprs, price, volume):
    """Every symbol's whole history multiplied: prices by one number per symbol, volume by another."""
    rows = np.arange(NAMES)[:, None] % 3 + 1
    traded = {
        name: values * (float(volume) if name == "volume" else float(price)) ** rows
        for name, values in MARKET.panel().columns.items()
    }
    return values_of(exprs, replace(MARKET.panel(), columns=traded)), values_of(exprs, MARKET)


def _times(factor):
    traded = {n: values / factor if n == "volume" else values * factor for n, values in MARKET.traded.items()}
    return replace(MARKET, traded=traded)


def built_incrementally(exprs):
    panel, program = MARKET.panel(), plan(list(exprs))
    full, found = program.run(panel, min_names=MIN_NAMES), set()
    cuts = np.random.default_rng(3).integers(1, BARS_COUNT, 4)
    for position in range(len(exprs)):
        lookback = program.lookback(position)
        single = plan([exprs[position]])
        for cut in cuts:
            start = 0 if lookback is None else max(0, cut - lookback)
            day = single.run(panel.slice(start, cut + 1), min_names=MIN_NAMES)[0, :, -1]
            if not np.array_equal(day, full[position, :, cut], equal_nan=True):
                found.add(position)
    return found


def _exprs(names):
    return [SPECS[name].expr for name in names]


def _named(names, positions):
    return sorted(names[position] for position in positions)


ALL = list(SPECS)


def test_later_bars_change_nothing():
    assert _named(ALL, later_bars_disturbed(_exprs(ALL))) == []


def test_removing_later_bars_changes_nothing():
    assert _named(ALL, later_bars_removed(_exprs(ALL))) == []


def test_later_corporate_actions_change_nothing():
    assert _named(ALL, later_actions_disturbed(_exprs(ALL))) == []


def test_removing_other_symbols_changes_nothing_but_cross_sections():
    assert _named(ALONE, symbols_removed(_exprs(ALONE))) == []


def test_shuffling_the_symbols_changes_nothing():
    assert _named(ALL, symbols_shuffled(_exprs(ALL))) == []


def test_symbols_that_are_no_members_change_nothing():
    assert _named(ALL, non_members_added(_exprs(ALL))) == []


def test_a_split_with_its_action_changes_nothing():
    exprs = _exprs(LEVEL_FREE)

    assert _named(LEVEL_FREE, offenders(exprs, *split_put_in(exprs, 4.0))) == []
    assert _named(LEVEL_FREE, moved(exprs, *split_put_in(exprs, 3.0))) == []


def test_scaling_the_whole_history_changes_nothing():
    exprs = _exprs(LEVEL_FREE)

    assert _named(LEVEL_FREE, offenders(exprs, *history_scaled(exprs, 2.0, 0.25))) == []
    assert _named(LEVEL_FREE, moved(exprs, *history_scaled(exprs, 1.37, 0.61))) == []


def test_what_is_declared_raw_level_moves_with_the_level():
    names = [name for name in ALL if name not in LEVEL_FREE]
    exprs = _exprs(names)

    assert _named(names, moved(exprs, *history_scaled(exprs, 2.0, 0.25))) == sorted(names)


@pytest.mark.parametrize("name", ALL)
def test_the_formula_itself_tells_whether_it_sees_the_level(name):
    assert level_dependent(SPECS[name].expr) == SPECS[name].raw_level


def test_a_day_built_alone_equals_the_full_build():
    assert _named(ALL, built_incrementally(_exprs(ALL))) == []


def test_recursive_features_are_the_exception():
    assert len(WINDOWED) > 0.7 * len(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_feature_has_values_and_its_warm_up_is_missing(name):
    (values,) = values_of([SPECS[name].expr], MARKET)

    assert np.isfinite(values[0, 300:]).mean() > 0.9
    assert np.isnan(values[~np.isfinite(values)]).all()
    if SPECS[name].lookback:
        assert np.isnan(values[1, :151]).all()


# Planted faults


def _whole_history_zscore(inputs, _):
    x = inputs[0]
    return (x - np.nanmean(x, axis=1, keepdims=True)) / np.nanstd(x, axis=1, keepdims=True)


def _tomorrow(inputs, _):
    return np.concatenate([inputs[0][:, 1:], np.full((len(inputs[0]), 1), np.nan)], axis=1)


def _centred_mean(inputs, _):
    before, now, after = np.roll(inputs[0], 1, axis=1), inputs[0], np.roll(inputs[0], -1, axis=1)
    return (before + now + after) / 3


def _filled_from_the_future(inputs, _):
    return np.flip(np.fmax.accumulate(np.flip(inputs[0], axis=1), axis=1), axis=1)


def _running_sum(inputs, _):
    total = np.cumsum(np.nan_to_num(inputs[0]), axis=1)
    return (total - np.concatenate([np.zeros((len(total), 20)), total[:, :-20]], axis=1)) / 20


def _neighbour(inputs, _):
    return np.roll(inputs[0], 1, axis=0)


CHEATS = {
    "cheat_zscore": _whole_history_zscore,
    "cheat_tomorrow": _tomorrow,
    "cheat_centred": _centred_mean,
    "cheat_filled": _filled_from_the_future,
    "cheat_running": _running_sum,
    "cheat_neighbour": _neighbour,
}
RETURN = column("close") / column("close").shift(1) - 1


@pytest.fixture
def cheat(monkeypatch):
    """Return a whole-panel operator that the language does not have."""
    monkeypatch.setattr(planning, "BLOCK_CELLS", 10**9)
    for name, kernel in CHEATS.items():
        monkeypatch.setitem(planning._KERNELS, name, kernel)
    return lambda name, expr=RETURN: [Expr(name, (expr,))]


@pytest.mark.parametrize("name", ["cheat_zscore", "cheat_tomorrow", "cheat_centred", "cheat_filled"])
def test_a_planted_look_into_the_future_is_caught(cheat, name):
    assert later_bars_disturbed(cheat(name)) == {0}
    assert later_bars_removed(cheat(name)) == {0}


def test_a_planted_running_sum_is_caught(cheat):
    # Every bar leaves its rounding error behind, so that the bits depend on where the build starts.
    expr = cheat("cheat_running", (RETURN * 500).exp())
    panel = MARKET.panel()

    assert offenders(expr, values_of(expr, panel.slice(20))[:, :, 60:], values_of(expr, panel)[:, :, 80:]) == {0}


def test_a_planted_look_at_the_neighbour_is_caught(cheat):
    assert symbols_removed(cheat("cheat_neighbour")) == {0}
    assert symbols_shuffled(cheat("cheat_neighbour")) == {0}


def test_a_planted_price_level_is_caught():
    raw = [column("close").mean(5), column("close").rank_across(), column("volume").log()]

    assert moved(raw, *split_put_in(raw, 4.0)) == {0, 1, 2}
    assert moved(raw, *history_scaled(raw, 2.0, 0.25)) == {0, 1, 2}
    assert all(level_dependent(expr) for expr in raw)


def test_a_planted_cross_section_is_seen_to_look_across():
    ranked = [RETURN.rank_across()]

    assert symbols_removed(ranked) == {0}
    assert looks_across(ranked[0])


def test_a_planted_lookback_that_is_too_short_is_caught(monkeypatch):
    monkeypatch.setattr(planning, "_own_lookback", lambda expr: 0)

    assert built_incrementally([RETURN.mean(20)]) == {0}
