"""The page of a backtest."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from lxml import html

from aitrader.reports.backtest import (
    BacktestView,
    Doubt,
    Figure,
    FoldLine,
    HaltView,
    MetricRow,
    ModelLine,
    Warned,
    render,
)

DAYS = np.arange("2010-12-30", "2011-02-04", dtype="datetime64[D]")
NAN = float("nan")


def _view(**changes):
    count = len(DAYS)
    view = BacktestView(
        title="Backtest: top5",
        run_id="20260101T000000-abc",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        settings_hash="0123abcd",
        lake_version=4,
        strategy="top5, every Wednesday",
        universe="29 symbols",
        models=(ModelLine("trees", "v1", "rejected"),),
        sessions=DAYS,
        curves={"top5": np.linspace(100_000.0, 110_000.0, count), "cash": np.full(count, 100_000.0)},
        metrics=(MetricRow("Sharpe ratio", "ratio", (0.61, NAN), "mean over deviation"),),
        doubts=(Doubt("Costs doubled", (Figure("return per year", 0.03, "fraction"),), "bad", "Little is left."),),
    )
    return replace(view, **changes)


def _text(page):
    return " ".join(html.fromstring(page).text_content().split())


def test_the_page_loads_and_runs_nothing():
    page = render(_view())

    tree = html.fromstring(page)
    assert tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ]
    assert not tree.xpath("//script | //link | //img | //iframe | //object")
    assert not re.search(r"https?://|url\(|@import", page)


def test_the_page_shows_figures_doubts_and_provenance():
    text = _text(render(_view()))

    for part in ("Sharpe ratio", "0.61", "Costs doubled", "Little is left.", "fails", "3.0%", "rejected", "0123abcd"):
        assert part in text


def test_warnings_stand_before_the_figures():
    page = render(_view(warnings=(Warned("red", "All names survive to the last day."),)))

    assert page.index("All names survive") < page.index("Sharpe ratio")
    assert html.fromstring(page).xpath("//p[@class='warn red']")


def test_where_a_breaker_fired_both_results_stand_side_by_side():
    rows = (MetricRow("Total return", "fraction", (0.021, 0.34)),)

    page = render(_view(halted=HaltView(date(2011, 1, 12), rows)))

    (table,) = html.fromstring(page).xpath("//h2[contains(., 'breaker')]/following-sibling::div[1]//table")
    cells = [[cell.text_content() for cell in row] for row in table.xpath(".//tr")]
    assert cells[0][:3] == ["Metric", "up to 2011-01-12", "without breakers"]
    assert cells[1][:3] == ["Total return", "2.1%", "34.0%"]
    assert "breaker" not in _text(render(_view()))


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "\u202eevil", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"]
)
def test_hostile_names_stay_text(text):
    view = _view(
        title=text,
        strategy=text,
        curves={text: np.ones(len(DAYS)), "cash": np.ones(len(DAYS))},
        warnings=(Warned("amber", text),),
        refusals={text: 1},
        doubts=(Doubt(text, (Figure(text, 1.0, "ratio"),), "good", text),),
    )

    page = render(view)

    assert not html.fromstring(page).xpath("//script | //img")
    assert "\u202e" not in page
    assert "49" not in _text(page).replace("{{ 7*7 }}", "")


def test_a_month_is_measured_from_the_last_value_before_it():
    values = np.where(
        np.datetime64("2011-01-01") > DAYS, 100.0, np.where(np.datetime64("2011-02-01") > DAYS, 110.0, 99.0)
    )

    rows = html.fromstring(render(_view(curves={"top5": values, "cash": values}))).xpath("//table[@class='heat']//tr")

    cells = [[cell.text_content() for cell in row] for row in rows[1:]]
    assert cells[0] == ["2010", *[""] * 11, "0.0", "0.0"]
    assert cells[1] == ["2011", "10.0", "\u221210.0", *[""] * 10, "\u22121.0"]


def test_folds_are_drawn_and_listed_for_each_model():
    fold = FoldLine(
        "trees", 0, date(2005, 1, 3), date(2009, 12, 31), date(2010, 1, 4), date(2010, 12, 31), 0.019, 0.004, 0.034
    )

    text = _text(render(_view(folds=(fold, replace(fold, model="ridge", low=NAN, high=NAN)))))

    assert "0.004 to 0.034" in text
    assert "ridge" in text


def test_fifteen_years_of_sessions_stay_below_300_kilobytes():
    days = np.arange("1998-01-02", "2013-08-10", dtype="datetime64[D]")
    noise = np.random.default_rng(5).normal(0.0003, 0.02, (3, len(days)))
    curves = dict(zip(("top5", "equal weight", "cash"), np.cumprod(1 + noise, axis=1), strict=True))
    metrics = (MetricRow("Sharpe ratio", "ratio", (0.6, 0.5, NAN)),)

    page = render(
        _view(sessions=days, curves=curves, metrics=metrics, gross=noise[0], net=noise[1], turnover=abs(noise[2]))
    )

    assert len(page.encode()) < 300_000


def test_one_session_is_enough_for_a_page():
    curves = {"top5": np.array([1e5]), "cash": np.array([1e5])}

    assert "2010-12-30" in render(_view(sessions=DAYS[:1], curves=curves))


def test_a_series_of_another_length_is_refused():
    with pytest.raises(ValueError, match="gross has 3 values for 36 sessions"):
        render(_view(gross=np.ones(3)))


def test_a_page_without_sessions_is_refused():
    with pytest.raises(ValueError, match="at least one session"):
        render(_view(sessions=DAYS[:0]))


def test_gross_and_net_exposure_that_are_the_same_are_one_line():
    share = np.full(len(DAYS), 0.98)

    same, apart = (render(_view(gross=share, net=net)) for net in (share, share - 0.5))

    assert "gross and net are the same" in _text(same)
    assert "gross and net are the same" not in _text(apart)


def test_the_interval_of_folds_is_shown_only_where_there_is_one():
    fold = FoldLine("trees", 0, date(2005, 1, 3), date(2009, 12, 31), date(2010, 1, 4), date(2010, 12, 31), 0.019)

    assert "95% interval" not in _text(render(_view(folds=(fold,))))
