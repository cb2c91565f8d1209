import pytest

from aitrader.features.conformance.rules import RULES
from aitrader.features.feature import FEATURES, PLUGINS, feature, load
from aitrader.features.sets import SETS
from aitrader.panel.expr import Expr

OWN = """
custom:
  my_gap: open / close.shift(1) - 1
  my_level: close.mean(5)
sets: {mine: [my_gap, rsi(bars=5), family:mom*]}
compute: [mine]
"""


@pytest.fixture
def own_root(bare_root, write_settings):
    write_settings(bare_root, {"features.yaml": OWN})
    return bare_root


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Stand in a folder that belongs to no root."""
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def registered():
    """Register functions for one test, as a plug-in would."""
    load()
    before = dict(FEATURES)
    yield feature
    FEATURES.clear()
    FEATURES.update(before)


def test_every_feature_and_set_is_listed_with_lookback_unit_and_cost_even_without_a_root(run_cli, outside):
    result = run_cli("features", "ls", "--json").envelope["result"]
    lines = {line["name"]: line for line in result["features"]}

    assert [line["name"] for line in result["features"]] == list(load())
    assert [line["name"] for line in result["sets"]] == list(SETS)
    assert all(line["built_in"] and line["features"] > 0 for line in result["sets"])
    assert (lines["momentum"]["lookback"], lines["momentum"]["unit"]) == (20, "fraction (0.03 is 3 %)")
    assert (lines["rsi"]["lookback"], lines["rsi"]["raw_level"]) == (None, False)
    assert lines["atr"]["raw_level"]
    assert lines["momentum_rank"]["looks_across"]
    assert 0 < lines["momentum"]["steps"] < lines["yang_zhang"]["steps"]


def test_own_features_and_sets_are_listed_beside_the_built_in_ones(run_cli, own_root):
    result = run_cli("features", "ls", "--json", root=own_root).envelope["result"]

    assert [line["name"] for line in result["features"]][-2:] == ["my_gap", "my_level"]
    assert result["sets"][-1]["name"] == "mine"
    assert result["sets"][-1]["built_in"] is False


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--family", "custom"], ["my_gap", "my_level"]),
        (["--feature-set", "my_*"], ["my_gap", "my_level"]),
        (["--feature-set", "my_gap,rsi(bars=5)"], ["my_gap", "rsi(bars=5)"]),
        (["--feature-set", "mine", "--family", "custom"], ["my_gap"]),
    ],
)
def test_a_list_is_cut_to_a_family_or_a_set(run_cli, own_root, options, names):
    result = run_cli("features", "ls", *options, "--json", root=own_root).envelope["result"]

    assert [line["name"] for line in result["features"]] == names


def test_the_table_shows_what_a_person_needs(run_cli, outside):
    out = run_cli("features", "ls", "--family", "momentum").out

    assert "momentum_12_1" in out
    assert "recursive" in out
    assert "Return of the adjusted close over the last 20 bars." in out
    assert "``" not in out


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["describe", "momentun"], "momentum"),
        (["ls", "--family", "volumes"], "volume"),
        (["ls", "--feature-set", "cores"], "core"),
    ],
)
def test_an_unknown_name_is_exit_2_with_the_nearest(run_cli, outside, two_lines, words, near):
    ran = run_cli("features", *words)

    two_lines(ran, 2, words[-1])
    assert f"Did you mean '{near}'?" in ran.err


def test_a_feature_says_everything_about_itself(run_cli, outside):
    card = run_cli("features", "describe", "rsi(bars=5)", "--json").envelope["result"]

    assert card["where"] == [["x1", "close - close.shift(1)"], ["x2", "max(x1, 0).wilder(5)"]]
    assert card["formula"] == "100 * x2 / (x2 + max(-x1, 0).wilder(5))"
    assert card["settings"] == {"bars": 5}
    assert card["columns"] == ["close"]
    assert card["line"]["lookback"] is None
    assert card["source"].startswith("Wilder (1978)")
    assert card["missing"] == "NaN until 6 bars are there, and while the close never moved"
    assert card["sets"] == ["core"]
    assert len(card["key"]) == 64
    assert card["cpu_ns_per_bar"] is None


@pytest.mark.parametrize("name", ["market_beta", "sector_beta"])
def test_a_feature_s_cost_is_measured_when_asked(run_cli, outside, name):
    card = run_cli("features", "describe", name, "--measure", "--json").envelope["result"]

    assert card["cpu_ns_per_bar"] > 0


def test_a_feature_is_shown_to_people(run_cli, outside):
    out = run_cli("features", "describe", "momentum").out

    for text in ("close / close.shift(20) - 1", "20 bars before the current one", "bars=20", "Jegadeesh", "steps"):
        assert text in out


def test_an_own_feature_is_described(run_cli, own_root):
    card = run_cli("features", "describe", "my_level", "--json", root=own_root).envelope["result"]

    assert (card["formula"], card["line"]["raw_level"], card["line"]["lookback"]) == ("close.mean(5)", True, 4)
    assert card["sets"] == []
    assert run_cli("features", "describe", "my_gap", "--json", root=own_root).envelope["result"]["sets"] == ["mine"]


@pytest.mark.parametrize("name", ["basic", "family:risk", "momentum*"])
def test_a_set_a_family_and_a_pattern_are_described_by_their_features(run_cli, outside, name):
    card = run_cli("features", "describe", name, "--json").envelope["result"]

    assert card["name"] == name
    assert len(card["features"]) > 1


def test_a_setting_that_does_not_fit_is_exit_2(run_cli, outside, two_lines):
    two_lines(run_cli("features", "describe", "rsi(window=5)"), 2, "no setting 'window'")


def test_wrong_settings_of_a_root_are_not_passed_over(run_cli, own_root, two_lines):
    (own_root / "config" / "risk.yaml").write_text("max_grosss: 1\n")

    two_lines(run_cli("features", "ls", root=own_root), 2, "max_grosss")


def test_a_root_that_is_named_must_be_one(run_cli, outside, two_lines):
    two_lines(run_cli("features", "ls", root=outside), 2, "--root")


def test_own_features_keep_the_rules(run_cli, own_root):
    ran = run_cli("features", "test", "--json", root=own_root)
    result = ran.envelope["result"]
    verdicts = {(one["feature"], one["rule"]): one for one in result["verdicts"]}

    assert ran.code == 0
    assert len(verdicts) == result["features"] * result["rules"]
    assert {rule for _, rule in verdicts} == {rule.name for rule in RULES}
    assert verdicts["my_gap", "split put in"]["passed"] is True
    assert verdicts["my_level", "split put in"] == {
        "feature": "my_level",
        "rule": "split put in",
        "passed": None,
        "reason": "raw level: models refuse it",
        "difference": None,
    }
    assert {"rsi(bars=5)", "momentum", "gap"} < {feature for feature, _ in verdicts}


def test_a_file_s_features_are_tested_alone(run_cli, outside):
    (outside / "mine.yaml").write_text('custom: {jump: "open / close.shift(1) - 1", twice: jump * 2}\n')

    ran = run_cli("features", "test", "mine.yaml", "--json")

    assert ran.code == 0
    assert {one["feature"] for one in ran.envelope["result"]["verdicts"]} == {"jump", "twice"}


def test_a_feature_that_breaks_a_rule_is_exit_3(run_cli, outside):
    (outside / "mine.yaml").write_text("custom: {counted: close.count(5), fine: close / open}\n")

    ran = run_cli("features", "test", "mine.yaml")

    assert ran.code == 3
    assert "it has values before a symbol's first bar" in ran.out
    assert ran.out.rstrip().endswith("2 features, 16 rules, 1 broken\n  counted: has values")
    assert run_cli("features", "test", "mine.yaml", "--json").envelope["status"] == "failed"


def test_the_first_bar_and_symbol_that_differ_are_named(run_cli, outside, registered):
    def cheap(close: Expr) -> Expr:
        """One over the price.

        Unit: shares per USD. NaN where there is no close.

        Source: none.
        """
        return 1 / close

    registered(cheap)
    (outside / "mine.yaml").write_text("sets: {mine: [cheap]}\n")

    ran = run_cli("features", "test", "mine.yaml", "--json")
    found = {one["rule"]: one["difference"] for one in ran.envelope["result"]["verdicts"] if one["passed"] is False}

    assert ran.code == 3
    assert set(found) == {"split put in", "history scaled", "powers of two", "level declared"}
    assert found["history scaled"]["symbol"] == "S00"
    assert found["history scaled"]["session"] == "2018-05-02"
    assert found["history scaled"]["found"] == pytest.approx(found["history scaled"]["expected"] / 1.37)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["mine.yaml", "No such file"]),
        ("", ["no features to test"]),
        ("sets: {mine: []}", ["no features to test"]),
        ("custom: {a: close.shift(-1)}", ["features.custom.a", "looks ahead"]),
        ("custom: {a: close.mean()}", ["a window is missing"]),
        ("custom: [a]", ["mine.yaml", "custom"]),
        ("customs: {a: close}", ["mine.yaml:1", "customs"]),
        ("sets: {mine: [rsj]}", ["rsj"]),
        ("custom: {rsi: close}", ["'rsi' is a built-in feature"]),
        ("- a", ["mine.yaml"]),
    ],
)
def test_a_file_that_cannot_be_tested_is_exit_2(run_cli, outside, two_lines, text, words):
    if text is not None:
        (outside / "mine.yaml").write_text(text)

    two_lines(run_cli("features", "test", "mine.yaml"), 2, *words)


def test_a_broken_plug_in_is_a_warning(run_cli, outside, monkeypatch):
    monkeypatch.setitem(PLUGINS, "acme", "SyntaxError: no")

    ran = run_cli("features", "ls", "--family", "volume", "--json")

    assert ran.code == 0
    assert ran.envelope["warnings"] == ["the plug-in acme brings no features: SyntaxError: no"]
