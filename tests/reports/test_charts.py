"""Charts as inline SVG."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from aitrader.reports.charts import Series, bars, histogram, lines

DAYS = np.arange("2010-01-01", "2012-01-01", dtype="datetime64[D]")
HOSTILE = '<script>alert("x")</script>'


def _elements(chart):
    return ET.fromstring(chart)


def _curve(seed=1):
    return np.cumprod(1 + np.random.default_rng(seed).normal(0, 0.01, len(DAYS))) * 1e5


CHARTS = {
    "lines": lambda name: lines(name, DAYS, [Series(name, _curve()), Series("b", _curve(2))], unit="usd", log=True),
    "shaded": lambda name: lines(name, DAYS, [Series(name, _curve() / 1e5 - 1.2)], unit="fraction", shade=True),
    "bars": lambda name: bars(name, [name, "2"], [Series(name, np.array([0.1, -0.2]))], unit="fraction"),
    "histogram": lambda name: histogram(name, Series(name, np.diff(np.log(_curve()))), unit="fraction"),
}


@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_is_well_formed_and_says_in_words_what_it_shows(kind):
    figure = _elements(CHARTS[kind]("Equity"))

    drawing = figure.find("svg")
    assert drawing.get("role") == "img"
    assert "Equity" in drawing.get("aria-label")
    assert drawing.find("title").text == drawing.get("aria-label")


@pytest.mark.parametrize("kind", CHARTS)
def test_a_hostile_name_stays_text(kind):
    figure = _elements(CHARTS[kind](HOSTILE))

    assert not figure.findall(".//script")
    assert HOSTILE in "".join(figure.itertext())


@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_has_no_coordinate_that_is_not_a_number(kind):
    assert "nan" not in str(CHARTS[kind]("Equity")).lower()


def test_a_gap_breaks_the_line():
    values = _curve()
    values[100:200] = np.nan

    figure = _elements(lines("Equity", DAYS, [Series("a", values)], unit="usd"))

    assert figure.find(".//path[@class='line s0']").get("d").count("M") == 2


def test_several_series_have_a_legend_and_one_has_none():
    two = lines("t", DAYS, [Series("alpha", _curve()), Series("beta", _curve(2))], unit="usd")
    one = lines("t", DAYS, [Series("alpha", _curve())], unit="usd")

    assert [key.tail for key in _elements(two).findall(".//i")] == ["alpha", "beta"]
    assert not _elements(one).findall(".//i")


def test_the_first_series_is_drawn_last():
    figure = _elements(lines("t", DAYS, [Series("a", _curve()), Series("b", _curve(2))], unit="usd"))

    drawn = [path.get("class") for path in figure.findall(".//path") if path.get("class").startswith("line")]
    assert drawn == ["line s1", "line s0"]


def test_a_missing_bar_leaves_a_gap():
    figure = _elements(bars("t", ["1", "2", "3"], [Series("a", np.array([0.1, np.nan, -0.3]))], unit="fraction"))

    assert figure.find(".//path[@class='bar s0']").get("d").count("M") == 2
