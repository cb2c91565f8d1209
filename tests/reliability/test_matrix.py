"""The matrix of faults names tests that exist, and the page shows every row of it."""

import ast
import importlib.util
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _load():
    spec = importlib.util.spec_from_file_location("reliability_report", Path(__file__).with_name("report.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["reliability_report"] = module
    spec.loader.exec_module(module)
    return module


REPORT = _load()
ROWS = REPORT.rows_of()
JUNIT = """
<testsuites><testsuite>
<testcase classname="tests.a.test_b" name="test_c[1]">
<properties><property name="kills" value="3"/><property name="colour" value="red"/></properties></testcase>
<testcase classname="tests.a.test_b" name="test_c[2]"/>
<testcase classname="tests.a.test_b" name="test_d"><skipped/></testcase>
<testcase classname="tests.a.test_b" name="test_e"><failure/></testcase>
</testsuite></testsuites>
"""


def test_every_fault_has_its_number_once():
    assert [row.number for row in ROWS] == list(range(1, 101))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_names_tests_that_exist_or_says_what_it_waits_for(row):
    assert row.fault.endswith(".")
    assert row.expected.endswith(".")
    assert row.tests or row.lacks
    for test in row.tests:
        path, _, name = test.partition("::")
        functions = {node.name for node in ast.parse((ROOT / path).read_text()).body if hasattr(node, "name")}
        assert name in functions, test


def test_the_page_shows_every_row_of_the_matrix():
    shown = (ROOT / "docs" / "reliability.md").read_text().splitlines()

    for row in ROWS:
        line = next(line for line in shown if line.startswith(f"| {row.number} |"))
        for words in (row.fault, row.expected, row.lacks, *(test.partition("::")[2] for test in row.tests)):
            assert words.replace("|", "/") in line, "run `make reliability`"


def test_results_are_counted_by_function():
    found = REPORT.results(ET.fromstring(JUNIT))

    assert (found["tests/a/test_b.py::test_c"].passed, found["tests/a/test_b.py::test_c"].word) == (2, "2 passed")
    assert found["tests/a/test_b.py::test_c"].counts == Counter(kills=3)
    assert found["tests/a/test_b.py::test_d"].word == "skipped"
    assert found["tests/a/test_b.py::test_e"].word == "**FAILED**"


def test_a_row_is_tested_in_part_open_or_failed():
    found = REPORT.results(ET.fromstring(JUNIT))

    def row(*names, lacks=""):
        return REPORT.Row(1, "g", "f.", "e.", tuple(f"tests/a/test_b.py::{name}" for name in names), lacks)

    assert REPORT.state_of(row("test_c"), found) == "tested"
    assert REPORT.state_of(row("test_c", lacks="a disk"), found) == "in part"
    assert REPORT.state_of(row("test_d"), found) == "in part", "nothing ran"
    assert REPORT.state_of(row("test_c", "test_e"), found) == "failed"
    assert REPORT.state_of(row("test_gone"), found) == "failed"
    assert REPORT.state_of(row(lacks="a broker"), found) == "open"
