"""Which folder is the root."""

import pytest

from aitrader.config.root import find_root
from aitrader.errors import ConfigError


@pytest.fixture
def two(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "config").mkdir(parents=True)
        (tmp_path / name / "config" / "aitrader.yaml").write_text("")
    (tmp_path / "one" / "deep" / "er").mkdir(parents=True)
    return tmp_path


def test_the_option_wins_over_the_variable_and_that_over_the_folder(two):
    env = {"AITRADER_ROOT": str(two / "two")}

    assert find_root(two / "one", env, two) == two / "one"
    assert find_root(None, env, two / "one") == two / "two"
    assert find_root(None, {}, two / "one" / "deep" / "er") == two / "one"
    assert find_root(None, {"AITRADER_ROOT": ""}, two / "one") == two / "one"


def test_a_relative_option_starts_at_the_working_directory(two):
    from pathlib import Path

    assert find_root(Path("one"), {}, two) == two / "one"


def test_none_is_an_error_that_says_how_to_make_one(two):
    with pytest.raises(ConfigError) as caught:
        find_root(None, {}, two)

    assert "aitrader init" in caught.value.fix


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_named_folder_without_the_marker_is_an_error_and_not_passed_over(two, by):
    wrong = two / "one" / "deep"

    with pytest.raises(ConfigError, match="deep"):
        find_root(wrong if by == "option" else None, {"AITRADER_ROOT": str(wrong)}, two / "one")
