"""Checks as a JUnit file."""

from xml.etree import ElementTree as ET

from aitrader.reports.junit import Case, render_junit

HOSTILE = '<script>\x1b[31m & "quotes" ]]> \u202e'


def test_hostile_text_keeps_the_file_well_formed():
    text = render_junit("aitrader", [Case("data", "gaps", "fail", HOSTILE, (HOSTILE, "second"))])

    failure = ET.fromstring(text).find(".//failure")
    assert failure.get("message").startswith("<script>\ufffd[31m")
    assert failure.text.splitlines()[1] == "second"


def test_each_status_has_its_element():
    cases = [Case("data", name, name, "reason") for name in ("pass", "warn", "fail", "skipped")]

    suite = ET.fromstring(render_junit("aitrader", cases)).find("testsuite")

    assert [case[0].tag for case in suite] == ["system-out", "system-out", "failure", "skipped"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
