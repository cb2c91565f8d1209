"""What the acting commands print: numbers that read the same everywhere, and never break."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest

from aitrader.cli.emergency_shutdown import _book
from aitrader.cli.render import show, table
from aitrader.cli.tables import order_table, percent, shares, usd, without_empty
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.jobs.assembly.orders import OrderLine
from aitrader.jobs.emergency_shutdown import BookReport

IDS = tuple(f"at-main-20130807-leaders-{symbol}-buy-e-{number}" for number, symbol in enumerate(("AA", "AMGN"), 1))


@pytest.fixture
def printed(monkeypatch):
    """What rich prints on a screen of so many columns."""

    def text(*shown, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = io.StringIO()
        show([one() if callable(one) else one for one in shown], out)
        return out.getvalue()

    return text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (percent(0.1984), "19.8%"),
        (percent(-0.0004), "0.0%"),
        (percent(-0.0123, signed=True), "-1.2%"),
        (percent(0.0123, signed=True), "+1.2%"),
        (percent(float("nan")), None),
        (usd(Decimal("-1234.5")), "-1,234.50"),
        (usd(-0.001), "0.00"),
        (usd(float("nan")), None),
        (shares(Decimal("2517.8000")), "2,517.8"),
        (shares(Decimal(2500)), "2,500"),
        (counted(1, "order"), "1 order"),
        (counted(1200, "order"), "1,200 orders"),
    ],
)
def test_numbers_have_one_style(text, shown):
    assert text == shown


def test_a_table_of_facts_has_no_blank_line_for_a_head(printed):
    assert printed(table("Book main", ("", ""), [("cash", "1")])).splitlines()[:3] == ["Book main", "", "  cash  1"]


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_numbers_and_ids_are_never_broken_and_words_are(printed, columns):
    words = "a reason that goes on and on, beyond the width of any screen"

    text = printed(table("", ("order", "usd", "why"), [(IDS[1], "1,234,567.89", words)]), columns=columns)

    assert IDS[1] in text
    assert "1,234,567.89" in text
    assert words not in text or columns == 160


def test_words_of_a_sentence_are_not_broken_where_there_is_room(printed):
    rows = [("risk.max_order_equity_share", "buy 10 shares beyond it", "a sentence of words", "pass")] * 2

    text = printed(table("", ("control", "tried", "answered", "verdict"), rows), columns=60)

    assert all(word in text for word in ("risk.max_order_equity_share", "shares", "beyond", "sentence", "verdict"))


def test_orders_fit_a_narrow_screen_and_say_more_on_a_wide_one(printed):
    lines = [
        OrderLine(
            client_id=name,
            decision="20130807",
            symbol=Symbol(name.split("-")[4]),
            side="buy",
            quantity=Decimal(2517),
            planned_price=Decimal("111.25"),
            status="filled",
            filled=Decimal(2517),
            average_price=Decimal("111.7959"),
            reason="",
        )
        for name in IDS
    ]

    narrow = printed(lambda: order_table("Orders", lines))
    wide = printed(lambda: order_table("Orders", lines), columns=160)

    assert max(map(len, narrow.splitlines())) <= 80
    assert all(name in narrow and name in wide for name in IDS)
    assert "111.25" in wide
    assert "why" not in wide  # no order has a reason


def test_a_column_without_a_word_is_left_out():
    rows = [("A", None, 0), ("B", "", 1)]

    assert without_empty(("symbol", "held", "count"), rows) == (("symbol", "count"), [("A", 0), ("B", 1)])


def test_the_closing_sentence_of_a_shutdown_says_whether_halt_is_shut(printed):
    book = BookReport("main", "SIM-main", None, 10, "not flat", left={"AA": Decimal("2517.000")}, halts=("state/HALT",))

    shut, not_shut = (printed(*_book(one, dry_run=False)) for one in (book, replace(book, halts=())))

    assert "Held: 2,517 AA" in shut
    assert "HALT is shut by state/HALT. It is opened by `aitrader resume --account SIM-main`." in shut
    assert "HALT IS NOT SHUT: " in not_shut
    assert "is shut by" not in not_shut
