"""Numbers and names as people read them."""

import io

import pytest

from aitrader.reports.figures import plain, show, write_csv


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.1234, "fraction", "12.3%"),
        (-0.1234, "fraction", "\u221212.3%"),
        (-0.0001, "fraction", "0.0%"),
        (0.0012, "bps", "12.0 bp"),
        (0.785, "ratio", "0.79"),
        (0.0188, "ic", "0.019"),
        (1_234_567.8, "usd", "1,234,568"),
        (float("nan"), "ratio", "\u2013"),
        (float("inf"), "usd", "\u2013"),
    ],
)
def test_a_figure_is_shown_in_its_unit(value, unit, text):
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.2, "fraction", "20%"),
        (200_000.0, "usd", "200 k"),
        (1_500_000.0, "usd", "1.5 M"),
        (-0.02, "ic", "\u22120.02"),
    ],
)
def test_an_axis_shows_the_short_form(value, unit, text):
    assert show(value, unit, short=True) == text


def test_control_escape_and_bidirectional_characters_become_replacement_characters():
    assert plain("A\x1b[31mB\nC\u202eD\u2028E") == "A\ufffd[31mB\ufffdC\ufffdD\ufffdE"


def test_a_spreadsheet_takes_hostile_text_as_text():
    out = io.StringIO()

    write_csv(out, ["symbol", "note"], [["=cmd()", "@x"], ["BRK.B", 'say "a,b"'], ["+1", -2.5], ["\tx", float("nan")]])

    assert out.getvalue().splitlines() == ["symbol,note", "'=cmd(),'@x", 'BRK.B,"say ""a,b"""', "'+1,-2.5", "'\ufffdx,"]
