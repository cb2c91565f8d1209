"""The page of controls names every one, with its setting and its default."""

import re
from pathlib import Path

from aitrader.config.schema import Config
from aitrader.jobs.checks.controls import fire_controls
from aitrader.risk.limits import GATES, LIMITS, SANITY

PAGE = Path(__file__).parents[2] / "docs" / "controls.md"
ROW = re.compile(r"^\| `(\w+)` \| `?([\w. ]+?)`? \| ([^|]*?) ?\|", re.MULTILINE)


def listed(heading=""):
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index(heading) :].split("\n## ")[0] if heading else text
    return ROW.findall(section)


def test_every_control_stands_there_with_its_setting_and_default():
    fired = {(one.control, one.setting, one.default) for one in fire_controls(Config()).controls}

    assert {(control, setting, default.strip()) for control, setting, default in listed()} == fired


def test_every_control_stands_where_it_is_asked():
    for heading, table in (("## Every order\n", SANITY), ("## Every order of", GATES), ("## Orders that add", LIMITS)):
        assert set(table) <= {control for control, _, _ in listed(heading)}
