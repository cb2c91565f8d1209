import pytest

from aitrader.features.said import bounds, filled, first_value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the last ``bars`` bars", "the last 20 bars"),
        ("``2 * (bars + smooth) - 4`` bars", "42 bars"),
        ("``bars + isqrt(bars) - 1`` bars", "23 bars"),
        ("``width`` true ranges, ``half`` of it", "2 true ranges, 0.5 of it"),
        ("where ``volatility`` is, of ``asset``", "where ``volatility`` is, of ``asset``"),
        ("``bars ** 9``, ``len('a')``, ``no code``", "``bars ** 9``, ``len('a')``, ``no code``"),
        ("``bars // 0`` and ``isqrt(0 - 1)``", "``bars // 0`` and ``isqrt(0 - 1)``"),
    ],
)
def test_arithmetic_of_settings_is_shown_as_a_number(text, shown):
    assert filled(text, {"bars": 20, "smooth": 3, "width": 2.0, "half": 0.5, "asset": "SPY"}) == shown


@pytest.mark.parametrize(
    ("missing", "bar"),
    [
        ("NaN until 21 bars are there, and where the close is constant", 21),
        ("NaN until a symbol has 21 bars", 21),
        ("NaN until 20 returns of enough members are there", 21),
        ("NaN until four fifths of the 60 bars are there", 48),
        ("NaN until four fifths of the 1 returns are there", 2),
        ("NaN until four fifths of the 60 pairs are there", None),
        ("NaN until the longer of 20 and 11 bars is there, and while the price never moved", 20),
        ("NaN on a symbol's first bar and after a missing one", 2),
        ("NaN where a bar is missing", None),
        ("NaN until ``rsi`` bars are there", None),
    ],
)
def test_the_first_value_s_bar_is_read_from_the_text(missing, bar):
    assert first_value(missing) == bar


@pytest.mark.parametrize(
    ("unit", "both"),
    [
        ("percent, 0 to 100 (a straight way)", (0, 100)),
        ("share, -1 (falls alone) to 1", (-1, 1)),
        ("0 or 1", None),
        ("above 0 to 1", (0, 1)),
        ("share, 1 / 20 to 1", None),
        ("fraction, at least 0", (0, float("inf"))),
        ("share, 0 at the low, at least -1 and at most 2", (-1, 2)),
        ("none, mostly -3 to 3", None),
    ],
)
def test_bounds_are_read_from_the_unit(unit, both):
    assert bounds(unit) == both
