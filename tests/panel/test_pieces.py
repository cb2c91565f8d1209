"""A build spread over a place gives the bits of a build here."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.symbols import Symbol
from aitrader.panel import pieces
from aitrader.panel.expr import age, column
from aitrader.panel.panel import Panel
from aitrader.panel.pieces import SpreadBuild, computed
from aitrader.panel.plan import plan
from aitrader.panel.program import Build
from aitrader.panel.when import month_of_year, weekly, within_session

CLOSE, VOLUME = column("close"), column("volume")
EXPRS = (
    CLOSE / CLOSE.shift(1) - 1,
    (CLOSE / CLOSE.shift(5)).rank_across().mean(10),
    VOLUME.rank_across("sector").mean(3).zscore_across(),
    CLOSE.ewm(0.1).rank_across() + CLOSE.wilder(7),
    weekly(CLOSE.ewm(0.3)).shift(3) / CLOSE,
    weekly(CLOSE.rank_across()).mean(4),
    within_session(CLOSE.cumsum()),
    age() * month_of_year(),
    CLOSE.corr(VOLUME, 20),
)
PROGRAM = plan(EXPRS)
SYMBOLS = 13


class Elsewhere:
    """A place to which programs and pieces really travel."""

    workers = 3

    def __init__(self):
        self.symbols = []

    def compute(self, program, piece):
        self.symbols.append(len(piece.symbols))
        return computed(*pickle.loads(pickle.dumps((program, piece))))


@pytest.fixture
def panel():
    rng = np.random.default_rng(5)
    sessions = np.array(calendar("XNYS").between(date(2012, 1, 3), date(2012, 9, 28)), dtype="datetime64[D]")
    close = 50 * np.exp(rng.normal(0, 0.02, (SYMBOLS, len(sessions))).cumsum(axis=1))
    close[rng.random(close.shape) < 0.02] = np.nan
    close[3, :60] = np.nan
    return Panel(
        "XNYS",
        "1d",
        sessions,
        tuple(Symbol(f"S{number}") for number in rng.permutation(SYMBOLS)),
        {"close": close, "volume": rng.lognormal(10, 1, close.shape)},
        rng.random(close.shape) < 0.9,
        groups={"sector": rng.integers(-1, 2, close.shape)},
    )


def _values(build):
    with ThreadPoolExecutor(6) as executor:
        blocks = [block.values.copy() for block in build.blocks(executor=executor)]
    return np.concatenate(blocks, axis=1)


def _same_states(left, right):
    return left.keys() == right.keys() and all(
        left[digest].lag == right[digest].lag
        and np.array_equal(left[digest].values, right[digest].values, equal_nan=True)
        for digest in left
    )


@pytest.mark.parametrize("size", [1, 60_000, 16 << 20])
def test_pieces_of_any_size_give_the_values_and_states_of_a_build_here(panel, monkeypatch, size):
    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    here, place = Build(PROGRAM, panel, min_names=3), Elsewhere()
    there = SpreadBuild(place, PROGRAM, panel, min_names=3)

    values = _values(there)

    assert np.array_equal(values, _values(here), equal_nan=True)
    assert _same_states(there.states, here.states)
    assert sum(place.symbols) == SYMBOLS * len(PROGRAM.passes)
    assert max(place.symbols) == {1: 1, 60_000: 2, 16 << 20: SYMBOLS}[size]


def test_values_go_where_the_caller_wants_them(panel):
    out = np.empty((len(EXPRS), *panel.shape), dtype=np.float32)

    for block in SpreadBuild(Elsewhere(), PROGRAM, panel, min_names=3).blocks(out=out):
        assert np.shares_memory(block.values, out)

    assert np.array_equal(out, PROGRAM.run(panel, min_names=3), equal_nan=True)


def test_a_build_goes_on_elsewhere_from_states_kept_here(panel):
    bars, cut = panel.shape[1], 150
    before = Build(PROGRAM, panel.slice(0, cut), min_names=3)
    _values(before)
    start = cut - PROGRAM.warmup
    resumed = SpreadBuild(
        Elsewhere(),
        PROGRAM,
        panel.slice(start, bars),
        min_names=3,
        first=cut - start,
        resume=before.states,
    )

    values = _values(resumed)

    whole = Build(PROGRAM, panel, min_names=3)
    assert np.array_equal(values, _values(whole)[:, :, cut:], equal_nan=True)


def test_a_piece_holds_the_columns_of_its_own_pass_only(panel):
    program = plan([CLOSE.rank_across() + VOLUME])
    build = SpreadBuild(Elsewhere(), program, panel, min_names=3)
    list(build.blocks())

    staging, last = (build.piece(stage, slice(2, 5)) for stage in program.passes)

    assert (set(staging.columns), len(staging.grids)) == ({"close"}, 0)
    assert (set(last.columns), len(last.grids)) == ({"volume"}, 1)
    assert last.symbols == panel.symbols[2:5]
    assert last.columns["volume"].shape == (3, panel.shape[1])
