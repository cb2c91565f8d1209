import pytest

from aitrader.features.families import FAMILIES
from aitrader.features.feature import FEATURES, feature, feature_key, load, market_return, spec_of
from aitrader.features.volatility import volatility
from aitrader.panel.expr import Expr, column

CLOSE = column("close")


@pytest.fixture
def declared():
    """Register a function for one test."""
    before = dict(FEATURES)

    def declare(formula, **options):
        return feature(**options)(formula) if options else feature(formula)

    yield declare
    FEATURES.clear()
    FEATURES.update(before)


def doubled(close: Expr, volume: Expr, *, bars: int = 20, factor: float = 2.0) -> Expr:
    """Twice something.

    Unit: USD shares. NaN until ``bars`` bars are there, and on Sundays.

    Source: a test (2024),
    page 3.
    """
    return (close * volume).mean(bars) * factor


def test_columns_settings_and_words_come_from_the_function(declared):
    declared(doubled, raw_level=True)

    known = FEATURES["doubled"]

    assert known.columns == ("close", "volume")
    assert known.settings == {"bars": 20, "factor": 2.0}
    assert known.raw_level
    assert (known.summary, known.unit) == ("Twice something.", "USD shares")
    assert known.missing == "NaN until ``bars`` bars are there, and on Sundays"
    assert known.source == "a test (2024), page 3."


def test_a_registered_function_stays_a_plain_function():
    assert volatility(CLOSE, bars=5).key == "log((close / close.shift(1))).std(5, min_periods=4)"


def test_a_feature_is_its_formula_over_the_columns(declared):
    declared(doubled, raw_level=True)

    assert FEATURES["doubled"].expression(bars=5).key == "((close * volume).mean(5) * 2)"


def test_a_name_is_taken_once(declared):
    declared(doubled, raw_level=True)

    with pytest.raises(TypeError, match="two features"):
        declared(doubled, raw_level=True)


@pytest.mark.parametrize("word", ["Unit:", "NaN", "Source:"])
def test_a_feature_that_does_not_say_what_it_is_cannot_be_registered(declared, word):
    def silent(close: Expr) -> Expr:
        return close

    silent.__doc__ = doubled.__doc__.replace(word, "")

    with pytest.raises(TypeError, match=word):
        declared(silent)


def test_a_setting_needs_a_default(declared):
    def needy(close: Expr, *, bars: int) -> Expr:
        return close.mean(bars)

    needy.__doc__ = doubled.__doc__

    with pytest.raises(TypeError, match="default"):
        declared(needy)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"window": 5}, "no setting 'window'"),
        ({"bars": 2.5}, "not whole"),
        ({"bars": True}, "not whole"),
        ({"bars": 0}, "not positive"),
        ({"bars": -5}, "not positive"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(settings, what):
    with pytest.raises(ValueError, match=what):
        load()["momentum"].expression(**settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("macd", {"fast": 30}), ("momentum_12_1", {"skip": 252}), ("yang_zhang", {"bars": 1})],
)
def test_settings_that_contradict_each_other_are_refused(name, settings):
    with pytest.raises(ValueError, match=name):
        load()[name].expression(**settings)


def test_a_spec_is_named_after_the_settings_that_differ():
    momentum = load()["momentum"]

    assert spec_of(momentum).name == spec_of(momentum, {"bars": 20}).name == "momentum"
    assert spec_of(momentum, {"bars": 60}).name == "momentum(bars=60)"


def test_the_key_is_of_the_formula_alone():
    momentum = load()["momentum"]

    assert spec_of(momentum).key == feature_key(CLOSE / CLOSE.shift(20) - 1)
    assert spec_of(momentum).key != spec_of(momentum, {"bars": 21}).key


def test_the_market_is_the_members_mean_or_a_symbol():
    assert market_return("universe_mean").key == "((close / close.shift(1)) - 1).mean_across()"
    assert market_return("SPY").op == "of_symbol"
    assert "SPY" in spec_of(load()["market_beta"], market="SPY").expr.key


def test_every_family_has_a_module_and_every_feature_a_family():
    assert {known.family for known in load().values()} == set(FAMILIES)
