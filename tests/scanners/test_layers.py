"""Filters in order."""

import numpy as np

from aitrader.scanners.layers import Filter, market_filters, sift

SYMBOLS = ("A", "B", "C", "D")


def _filter(name, *passes):
    return Filter(name, np.array(passes), lambda position: f"{name} stops {SYMBOLS[position]}")


def test_a_symbol_is_dropped_by_the_first_filter_that_stops_it():
    kept, layers = sift(SYMBOLS, [_filter("one", True, False, True, True), _filter("two", True, False, False, True)])

    assert kept.tolist() == [True, False, False, True]
    assert layers[0].dropped == {"B": "one stops B"}
    assert layers[1].dropped == {"C": "two stops C"}


def test_each_layer_says_how_many_reached_it_and_how_many_remain():
    _, layers = sift(SYMBOLS, [_filter("one", True, False, True, True), _filter("two", True, True, False, True)])

    assert [(layer.reached, layer.remaining) for layer in layers] == [(4, 3), (3, 2)]


def test_without_filters_everything_remains():
    assert sift(SYMBOLS, [])[0].all()


def test_a_stale_bar_a_missing_bar_and_an_absence_are_told(make_view):
    view = make_view(
        [1.0, 2.0, 3.0, 4.0], members=[True, True, True, False], stale=[2, -1, 0, 0], absences={"D": "denied"}
    )

    _, layers = sift(view.snapshot.symbols, market_filters(view.snapshot, view.absences))

    assert layers[0].dropped == {"A": "last bar is 2 sessions old", "B": "no bar yet"}
    assert layers[1].dropped == {"D": "denied"}
