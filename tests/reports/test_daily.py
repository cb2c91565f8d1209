"""The page of one session of a book."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from lxml import html

from aitrader.domain.symbols import Symbol
from aitrader.reports.daily import (
    Curve,
    DailyView,
    DecisionLine,
    FillLine,
    NoteLine,
    OrderLine,
    PositionLine,
    RefusalLine,
    RunLine,
    Standing,
    TargetLine,
    render,
    warned,
)

NOW = datetime(2013, 8, 8, 13, 36, tzinfo=UTC)
DAY = date(2013, 8, 8)
AA = Symbol("AA")
NAN = float("nan")
CLIENT = "at-main-20130807-top-AA-buy-e-1"

QUIET = DailyView(
    book="main",
    account="SIM-main",
    session=DAY,
    made_at=NOW,
    standing=Standing(100_500.0, 0.005, 0.0, Decimal(2_000), 98_500.0, 98_500.0, DAY, {}, {}, (), ()),
    runs=(RunLine("run-1", "trade", NOW, NOW, "done", 0, ""),),
    decisions=(DecisionLine("20130807", NOW, 100_000.0, {"lgbm": "v1"}, 1, ("buys shrink",)),),
    targets=(TargetLine(AA, 0.985, {"top": 1.0}, "buy 100 AA at about 50.00"),),
    orders=(
        OrderLine(
            CLIENT,
            AA,
            "buy",
            Decimal(100),
            Decimal(50),
            NOW,
            False,
            "accepted",
            "filled",
            "1",
            Decimal(100),
            Decimal("50.10"),
            0.002,
            Decimal(1),
        ),
    ),
    fills=(FillLine(NOW, AA, "buy", Decimal(100), Decimal("50.10"), Decimal(50), 0.002, 10.0, Decimal(1), CLIENT),),
    refusals=(RefusalLine(NOW, "buy 10 CC at about 20.00", "max_order_qty", "10 is more than 5", "at-x"),),
    notes=(NoteLine(NOW, "dividend", "AA", "0.25 USD per share"),),
    positions=(PositionLine(AA, Decimal(100), Decimal("50.1"), 985.0, 98_500.0, 0.98, 0.985, 18.66),),
    curve=Curve((date(2013, 8, 6), date(2013, 8, 7), DAY), (100_000.0, 99_000.0, 100_500.0), (0.0, 0.01, 0.0)),
)


def _standing(**changes):
    return replace(QUIET, standing=replace(QUIET.standing, **changes))


def _text(page):
    return " ".join(html.fromstring(page).text_content().split())


def test_the_page_loads_and_runs_nothing():
    page = render(QUIET)

    assert not html.fromstring(page).xpath("//script | //link | //img | //iframe | //object")
    assert not re.search(r"https?://|url\(|@import", page)


def test_the_page_shows_decision_orders_fills_refusals_and_the_book():
    text = _text(render(QUIET))

    for part in (
        "100,500",
        "0.5%",
        "buys shrink",
        "buy 100 AA at about 50.00",
        CLIENT,
        "50.10",
        "20.0 bp",
        "max_order_qty",
        "10 is more than 5",
        "98.0%",
        "0.25 USD per share",
        "trade",
    ):
        assert part in text


def test_a_quiet_day_says_so():
    assert not warned(QUIET)
    assert "Nothing is latched, held or unknown" in _text(render(QUIET))


def test_an_empty_day_says_what_there_is_not():
    empty = replace(QUIET, runs=(), decisions=(), targets=(), orders=(), fills=(), refusals=(), notes=(), positions=())

    text = _text(render(replace(empty, curve=Curve((), (), ()))))

    for part in ("No decision was due", "No order left", "Nothing was filled", "No order was refused", "No position"):
        assert part in text


@pytest.mark.parametrize(
    ("view", "level", "words"),
    [
        (_standing(latches={"HALT": ""}), "red", "HALT is shut: no order"),
        (_standing(latches={"HALT": "max_daily_loss: 3%"}), "red", "HALT is shut (max_daily_loss: 3%)"),
        (_standing(latches={"HALT_ENTRIES": ""}), "red", "only orders that reduce"),
        (_standing(unresolved=(CLIENT,)), "red", CLIENT),
        (_standing(differences=("AA: 3 here, 5 there",)), "red", "AA: 3 here, 5 there"),
        (_standing(differences=None), "amber", "not compared"),
        (_standing(held={AA: "its orders differ"}), "amber", "its orders differ"),
        (_standing(priced_on=date(2013, 8, 7)), "info", "2013-08-07"),
        (_standing(running=True), "info", "has not closed: positions are valued at the prices since the open of"),
        (
            replace(QUIET, runs=(replace(QUIET.runs[0], exit_code=5, reason="timeout"),)),
            "amber",
            "exit code 5: timeout",
        ),
        (replace(QUIET, runs=(replace(QUIET.runs[0], ended_at=None),)), "amber", "was killed, or still runs"),
        (replace(QUIET, decisions=(replace(QUIET.decisions[0], refused="too old"),)), "red", "too old"),
    ],
)
def test_what_a_reader_must_know_stands_on_top(view, level, words):
    (found,) = warned(view)

    assert found.level == level
    assert words in found.text
    page = render(view)
    assert page.index(found.level) < page.index("The book now")


def test_hostile_names_stay_text():
    text = "<script>alert(1)</script>\u202e{{ 7*7 }}"
    view = replace(
        QUIET,
        notes=(NoteLine(NOW, text, text, text),),
        refusals=(RefusalLine(NOW, text, text, text, text),),
        runs=(RunLine(text, text, NOW, NOW, text, 1, text),),
    )

    page = render(view)

    assert not html.fromstring(page).xpath("//script")
    assert "\u202e" not in page
    assert "{{ 7*7 }}" in _text(page)


def test_what_is_not_known_is_a_dash():
    view = replace(
        _standing(equity=NAN, change=NAN, drawdown=NAN, gross=NAN),
        orders=(replace(QUIET.orders[0], average_price=None, slippage=NAN, filled=Decimal(0)),),
        positions=(replace(QUIET.positions[0], price=NAN, value=NAN, weight=NAN, gain=NAN),),
    )

    assert "nan" not in _text(render(view)).lower()


def test_a_planned_price_that_is_not_known_is_a_dash():
    line = replace(QUIET.orders[0], planned_price=Decimal(0), average_price=Decimal(7), slippage=NAN)

    row = html.fromstring(render(replace(QUIET, orders=(line,)))).xpath(f"//tr[.//code[text()='{CLIENT}']]")[0]

    assert [cell.text_content() for cell in row][4:7] == ["\u2013", "7.00", "\u2013"]


def test_a_curve_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="equity curve"):
        render(replace(QUIET, curve=Curve((DAY,), (), ())))
