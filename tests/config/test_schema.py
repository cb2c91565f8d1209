"""Every limit refuses what is no number in its range; every key refuses a misspelling."""

import difflib
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aitrader.config.fields import Section, is_share
from aitrader.config.load import load
from aitrader.config.schema import Config, Risk
from aitrader.config.section import parse_section
from aitrader.errors import ConfigError


def numbers(model: type[BaseModel], prefix: str = "") -> dict[str, object]:
    """Every setting that is a number, or may be one, by its dotted name."""
    found = {}
    for name, field in model.model_fields.items():
        default = field.default
        if isinstance(default, Section):
            found |= numbers(type(default), f"{prefix}{name}.")
        elif field.annotation in {int, float} or {int, float} & {get_args(kind)[0] for kind in optional(field)}:
            found[f"{prefix}{name}"] = field
    return found


def optional(field: FieldInfo) -> list[object]:
    """The constrained kinds of a setting that may also be left out."""
    kinds = get_args(field.annotation)
    return [kind for kind in kinds if get_args(kind)] if type(None) in kinds else []


NUMBERS = numbers(Config)
SHARES = [name for name, field in NUMBERS.items() if is_share(field) and name not in {"risk.max_gross", "risk.max_net"}]


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(prefix + name)
        if isinstance(field.default, Section):
            found += keys(type(field.default), f"{prefix}{name}.")
    return found


def setting(name: str, value: object) -> Config:
    tree: object = value
    for part in reversed(name.split(".")):
        tree = {part: tree}
    return parse_section(Config, tree)


def test_the_numbers_are_those_of_the_risk_section_and_more():
    assert {name for name in NUMBERS if name.startswith("risk.")} == {f"risk.{name}" for name in Risk.model_fields}
    assert len(SHARES) > 8


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "text", ["nan", "NaN", ".nan", "inf", "-inf", ".inf", "Infinity", "1e999", "ten", "1 000", "", "0x10", "[1]", None]
)
def test_no_limit_takes_what_is_no_finite_number(name, text):
    if text is None and optional(NUMBERS[name]):
        return
    with pytest.raises(ConfigError, match=name):
        setting(name, text)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "training.gate.min_rank_ic_lower"])
@given(value=st.floats(max_value=-1e-9, allow_infinity=False))
def test_no_limit_is_negative(name, value):
    with pytest.raises(ConfigError, match=name):
        setting(name, repr(value))


@given(name=st.sampled_from(SHARES), value=st.floats(allow_nan=True, allow_infinity=True))
def test_a_share_is_taken_exactly_when_it_lies_from_0_to_1(name, value):
    if 0 <= value <= 1:
        section, _, key = name.rpartition(".")
        found = setting(name, repr(value))
        for part in [*section.split("."), key]:
            found = getattr(found, part)
        assert found == value
    else:
        with pytest.raises(ConfigError, match=name):
            setting(name, repr(value))


@given(percent=st.floats(min_value=0, max_value=100))
def test_a_percentage_is_a_hundredth(percent):
    found = setting("risk.max_position", f"{percent!r}%").risk.max_position

    assert math.isclose(found, percent / 100, rel_tol=1e-12)


@pytest.mark.parametrize("text", ["10", "10.0", "101%", "-1%", "%", "ten%", "nan%", "10 %%", "1e3%"])
def test_ten_times_a_share_is_an_error(text):
    with pytest.raises(ConfigError) as caught:
        setting("risk.max_position", text)

    assert "risk.max_position" in str(caught.value)
    assert "at least 0, at most 1 (write 10% or 0.10)" in caught.value.fix


@pytest.mark.parametrize("name", ["risk.max_gross", "risk.max_net"])
@pytest.mark.parametrize(("text", "taken"), [("400%", True), ("4", True), ("4.01", False), ("10", False)])
def test_leverage_is_at_most_four(name, text, taken):
    if taken:
        setting(name, text)
    else:
        with pytest.raises(ConfigError, match=name):
            setting(name, text)


@given(name=st.sampled_from(keys(Config)), data=st.data())
def test_a_misspelt_key_is_never_ignored(name, data):
    """An ignored limit is no limit."""
    section, _, key = name.rpartition(".")
    position = data.draw(st.integers(0, len(key) - 1))
    wrong = data.draw(st.sampled_from([key[:position] + key[position + 1 :], key[:position] + "x" + key[position:]]))
    path = f"{section}.{wrong}" if section else wrong
    if path in keys(Config) or not wrong:
        return

    with pytest.raises(ConfigError) as caught:
        setting(path, "1")

    assert repr(wrong) in str(caught.value)
    siblings = [other.rpartition(".")[2] for other in keys(Config) if other.rpartition(".")[0] == section]
    if difflib.get_close_matches(wrong, siblings, n=1) == [key]:
        assert repr(key) in caught.value.fix


@pytest.mark.parametrize("name", ["../x", "a b", "", "x" * 13, "ä"])
def test_names_are_short_and_plain(name):
    with pytest.raises(ConfigError):
        parse_section(Config, {"models": {name: {"kind": "ridge"}}})


@pytest.mark.parametrize("symbol", ["../../x", "a/b", "aapl", "", "A\x00", "A" * 11])
def test_symbols_are_checked_at_the_door(symbol):
    with pytest.raises(ConfigError, match=r"universe.symbols.0"):
        parse_section(Config, {"universe": {"symbols": [symbol]}})


def test_a_limit_read_from_a_file_names_its_line_and_range(root):
    (root / "config" / "risk.yaml").write_text("max_gross: 50%\nmax_position: nan\n")

    with pytest.raises(ConfigError) as caught:
        load(root, env={})

    assert str(caught.value).startswith("config/risk.yaml:2: risk.max_position is 'nan'")
    assert "at most 1" in caught.value.fix


def test_a_share_has_its_bounds_in_the_json_schema():
    described = Config.model_json_schema()["$defs"]["Risk"]["properties"]["max_position"]

    assert (described["minimum"], described["maximum"]) == (0, 1)


def test_live_needs_a_largest_order_in_usd():
    with pytest.raises(ConfigError, match=r"mode live needs risk\.max_order_notional"):
        setting("mode", "live")

    live = parse_section(Config, {"mode": "live", "risk": {"max_order_notional": "2500"}})
    assert live.risk.max_order_notional == 2500
