"""aitrader report: one session of a book, as a page and as data."""

import json
from hashlib import sha256

import pytest
from lxml import html

LIMITS = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")
OPEN = ("--now", "2013-08-08T09:36-04:00")
EVENING = ("--now", "2013-08-08T18:00-04:00")


def made(ran, root):
    result = ran.envelope["result"]
    return result, (root / result["report"]).read_text(), json.loads((root / result["data"]).read_text())


def test_the_last_session_is_drawn_with_its_decision_orders_and_fills(run_cli, traded):
    ran = run_cli("report", "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    result, page, data = made(ran, traded)
    assert data["session"] == "2013-08-08"
    assert [one["decision"] for one in data["decisions"]] == ["20130807"]
    assert len(data["orders"]) == len(data["fills"]) == len(data["positions"]) == 3
    text = html.fromstring(page).text_content()
    assert all(one["client_id"] in text for one in data["orders"])
    assert data["orders"] == result["day"]["orders"]


def test_the_page_shows_the_equity_that_the_account_has(run_cli, traded):
    status = run_cli("status", "--json", *EVENING, root=traded).envelope["result"]

    result, _, _ = made(run_cli("report", "--json", *EVENING, root=traded), traded)

    equity = result["day"]["standing"]["equity"]
    assert equity == pytest.approx(float(status["books"][0]["equity"]))


def test_right_after_a_trade_every_command_shows_one_equity_and_no_profit_from_buying(run_cli, traded):
    status = run_cli("status", "--json", *OPEN, root=traded).envelope["result"]["books"][0]
    positions = run_cli("positions", "--json", *OPEN, root=traded).envelope["result"]

    result, _, _ = made(run_cli("report", "--json", *OPEN, root=traded), traded)

    shown = float(positions["cash"]) + sum(float(one["value"]) for one in positions["positions"])
    assert shown < 100_000
    assert float(status["equity"]) == pytest.approx(shown)
    assert result["day"]["standing"]["equity"] == pytest.approx(shown)
    assert all(one["gain"] <= 0.001 for one in result["day"]["positions"])


def test_what_is_done_on_a_saturday_does_not_draw_a_session_to_come(run_cli, traded):
    saturday = ("--now", "2013-08-10T12:00-04:00")
    assert run_cli("trade", *saturday, root=traded).code == 0

    result, _, _ = made(run_cli("report", "--json", *saturday, root=traded), traded)

    assert result["day"]["session"] == "2013-08-09"


def test_what_was_written_is_in_the_receipt(run_cli, traded):
    result, page, _ = made(run_cli("report", "--json", *EVENING, root=traded), traded)

    receipt = json.loads((traded / result["receipt"]).read_text())
    assert receipt["outputs"][result["report"]] == sha256(page.encode()).hexdigest()
    assert receipt["arguments"]["session"] == "2013-08-08"


def test_a_report_changes_nothing_in_the_book(run_cli, traded, files_in):
    before = {path: data for path, data in files_in(traded / "state").items() if "sqlite-" not in path.name}

    run_cli("report", *EVENING, root=traded)

    after = {path: data for path, data in files_in(traded / "state").items() if "sqlite-" not in path.name}
    assert after == before


def test_people_see_the_book_and_where_the_page_is(run_cli, traded):
    ran = run_cli("report", *EVENING, root=traded)

    for words in ("Book main, 2013-08-08", "Positions", "daily.html"):
        assert words in ran.out


def test_a_session_of_a_book_can_be_named(run_cli, traded):
    assert run_cli("report", "--session", "2013-08-08", *EVENING, root=traded).code == 0


@pytest.mark.parametrize("day", ["2013-08-07", "2013-08-10", "2020-01-02"])
def test_a_session_that_the_book_does_not_have_is_refused(run_cli, traded, two_lines, day):
    ran = run_cli("report", "--session", day, *EVENING, root=traded)

    two_lines(ran, 2, day, "2013-08-08")


def test_without_a_book_there_is_nothing_to_draw(run_cli, trained, two_lines):
    two_lines(run_cli("report", root=trained), 2, "no book")


def test_a_standing_latch_is_the_first_thing_a_reader_sees(run_cli, traded):
    (traded / "state" / "main" / "HALT").touch()

    ran = run_cli("report", "--json", *EVENING, root=traded)

    _, page, data = made(ran, traded)
    assert data["standing"]["latches"] == {"HALT": ""}
    assert page.index("HALT is shut") < page.index("The book so far")
