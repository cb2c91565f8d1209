"""Dates are read by the one form that the data allow."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from aitrader.errors import UsageError
from aitrader.sources.dates import instants, session_dates


def read(values, form=None, zone="America/New_York"):
    return session_dates(pl.Series("date", values), "x.csv", form=form, time_zone=zone).to_list()


@pytest.mark.parametrize(
    "text",
    ["2020-04-23", "20200423", "2020/04/23", "23/04/2020", "04/23/2020", "23-04-2020", "23.04.2020", "23-Apr-2020"],
)
def test_each_usual_form_is_recognised(text):
    assert read([text]) == [date(2020, 4, 23)]


def test_one_day_above_twelve_decides_for_the_whole_column():
    assert read(["03/04/2020", "13/04/2020"]) == [date(2020, 4, 3), date(2020, 4, 13)]
    assert read(["03/04/2020", "03/13/2020"]) == [date(2020, 3, 4), date(2020, 3, 13)]


def test_an_ambiguous_date_is_refused_and_both_formats_are_named():
    with pytest.raises(UsageError, match="DD/MM/YYYY or MM/DD/YYYY") as caught:
        read(["03/04/2020", "04/05/2020"])

    assert "--date-format '%d/%m/%Y'" in caught.value.fix


def test_dates_that_read_the_same_either_way_are_not_ambiguous():
    assert read(["05/05/2020", "06/06/2020"]) == [date(2020, 5, 5), date(2020, 6, 6)]


def test_a_mixture_of_forms_is_refused_with_the_values_that_do_not_fit():
    with pytest.raises(UsageError, match="13/04/2020"):
        read(["2020-04-01", "2020-04-02", "13/04/2020"])


def test_a_given_format_decides_and_leaves_null_what_does_not_fit():
    assert read(["03/04/2020", "soon", None, ""], form="%m/%d/%Y") == [date(2020, 3, 4), None, None, None]


def test_numbers_are_read_as_year_month_day():
    assert read([20200103]) == [date(2020, 1, 3)]


def test_seconds_since_1970_are_refused():
    with pytest.raises(UsageError, match="no single date format"):
        read([1577836800])


def test_midnights_mean_their_own_date_whatever_their_offset():
    assert read(["2020-01-03 00:00:00-05:00", "2020-07-06 00:00:00-04:00"]) == [date(2020, 1, 3), date(2020, 7, 6)]
    assert read(["2020-01-03T00:00:00Z"]) == [date(2020, 1, 3)]


def test_new_york_midnights_in_utc_are_brought_to_new_york():
    assert read(["2020-01-03T05:00:00Z", "2020-07-06T04:00:00Z"]) == [date(2020, 1, 3), date(2020, 7, 6)]


def test_an_aware_timestamp_before_new_york_midnight_is_the_day_before():
    stamps = [datetime(2020, 1, 4, 2, tzinfo=UTC)]

    assert read(stamps) == [date(2020, 1, 3)]


def test_intraday_times_are_refused():
    with pytest.raises(UsageError, match="intraday"):
        read(["2020-01-03 09:30", "2020-01-03 10:30", "2020-01-03 11:30"])


@pytest.mark.parametrize("value", [date(2015, 3, 23), "2015-03-23", datetime(2015, 3, 23)])  # noqa: DTZ001 - a time without a zone is the case
def test_a_publication_without_a_time_counts_from_the_end_of_its_day_in_new_york(value):
    column = pl.Series("published", [value])

    assert instants(column, "x", form=None, time_zone="America/New_York").to_list() == [
        datetime(2015, 3, 24, 4, tzinfo=UTC)
    ]


def test_a_publication_with_a_time_is_that_instant():
    column = pl.Series("published", ["2015-03-23T17:30:00-04:00"])

    assert instants(column, "x", form=None, time_zone="America/New_York").to_list() == [
        datetime(2015, 3, 23, 21, 30, tzinfo=UTC)
    ]
