import numpy as np
import pytest

from aitrader.domain.orders import Entry
from aitrader.panel.panel import Panel
from aitrader.training.labels import entry_prices, make_labels


@pytest.fixture
def panel():
    columns = {
        "open": np.array([[1.0, 2.0, 4.0, 5.0, 8.0], [1.0, 1.0, 1.0, np.nan, 3.0]]),
        "high": np.array([[3.0] * 5, [3.0] * 5]),
        "low": np.array([[1.0] * 5, [1.0] * 5]),
        "close": np.array([[2.0] * 5, [2.0] * 5]),
        "vwap": np.array([[7.0, np.nan, 7.0, 7.0, 7.0], [7.0] * 5]),
    }
    sessions = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
    return Panel("24/7", "1d", sessions, ("A", "B"), columns, np.ones((2, 5), dtype=bool))


def test_a_label_runs_from_the_next_entry_to_the_one_a_horizon_later(panel):
    labels = make_labels(panel, Entry.AFTER_OPEN, 2, excess=False)

    # A: open 5 / 2 - 1 after session 0, 8 / 4 - 1 after session 1; B: open of session 3 is missing
    assert labels.reach == 3
    assert labels.values == pytest.approx(
        np.array([[1.5, 1.0, np.nan, np.nan, np.nan], [np.nan, 2.0, np.nan, np.nan, np.nan]]), nan_ok=True
    )


def test_the_mean_of_the_session_is_taken_off_where_enough_names_have_a_label(panel):
    labels = make_labels(panel, Entry.AFTER_OPEN, 2, min_names=2)

    assert labels.values[:, 1] == pytest.approx([-0.5, 0.5])
    assert labels.values[0, 0] == pytest.approx(1.5)
    assert labels.excess.tolist() == [False, True, False, False, False]
    assert labels.notices == ("labels of 1 sessions are not in excess of the cross-section: fewer than 2 names",)


def test_only_members_have_labels_and_count_in_the_mean(panel):
    members = np.array([[True] * 5, [False] * 5])
    outsider = Panel(panel.calendar, "1d", panel.sessions, panel.symbols, panel.columns, members)

    labels = make_labels(outsider, Entry.AFTER_OPEN, 2, min_names=1)

    assert np.isnan(labels.values[1]).all()
    assert labels.values[0, :2] == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry.OPEN_AUCTION, [1.0, 2.0, 4.0, 5.0, 8.0]),
        (Entry.AFTER_OPEN, [1.0, 2.0, 4.0, 5.0, 8.0]),
        (Entry.CLOSE_AUCTION, [2.0] * 5),
        (Entry.VWAP, [7.0, 2.0, 7.0, 7.0, 7.0]),
    ],
)
def test_each_entry_has_its_price(panel, entry, expected):
    assert entry_prices(panel, entry)[0].tolist() == expected


def test_a_panel_shorter_than_the_horizon_has_no_label(panel):
    assert np.isnan(make_labels(panel, Entry.AFTER_OPEN, 9).values).all()
