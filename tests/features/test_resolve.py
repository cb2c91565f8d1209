import pytest

from aitrader.errors import ConfigError, UnknownNameError
from aitrader.features.feature import feature_key, load
from aitrader.features.resolve import resolve
from aitrader.panel.parse import parse

CUSTOM = {
    "my_gap": "open / close.shift(1) - 1",
    "my_score": "my_gap + momentum(bars=5)",
    "my_level": "close.mean(5)",
}


def _names(items, **more):
    return [spec.name for spec in resolve(items, sets=more.pop("sets", {}), custom=more.pop("custom", CUSTOM), **more)]


def test_core_has_more_than_46_features_without_a_level():
    core = resolve(["core"], sets={}, custom={})

    assert len(core) >= 46
    assert len({spec.key for spec in core}) == len(core)
    assert not any(spec.raw_level for spec in core)


def test_names_settings_and_texts_stand_in_one_list():
    assert _names(["momentum", {"momentum": {"bars": 60}}, "my_gap", "rsi(bars=7)"]) == [
        "momentum",
        "momentum(bars=60)",
        "my_gap",
        "rsi(bars=7)",
    ]


def test_settings_may_be_text_as_configuration_files_hold_them():
    (spec,) = resolve([{"bollinger_width": {"bars": "10", "width": "2.5"}}], sets={}, custom={})

    assert spec.name == "bollinger_width(bars=10, width=2.5)"


def test_a_feature_asked_for_twice_is_there_once():
    assert _names(["momentum", {"momentum": {"bars": 20}}, "momentum(bars=20)", "mom*_12_1", "momentum_12_1"]) == [
        "momentum",
        "momentum_12_1",
    ]


def test_patterns_mean_registered_and_own_features():
    assert _names(["aroon*"]) == ["aroon_up", "aroon_down", "aroon"]
    assert _names(["my_[gl]*"]) == ["my_gap", "my_level"]


def test_a_family_is_what_of_it_is_free_of_the_level():
    trend = {name: known for name, known in load().items() if known.family == "trend"}

    assert {"macd", "adx"} < set(_names(["family:trend"])) == {n for n, known in trend.items() if not known.raw_level}
    assert _names(["family:tren?"]) == _names(["family:trend"])
    assert "sma" in _names(["sm?"])


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="no feature family 'volumes'") as caught:
        _names(["family:volumes"])

    assert "'volume'" in caught.value.fix


def test_sets_hold_sets():
    sets = {"small": ["momentum", "my_gap"], "large": ["small", "rsi"]}

    assert _names(["large"], sets=sets) == ["momentum", "my_gap", "rsi"]
    assert set(_names(["core"])) < {*_names(["large", "core"], sets=sets)}


def test_a_set_inside_itself_is_refused():
    with pytest.raises(ConfigError, match="a > b > a"):
        _names(["a"], sets={"a": ["b"], "b": ["a"]})


def test_a_text_is_its_expression_and_knows_whether_it_sees_the_level():
    gap, level = resolve(["my_gap", "my_level"], sets={}, custom=CUSTOM)

    assert gap.expr == parse(CUSTOM["my_gap"])
    assert gap.key == feature_key(gap.expr)
    assert (gap.family, gap.raw_level, level.raw_level) == ("custom", False, True)


def test_a_text_may_use_other_features_by_name():
    (spec,) = resolve(["my_score"], sets={}, custom=CUSTOM)

    assert spec.expr == parse("open / close.shift(1) - 1 + (close / close.shift(5) - 1)")


def test_texts_that_need_each_other_are_refused():
    with pytest.raises(ConfigError, match="a > b > a"):
        _names(["a"], custom={"a": "b + 1", "b": "a + 1"})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("close.shift(-1) / close - 1", r"features\.custom\.mine: Column 13 of .* looks ahead"),
        ("(close - close.mean()) / close.std()", r"features\.custom\.mine: Column 16 of .* a window is missing"),
        ("clsoe / open", r"features\.custom\.mine: Column 1 of .*'clsoe'"),
    ],
)
def test_a_text_outside_the_language_names_itself_and_its_column(text, what):
    with pytest.raises(ConfigError, match=what):
        _names(["mine"], custom={"mine": text})


@pytest.mark.parametrize("name", ["momentun", "cor", "momentum_12"])
def test_an_unknown_name_is_refused_with_the_nearest(name):
    with pytest.raises(UnknownNameError, match=name) as caught:
        _names([name])

    assert caught.value.fix.startswith("Did you mean")


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"momentum": {"window": 5}}, "no setting 'window'"),
        ({"momentum": {"bars": "five"}}, "'five' is not a whole number"),
        ({"momentum": {"bars": 2.5}}, "not whole"),
        ({"momentum": {"bars": [5]}}, "not a number"),
        ({"momentum": {"bars": "0"}}, "not positive"),
        ({"macd": {"fast": "40"}}, "fast = 40"),
        ({"my_gap": {"bars": 5}}, "takes no settings"),
        ({"core": {"bars": 5}}, "takes no settings"),
        ("momentum(5)", "momentum\\(bars=60\\)|not a feature"),
        ("momentum(bars=)", "not a feature"),
        ("momentum(bars=5, bars=6)", "has a setting twice"),
        ({"family:trend": {"bars": 5}}, "takes no settings"),
    ],
)
def test_settings_that_do_not_fit_are_refused(item, what):
    with pytest.raises(ConfigError, match=what):
        _names([item])


@pytest.mark.parametrize(
    ("sets", "custom"),
    [
        ({}, {"momentum": "close"}),
        ({"momentum": ["rsi"]}, {}),
        ({"mine": ["rsi"]}, {"mine": "close"}),
        ({}, {"core": "close"}),
        ({"core": ["rsi"]}, {}),
    ],
)
def test_a_name_with_two_meanings_is_refused(sets, custom):
    with pytest.raises(ConfigError, match=r"is a .* and a "):
        _names(["rsi"], sets=sets, custom=custom)


@pytest.mark.parametrize("name", ["close", "traded_volume", "log", "where", "month_end"])
def test_a_name_that_means_something_in_every_text_is_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}' is a"):
        _names(["rsi"], custom={name: "open / close.shift(1)"})


def test_a_bracket_that_is_not_closed_is_answered_with_an_example():
    with pytest.raises(ConfigError, match="is not a feature with settings") as caught:
        _names(["rsi(bars=5"])

    assert caught.value.fix.startswith("Write it as momentum(bars=60).")


def test_a_formula_in_the_place_of_a_name_is_told_where_it_stands():
    with pytest.raises(ConfigError, match="is not a feature with settings") as caught:
        _names(["close / weekly(close.mean(10))"])

    assert "`features.custom`" in caught.value.fix


def test_texts_that_use_each_other_are_refused_with_their_way():
    with pytest.raises(ConfigError) as caught:
        _names(["a"], custom={"a": "b + 1", "b": "a - 1"})

    assert str(caught.value) == "features.custom.a: 'a' is defined by itself: a > b > a."


@pytest.mark.parametrize("name", ["My_gap", "1st", "a b", "", "a" * 65])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(ConfigError, match="is not a name"):
        _names(["rsi"], custom={name: "close"})


def test_a_text_is_read_once_however_many_others_use_it():
    doubled = {"a0": "close / open", **{f"a{n}": f"a{n - 1} * a{n - 1} - a{n - 1}" for n in range(1, 61)}}

    (spec,) = resolve(["a60"], sets={}, custom=doubled)

    assert spec.lookback == 0


@pytest.mark.parametrize("order", [1, -1])
def test_texts_without_end_are_refused(order):
    texts = [("a0", "close / open"), *((f"a{n}", f"a{n - 1}.shift(1)") for n in range(1, 400))][::order]

    with pytest.raises(ConfigError) as caught:
        resolve(["a*"], sets={}, custom=dict(texts))

    assert "more than 200 operators, or 60 features, in each other" in str(caught.value)
