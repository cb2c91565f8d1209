"""Layers, origins, and the errors that name file, line and key."""

import pytest

from aitrader.config.load import load, usable
from aitrader.config.schema import Config, Risk
from aitrader.errors import ConfigError, UnknownNameError, UsageError


def test_each_layer_covers_the_one_below(root, read):
    (root / "config" / "profiles" / "demo.yaml").write_text("risk: {max_net: 60%, max_gross: 60%, max_position: 60%}\n")
    files = {"risk": "max_net: 70%\nmax_gross: 70%\nmax_position: 70%\ncash_reserve: 70%\n"}
    env = {"AITRADER__RISK__MAX_GROSS": "50%", "AITRADER__RISK__MAX_POSITION": "50%"}

    loaded = read(**files, profile="demo", env=env, sets=["risk.max_position=40%"])

    risk = loaded.config.risk
    assert (risk.max_position, risk.max_gross, risk.max_net, risk.cash_reserve) == (0.4, 0.5, 0.6, 0.7)
    assert risk.price_collar == 0.03
    assert {key: origin for key, origin in loaded.origins.items() if key.startswith("risk.")} == {
        **{f"risk.{name}": "default" for name in Risk.model_fields},
        "risk.max_position": "--set risk.max_position",
        "risk.max_gross": "AITRADER__RISK__MAX_GROSS",
        "risk.max_net": "config/profiles/demo.yaml:1",
        "risk.cash_reserve": "config/risk.yaml:4",
    }


def test_mappings_merge_and_lists_are_replaced(root, read):
    (root / "config" / "profiles" / "demo.yaml").write_text(
        "universe: {symbols: [C]}\nmodels: {b: {kind: ridge, params: {alpha: 2}}}\n"
    )

    loaded = read(
        universe="symbols: [A, B]\n", models="a: {kind: ridge}\nb: {kind: x, params: {beta: 3}}\n", profile="demo"
    )

    assert loaded.config.universe.symbols == ("C",)
    assert list(loaded.config.models) == ["a", "b"]
    assert loaded.config.models["b"].params == {"alpha": "2", "beta": "3"}


def test_a_mapping_left_empty_changes_nothing(root, read):
    (root / "config" / "profiles" / "demo.yaml").write_text("risk:\n  # max_gross: 10%\n")

    assert read(risk="max_gross: 50%\n", profile="demo").config.risk.max_gross == 0.5
    assert read(execution="costs:\n").config.execution.costs.spread_bps == 10


def test_words_that_yaml_would_turn_into_something_else_stay_text(read):
    words = ["ON", "NO", "YES", "TRUE", "FALSE", "NULL", "010", "1E5", "Y"]

    loaded = read(universe=f"symbols: [{', '.join(words)}]\n", models="m: {kind: x, params: {a: 010, b: 12:30:00}}\n")

    assert list(loaded.config.universe.symbols or ()) == words
    assert loaded.config.models["m"].params == {"a": "010", "b": "12:30:00"}


def test_only_unquoted_null_tilde_and_nothing_are_none(read):
    params = read(models='m: {kind: x, params: {a: null, b: ~, c: , d: "null", e: Null}}\n').config.models["m"].params

    assert params == {"a": None, "b": None, "c": None, "d": "null", "e": "Null"}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("yes", True), ("no", False), ("False", False)])
def test_booleans_are_true_false_yes_no(read, text, value):
    assert read(portfolio=f"fractional: {text}\n").config.portfolio.fractional is value


@pytest.mark.parametrize("text", ["on", "1", "0", "t", "y", "maybe", "off"])
def test_other_words_are_no_booleans(read, text):
    with pytest.raises(ConfigError, match=r"config/portfolio.yaml:1: portfolio.fractional .* true, false, yes or no"):
        read(portfolio=f"fractional: {text}\n")


@pytest.mark.parametrize("text", ["2013", "0", "86400", "2013-6-28", "28.06.2013", "2013-06-31", "2013-06-28T00:00"])
def test_dates_are_written_in_one_way(read, text):
    with pytest.raises(ConfigError, match=r"config/data.yaml:1: data.start"):
        read(data=f"start: {text}\n")


def test_a_plug_in_s_values_keep_text_and_origin(read):
    loaded = read(models="lgbm:\n  kind: lightgbm\n  params:\n    leaves: 31\n    deep:\n      er: x\n")

    params = loaded.config.models["lgbm"].params
    assert params == {"leaves": "31", "deep": {"er": "x"}}
    assert params.origin("leaves") == "config/models.yaml:4"
    assert params.origin("deep", "er") == "config/models.yaml:6"
    assert loaded.origins["models.lgbm.params.leaves"] == "config/models.yaml:4"


def test_the_environment_finds_names_with_capitals(read):
    loaded = read(models="Deep: {kind: x}\n", env={"AITRADER__MODELS__DEEP__PARAMS__DEPTH": "3"})

    assert loaded.config.models["Deep"].params == {"depth": "3"}


def test_set_takes_lists_mappings_and_nothing(read):
    loaded = read(
        data="start: 2001-01-01\n",
        sets=["universe.symbols=[ON, BRK.B]", "models.r={kind: ridge, params: {alpha: 5}}", "data.start="],
    )

    assert loaded.config.universe.symbols == ("ON", "BRK.B")
    assert loaded.config.models["r"].params == {"alpha": "5"}
    assert loaded.config.data.start is None


@pytest.mark.parametrize("text", ["nonsense", "=5", "risk.=5", "..=5"])
def test_set_needs_key_and_value(read, text):
    with pytest.raises(UsageError, match="not key=value"):
        read(sets=[text])


@pytest.mark.parametrize(
    ("files", "place", "near"),
    [
        ({"risk": "max_gross: 50%\nmax_postion: 10%\n"}, "config/risk.yaml:2: risk ", "max_position"),
        ({"aitrader": "mode: paper\nriks: {max_gross: 1}\n"}, "config/aitrader.yaml:2: ", "risk"),
        ({"models": "a:\n  kind: x\n  parms: {}\n"}, "config/models.yaml:3: models.a ", "params"),
        ({"execution": "costs:\n  spred_bps: 1\n"}, "config/execution.yaml:2: execution.costs ", "spread_bps"),
        ({"training": "gate: {min_rank_ic: 0}\n"}, "config/training.yaml:1: training.gate ", "min_rank_ic_lower"),
    ],
)
def test_an_unknown_key_names_file_line_and_the_nearest(read, files, place, near):
    with pytest.raises(ConfigError) as caught:
        read(**files)

    assert str(caught.value).startswith(place)
    assert f"Did you mean '{near}'?" in caught.value.fix


def test_a_section_that_names_itself_once_more_is_told_to_leave_that_out(read):
    with pytest.raises(ConfigError) as caught:
        read(features="features:\n  compute: [core]\n")

    assert caught.value.fix.startswith("The file is that section already: leave out its line `features:`.")


def test_an_unknown_key_is_told_before_a_wrong_value(read):
    with pytest.raises(ConfigError, match="max_postion"):
        read(risk="max_gross: abc\nmax_postion: 10%\n")


def test_a_file_that_is_no_section_names_the_nearest(read):
    with pytest.raises(ConfigError) as caught:
        read(riks="max_gross: 50%\n")

    assert "config/riks.yaml" in str(caught.value)
    assert "risk.yaml" in caught.value.fix


def test_a_yml_file_would_be_ignored_and_is_refused(root, read):
    (root / "config" / "risk.yml").write_text("max_gross: 1%\n")

    with pytest.raises(ConfigError, match="would not be read"):
        read()


def test_a_section_in_two_files_names_both_lines(read):
    with pytest.raises(ConfigError, match=r"risk is given twice: config/aitrader.yaml:2 and config/risk.yaml:1"):
        read(aitrader="mode: paper\nrisk: {max_gross: 50%}\n", risk="max_net: 50%\n")


def test_one_file_may_hold_everything(root, read, tmp_path):
    one = tmp_path / "one.yaml"
    one.write_text("book: blue\nrisk:\n  max_gross: 50%\n")

    loaded = read(config_path=one)

    assert (loaded.config.book, loaded.config.risk.max_gross) == ("blue", 0.5)
    assert loaded.origins["risk.max_gross"] == "one.yaml:3"


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling link", "list", "text"])
def test_a_file_that_cannot_be_settings_is_named(root, read, tmp_path, kind):
    one = tmp_path / "config" / "risk.yaml"
    if kind == "folder":
        one.mkdir()
    elif kind == "dangling link":
        one.symlink_to(tmp_path / "nowhere")
    elif kind != "missing":
        one.write_text("- a\n" if kind == "list" else "just text\n")

    with pytest.raises(ConfigError, match=r"risk"):
        read(config_path=one) if kind == "missing" else read()


@pytest.mark.parametrize("name", ["aitrader.yaml", "risk.yaml"])
def test_a_file_without_permission_is_named(unprivileged_folder, name):
    (unprivileged_folder / "config").mkdir()
    (unprivileged_folder / "config" / "aitrader.yaml").write_text("mode: paper\n")
    file = unprivileged_folder / "config" / name
    file.touch()
    file.chmod(0)
    with pytest.raises(PermissionError):  # the fault was really injected
        file.read_text()

    with pytest.raises(ConfigError, match=rf"config/{name} cannot be read: Permission denied"):
        load(unprivileged_folder, env={})


def test_an_unknown_profile_lists_the_known(root, read):
    (root / "config" / "profiles" / "demo.yaml").write_text("mode: paper\n")

    with pytest.raises(UnknownNameError, match=r"available: demo"):
        read(profile="dmeo")
    with pytest.raises(UnknownNameError):
        read(profile="../../etc/passwd")


@pytest.mark.parametrize(
    "text",
    [
        "files: {api_key: abcdef}",
        "files: {path: x, password: hunter2}",
        "files: {note: PKABCDEFGHIJKLMNOPQR}",
        "files: {note: aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7d}",
        "files: {note: [x, ghp_abcdefghijklmnopqrst]}",
    ],
)
def test_a_secret_among_the_settings_is_refused_and_not_shown(read, text):
    with pytest.raises(ConfigError, match=r"config/data.yaml:2: .*looks like a secret") as caught:
        read(data=f"sources:\n  {text}\n")

    for secret in ("abcdef}", "hunter2", "PKABC", "aB3dE5", "ghp_"):
        assert secret not in f"{caught.value} {caught.value.fix}"


def test_the_hash_depends_on_values_and_not_on_where_they_stand(read, root):
    assert read(risk="max_gross: 50%\n").hash == read(risk="# moved\nmax_gross: 0.5\n").hash
    assert read(risk="max_gross: 50%\n").hash != read(risk="max_gross: 51%\n").hash


def test_rules_across_sections_are_told(read):
    with pytest.raises(ConfigError, match="exclude each other"):
        read(execution="entry: open_auction\n", portfolio="fractional: yes\n")


def test_reading_leaves_no_trace_of_the_process_environment(root, monkeypatch):
    monkeypatch.setenv("AITRADER__BOOK", "other")

    assert load(root, env={}).config.book == "main"


def test_an_emergency_reads_what_is_whole_and_takes_the_defaults_for_the_rest(root):
    (root / "config" / "risk.yaml").write_text("max_gross: 50%\n  broken: [\n")
    (root / "config" / "schedule.yaml").write_text("no_orders_first_min: never\n")
    (root / "config" / "execution.yaml").write_text("costs: {spread_bps: 7}\n")
    (root / "config" / "nonsense.yaml").write_text("a: 1\n")

    config, problems = usable(root, env={}, profile="absent", sets=["data.source=sample", "oops"])

    assert config.execution.costs.spread_bps == 7
    assert config.data.source == "sample"
    assert (config.risk, config.schedule) == (Config().risk, Config().schedule)
    assert len(problems) == 5
    for name in ("risk.yaml", "schedule.yaml", "nonsense.yaml", "absent", "oops"):
        assert any(name in problem for problem in problems)


def test_an_emergency_without_any_settings_has_the_defaults(tmp_path):
    assert usable(tmp_path, env={}) == (Config(), ())


def test_an_emergency_reads_one_file_of_all_settings(root):
    (root / "all.yaml").write_text("book: other\nrisk: {max_gross: much}\n")

    config, problems = usable(root, env={}, config_path=root / "all.yaml")

    assert (config.book, config.risk) == ("other", Config().risk)
    assert len(problems) == 1


def test_the_option_book_is_named_as_itself_with_the_rule_of_names(root, read):
    assert load(root, env={}, book="second").config.book == "second"
    assert load(root, env={}, sets=["book=first"], book="second").origins["book"] == "--book"

    for name in ("bad-name", "", "[a]", "longer_than_12"):
        with pytest.raises(ConfigError, match=r"^--book: book is ") as caught:
            load(root, env={}, book=name)
        assert "at most 12 letters, digits and underscores" in caught.value.fix


def test_what_stands_inside_a_value_of_an_option_comes_from_the_option(root, read):
    below = {"account": "faults:\n  rate: 10%\n  seed: 3\n"}

    faults = read(**below, sets=["account.faults={rate: 5, kinds: [delay]}"]).config.account.faults

    origins = {path: faults.origin(*path) for path in [("rate",), ("kinds",), ("kinds", 0), ("seed",)]}
    assert origins == {
        ("rate",): "--set account.faults",
        ("kinds",): "--set account.faults",
        ("kinds", 0): "--set account.faults",
        ("seed",): "config/account.yaml:3",
    }
