"""Chart patterns against a slow reading of every bar, and against drawings: none is known before its confirmation."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from aitrader.panel.plan import plan

ANSWERS = Path(__file__).parents[1] / "answers" / "make_features_patterns.py"


@pytest.fixture(scope="module")
def read():
    spec = spec_from_file_location("make_features_patterns", ANSWERS)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read


@pytest.fixture(scope="module")
def walks():
    """Random walks that swing, on coarse ticks (many equal prices), with windows."""
    rng = np.random.default_rng(12)
    close = 100 + np.round(4 * rng.normal(0, 0.6, (3, 700)).cumsum(axis=1)) / 4
    close[2] = 100 + np.round(8 * np.sin(np.arange(700) / 7) + rng.normal(0, 1, 700))
    open_ = close + np.round(4 * rng.normal(0, 0.4, close.shape)) / 4
    high = np.maximum(open_, close) + np.round(4 * rng.exponential(0.3, close.shape)) / 4
    low = np.minimum(open_, close) - np.round(4 * rng.exponential(0.3, close.shape)) / 4
    return {"open": open_, "high": high, "low": low, "close": close}


def test_every_pattern_is_what_a_slow_reading_finds_at_every_bar(read, walks, make_panel, registry):
    high, low, close = walks["high"], walks["low"], walks["close"]
    names = sorted(name for name in registry if name.startswith("pattern_"))

    values = plan([registry[name].expression() for name in names]).run(make_panel(walks))

    for symbol in range(3):
        for bar in range(130 + symbol, 700, 5):
            expected = read(high[symbol], low[symbol], close[symbol], bar)
            got = dict(zip(names, values[:, symbol, bar].astype(int).tolist(), strict=True))
            assert got == expected, (symbol, bar)
    seen = np.abs(values[:, :, 130:]).sum(axis=(1, 2))
    assert [name for name, count in zip(names, seen, strict=True) if count == 0] == []


def _drawn(*points, step=5, quiet=60):
    """Quiet bars, then bars along a line from point to point, ``step`` bars each, all with ranges of 0.2."""
    corners = np.arange(len(points)) * step
    line = np.interp(np.arange(corners[-1] + 1), corners, points)
    close = np.concatenate([np.full(quiet, line[0]), line])
    return {"high": close + 0.1, "low": close - 0.1, "close": close}


DRAWINGS = {
    "double_top": ((90, 100, 95, 100.5, 97), -1),
    "double_bottom": ((110, 100, 105, 99.5, 103), 1),
    "triple_top": ((90, 100, 95, 100.5, 95.5, 100, 97), -1),
    "triple_bottom": ((110, 100, 105, 99.5, 104.5, 100, 103), 1),
    "head_and_shoulders": ((90, 100, 96, 105, 96.5, 100.5, 98), -1),
    "inverse_head_and_shoulders": ((110, 100, 104, 95, 103.5, 99.5, 102), 1),
    "ascending_triangle": ((95, 100, 90, 100.2, 95, 98), 1),
    "descending_triangle": ((95, 90, 100, 90.2, 95, 92), -1),
    "symmetric_triangle": ((95, 90, 100, 93, 97, 95), 1),
    "broadening": ((98, 93, 97, 91, 99, 96), 1),
    "rectangle": ((95, 90, 100, 90.2, 100.1, 96), 1),
    "channel": ((88, 90, 85, 95, 90, 93), 1),
    "rising_wedge": ((92, 90, 100, 97, 103, 100), -1),
    "falling_wedge": ((108, 110, 100, 103, 97, 100), 1),
    "dow_trend": ((80, 90, 78, 96, 92, 95), 1),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_pattern_is_found_where_it_is_drawn_and_not_before_its_last_point_is_confirmed(run_one, declared, name):
    points, sign = DRAWINGS[name]
    begin = points[0] + 0.5 if points[1] > points[0] else points[0] - 0.5
    columns = _drawn(begin, *points)
    confirmed = len(columns["close"]) - 1 - 5 + 3

    got = run_one(declared(f"pattern_{name}", bars=60), columns)

    assert got[confirmed - 1] != sign
    assert (got[confirmed:] == sign).all()
    assert not np.isnan(got[48:]).any()


@pytest.mark.parametrize(("way", "sign"), [(1, 1), (-1, -1)])
def test_a_flag_and_a_pennant_lean_on_their_pole(run_one, declared, way, sign):
    quiet, rise = np.zeros(40), np.linspace(1, 10, 10)
    flag = np.array([9.8, 9.6, 9.5, 9.3, 9.2, 9.0, 8.9, 8.8])
    pennant = np.array([9.0, 11.0, 9.2, 10.8, 9.9, 10.1, 9.95, 10.05])

    for name, tail in (("flag", flag), ("pennant", pennant)):
        close = 100 + way * np.concatenate([quiet, rise, tail])
        columns = {"high": close + 0.1, "low": close - 0.1, "close": close}
        assert run_one(declared(f"pattern_{name}"), columns)[-1] == sign


def test_a_pattern_is_missing_where_the_bar_is_and_gone_with_its_oldest_point(run_one, declared):
    columns = _drawn(90.5, 90, 100, 95, 100.5, 97, *[97] * 20)
    columns = {name: np.append(values, np.nan) for name, values in columns.items()}

    got = run_one(declared("pattern_double_top", bars=60), columns)

    # The low at 90 is bar 65 and confirmed at 68: the last window that holds it ends at bar 127.
    assert (got[83:128] == -1).all()
    assert (got[128:-1] == 0).all()
    assert np.isnan(got[-1])
