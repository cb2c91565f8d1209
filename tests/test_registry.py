"""Plug-ins are imported when looked up, and unknown names list the known ones."""

import pytest

from aitrader.errors import UnknownNameError, UsageError
from aitrader.registry import lookup, names, unknown_name

TABLE = {"json": "json:dumps", "broken": "no_such_package_anywhere:thing"}


def test_a_name_gives_the_attribute_that_it_stands_for():
    assert lookup("family", TABLE, "json")([1]) == "[1]"


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(UnknownNameError, match="broken, json") as caught:
        lookup("family", TABLE, "jsno")

    assert "'json'" in caught.value.fix


def test_of_many_names_only_the_nearest_are_listed():
    error = unknown_name("feature", "rsj", [*(f"other{number}" for number in range(100)), "rsi"])

    assert str(error) == "There is no feature 'rsj'; the nearest of 101: rsi."
    assert error.fix == "Did you mean 'rsi'?"


def test_a_plug_in_without_its_package_says_what_to_install():
    with pytest.raises(UsageError, match="no_such_package_anywhere") as caught:
        lookup("family", TABLE, "broken")

    assert "pip install" in caught.value.fix


def test_names_are_sorted():
    assert names("family", TABLE) == ("broken", "json")
