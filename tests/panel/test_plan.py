import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aitrader.panel import program as running
from aitrader.panel.expr import column
from aitrader.panel.kernels.kernel import kernel
from aitrader.panel.machine import Machine, Output, Span, Step
from aitrader.panel.plan import columns_of, lookback, looks_across, plan
from aitrader.panel.program import Build

X, Y = column("x"), column("y")
EXPRS = (
    X / X.shift(20) - 1,
    X.std(20),
    X.kurt(60, 40),
    X.corr(Y, 30),
    X.ema(12) / X,
    (X.mean(5) / X.mean(37)).rank_across(),
    X.quantile(11, 0.3),
    X.beta((X / X.shift(1) - 1).mean_across(), 40, 20),
)


@pytest.fixture
def panel(make_panel):
    rng = np.random.default_rng(11)
    x = 50 * np.exp(rng.normal(0, 0.02, (23, 500)).cumsum(axis=1))
    x[rng.random(x.shape) < 0.01] = np.nan
    x[3, :200] = np.nan
    return make_panel({"x": x, "y": rng.normal(size=x.shape)})


def test_common_parts_are_computed_once():
    deviation = len(plan([X.std(20)]).instructions)

    # All parts serve both; only the mean's own last merge is new.
    assert len(plan([X.std(20), X.mean(20)]).instructions) == deviation + 1
    assert len(plan([X.std(20), X.mean(20), X.std(20) + X.mean(20)]).instructions) == deviation + 2


@pytest.mark.parametrize(
    ("expr", "bars"),
    [
        (X, 0),
        (X / X.shift(20) - 1, 20),
        (X.mean(20), 19),
        (X.shift(3).mean(20).shift(2), 24),
        ((X.mean(5) + X.mean(9)).rank_across(), 8),
        (X.corr(Y.shift(30), 10), 39),
        (X.ema(3), None),
        (X.mean(5) / X.wilder(3).shift(1), None),
    ],
)
def test_the_lookback_follows_from_the_expression(expr, bars):
    assert lookback(expr) == bars


def test_columns_and_cross_sections_are_found():
    assert columns_of((X / Y.mean(3)).rank_across()) == {"x", "y"}
    assert looks_across(X.rank_across() + 1)
    assert not looks_across(X.rank(5))


@pytest.mark.parametrize("cells", [1, 500, 1700, 10**9])
def test_the_size_of_a_block_changes_no_bit(panel, monkeypatch, cells):
    expected = plan(EXPRS).run(panel)
    monkeypatch.setattr(running, "BLOCK_BARS", cells)

    np.testing.assert_array_equal(plan(EXPRS).run(panel), expected)


def test_threads_change_no_bit(panel, monkeypatch):
    expected = plan(EXPRS).run(panel)
    monkeypatch.setattr(running, "BLOCK_BARS", 1000)

    with ThreadPoolExecutor(4) as executor:
        got = plan(EXPRS).run(panel, executor=executor)

    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("position", range(len(EXPRS)))
def test_the_company_of_other_features_changes_no_bit(panel, position):
    alone = plan([EXPRS[position]]).run(panel)[0]

    np.testing.assert_array_equal(plan(EXPRS).run(panel)[position], alone)


@pytest.mark.parametrize("expr", [expr for expr in EXPRS if lookback(expr) is not None])
def test_a_day_built_alone_equals_the_full_build(panel, expr):
    program = plan([expr])
    full = program.run(panel)[0]

    for cut in np.random.default_rng(1).integers(150, 500, 12):
        part = program.run(panel.slice(cut - lookback(expr), cut + 1))[0]
        np.testing.assert_array_equal(part[:, -1], full[:, cut])


def test_progress_counts_blocks_of_every_pass(panel, monkeypatch):
    monkeypatch.setattr(running, "BLOCK_BARS", 5000)
    seen = []

    plan([X.rank_across()]).run(panel, progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (6, 6)
    assert [done for done, _ in seen] == list(range(1, 7))


def test_few_registers_serve_many_instructions():
    program = plan([X.mean(bars) for bars in range(2, 60)])

    assert len(program.instructions) == 60
    assert program.passes[0].registers < 25
    assert program.warmup == 58


@pytest.mark.parametrize("cut", [61, 130, 131, 400, 499])
@pytest.mark.parametrize("expr", [X.ema(12).std(5), X.ema(3).shift(2).wilder(9) / X, X.rank_across().ema(4), *EXPRS])
def test_a_build_resumed_anywhere_equals_the_full_one(panel, expr, cut):
    program = plan([expr])
    full = program.run(panel)
    before = Build(program, panel.slice(0, cut))
    list(before.blocks())
    start = max(cut - program.warmup, 0)

    resumed = Build(program, panel.slice(start), first=cut - start, resume=before.states)
    rest = np.concatenate([block.values.copy() for block in resumed.blocks()], axis=1)

    np.testing.assert_array_equal(rest, full[:, :, cut:])
    whole = Build(program, panel)
    list(whole.blocks())
    for digest, state in whole.states.items():
        np.testing.assert_array_equal(resumed.states[digest].values, state.values)


def test_a_long_history_is_cut_without_a_trace(make_panel, monkeypatch):
    x = np.random.default_rng(5).normal(size=(2, 3000)).cumsum(axis=1)
    exprs = [X.ema(12).std(5), X.shift(30).mean(7), X.cumsum(), X.rank_across().wilder(4)]
    panel = make_panel({"x": x})
    expected = plan(exprs).run(panel, min_names=1)
    monkeypatch.setattr(running, "BLOCK_BARS", 200)

    np.testing.assert_array_equal(plan(exprs).run(panel, min_names=1), expected)
    with ThreadPoolExecutor(2) as executor:
        streamed = np.empty_like(expected)
        for block in Build(plan(exprs), panel, min_names=1).blocks(executor=executor):
            streamed[:, block.rows, block.bars] = block.values
            assert block.values.shape[2] < 3000
    np.testing.assert_array_equal(streamed, expected)


def test_an_empty_panel_gives_an_empty_answer(make_panel):
    assert plan(EXPRS).run(make_panel({"x": np.empty((0, 5)), "y": np.empty((0, 5))})).shape == (8, 0, 5)
    assert plan(EXPRS).run(make_panel({"x": np.empty((3, 0)), "y": np.empty((3, 0))})).shape == (8, 3, 0)


def test_results_are_float32(panel):
    assert plan(EXPRS).run(panel).dtype == np.float32


def test_there_is_no_negative_zero(make_panel):
    got = plan([-X, X / Y, X.abs() * -1]).run(make_panel({"x": [0.0, 1.0], "y": [-2.0, 4.0]}))

    assert not np.signbit(got[:, 0, 0]).any()
    np.testing.assert_array_equal(got[:, 0, 1], [-1, 0.25, -1])


@pytest.mark.parametrize("cells", [200, 4096])
def test_states_that_stood_earlier_than_needed_are_gone_on_with_in_a_long_history(make_panel, monkeypatch, cells):
    panel = make_panel({"x": np.random.default_rng(5).normal(size=(2, 1500)).cumsum(axis=1)})
    wide, narrow = plan([X.ema(12).std(60)]), plan([X.ema(12).std(5)])
    before = Build(wide, panel.slice(0, 300))
    list(before.blocks())
    monkeypatch.setattr(running, "BLOCK_BARS", cells)

    resumed = Build(narrow, panel.slice(200), first=100, resume=before.states)
    got = np.empty((1, 2, 1200), dtype=np.float32)
    for block in resumed.blocks():
        got[:, block.rows, block.bars] = block.values

    np.testing.assert_array_equal(got, narrow.run(panel)[:, :, 300:])


def test_states_that_stood_before_the_panel_are_refused(panel):
    wide, narrow = plan([X.ema(12).std(60)]), plan([X.ema(12).std(5)])
    before = Build(wide, panel.slice(0, 300))
    list(before.blocks())

    with pytest.raises(ValueError, match="stood before the panel"):
        Build(narrow, panel.slice(300 - narrow.warmup), first=narrow.warmup, resume=before.states)
    with pytest.raises(ValueError, match="far enough"):
        Build(wide, panel.slice(200), first=100, resume={})


def test_without_a_folder_to_keep_it_in_machine_code_is_made_anew():
    env = {"PATH": os.environ["PATH"], "NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}  # finds no place for files

    ran = subprocess.run(
        [sys.executable, "-c", "import aitrader.panel.machine"], env=env, capture_output=True, text=True, check=False
    )

    assert ran.stderr == ""
    assert ran.returncode == 0


def test_where_nothing_is_new_the_states_stay_as_they_are(panel):
    program = plan([X.ema(12).std(5), Y.cumsum()])
    before = Build(program, panel)
    list(before.blocks())

    again = Build(program, panel.slice(400), first=100, resume=before.states)

    assert [block.values.shape for block in again.blocks()] == [(2, 23, 0)]
    for digest, state in before.states.items():
        assert again.states[digest].lag == state.lag
        np.testing.assert_array_equal(again.states[digest].values, state.values)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_operator_without_memory_stops_the_run():
    @kernel("greedy")
    def greedy(cells, size, inputs, outs, numbers, memory, leads):
        return np.empty(1 << 60).size

    cells, out = np.zeros((1, 1, 3)), Output(np.empty((0, 0, 0), np.float32), 0, 0)

    with pytest.raises(MemoryError, match="no memory"):
        Machine([Step("greedy", (), (0,))], 1, {}).run(
            cells, Span(0, 0, 3, 0, None), {}, slice(0, 1), out, np.empty((0, 1, 3))
        )
