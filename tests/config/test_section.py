"""How a plug-in reads its own section."""

from datetime import date
from typing import Literal

import pytest
from pydantic import Field, PositiveInt

from aitrader.config.fields import Section, Share
from aitrader.config.section import Located, locate, parse_section
from aitrader.errors import ConfigError


class Inner(Section):
    depth: PositiveInt = 3
    """How deep."""


class Example(Section):
    leaves: PositiveInt
    """Leaves of a tree."""
    share: Share = 0.5
    on: bool = False
    since: date | None = None
    way: Literal["equal", "score"] = "equal"
    inner: Inner = Inner()
    extra: dict[str, PositiveInt] = Field(default_factory=dict)


ORIGINS = {(): "m.yaml:1", ("leaves",): "m.yaml:2", ("inner",): "m.yaml:3", ("inner", "depth"): "m.yaml:4"}


def test_text_becomes_what_the_fields_say():
    values = {"leaves": "31", "share": "10%", "on": "yes", "since": "2013-06-28", "inner": {"depth": "4"}}

    found = parse_section(Example, Located(values), "models.a.params")

    assert found == Example(leaves=31, share=0.1, on=True, since=date(2013, 6, 28), inner=Inner(depth=4))


@pytest.mark.parametrize(
    ("values", "message", "fix"),
    [
        ({"leaves": "x"}, "m.yaml:2: models.a.params.leaves is 'x'", "Leaves of a tree"),
        ({"leaves": "1", "inner": {"depth": "0"}}, "m.yaml:4: models.a.params.inner.depth is '0'", "above 0"),
        ({"leaves": "1", "inner": {"dpeth": "1"}}, "m.yaml:3: models.a.params.inner has no setting", "'depth'"),
        ({"leafs": "1"}, "m.yaml:1: models.a.params has no setting 'leafs'", "'leaves'"),
        ({"leaves": "1", "way": "eqal"}, "m.yaml:1: models.a.params.way is 'eqal'", ""),
        ({"leaves": "1", "extra": {"a": "-1"}}, "m.yaml:1: models.a.params.extra.a is '-1'", ""),
    ],
)
def test_what_is_wrong_names_file_line_and_key(values, message, fix):
    with pytest.raises(ConfigError) as caught:
        parse_section(Example, locate(values, ORIGINS), "models.a.params")

    assert str(caught.value).startswith(message)
    assert fix in caught.value.fix


def test_what_is_missing_names_the_section_s_line():
    with pytest.raises(ConfigError) as caught:
        parse_section(Example, locate({}, {(): "m.yaml:1"}), "models.a.params")

    assert str(caught.value) == "m.yaml:1: models.a.params.leaves is missing."
    assert "Leaves of a tree" in caught.value.fix


def test_a_plain_mapping_works_without_origins():
    with pytest.raises(ConfigError, match=r"^leaves is 'x'"):
        parse_section(Example, {"leaves": "x"})


def test_several_problems_are_counted():
    with pytest.raises(ConfigError, match="1 more"):
        parse_section(Example, {"leaves": "x", "share": "y"})
