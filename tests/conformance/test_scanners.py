"""What every scanner must do, whatever it looks for."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from aitrader.config.fields import Section
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.panel.expr import column
from aitrader.registry import lookup
from aitrader.scanners import SCANNERS
from aitrader.scanners.scanner import ScanView, scan

PARAMS = {"model": {"model": "trees", "top": 3}, "rule": {"score": "close", "top": 3}}
"""The least that each scanner must be told; its score here is the close, or the prediction of trees."""


@pytest.fixture(params=sorted(SCANNERS))
def scanner(request):
    kind = lookup("scanners", SCANNERS, request.param)
    return kind.from_settings(kind.Settings.model_validate(PARAMS[request.param]), column)


def _view(scores, *, order=None, members=None):
    order = np.arange(len(scores)) if order is None else np.array(order)
    scores = np.array(scores, dtype=np.float64)[order]
    allowed = np.ones(len(scores), dtype=bool) if members is None else np.array(members)[order]
    return ScanView(
        MarketSnapshot(
            session=date(2013, 8, 7),
            decided_at=datetime(2013, 8, 7, 22, tzinfo=UTC),
            symbols=tuple(Symbol(f"S{at}") for at in order),
            members=allowed,
            close=np.full(len(scores), 20.0),
            stale=np.zeros(len(scores), dtype=np.int64),
            volume20=np.full(len(scores), 1e6),
            features={"close": scores},
            predictions={"trees": scores},
        )
    )


def _names(result):
    return [one.symbol for one in result.candidates]


def test_its_settings_are_strict_and_explained(scanner):
    assert issubclass(scanner.Settings, Section)
    assert all(field.description for field in scanner.Settings.model_fields.values())


def test_it_shows_at_most_its_top_in_the_order_of_its_scores(scanner):
    result = scan(scanner, _view([0.2, 0.5, 0.1, 0.9]))

    assert _names(result) == ["S3", "S1", "S0"]
    assert [one.rank for one in result.candidates] == [1, 2, 3]


def test_the_same_view_gives_the_same_scan(scanner):
    assert scan(scanner, _view([0.2, 0.5, 0.1])).candidates[0].symbol == "S1"
    assert _names(scan(scanner, _view([0.2, 0.5, 0.1]))) == _names(scan(scanner, _view([0.2, 0.5, 0.1])))


def test_the_order_of_the_symbols_does_not_matter(scanner):
    scores = [0.2, 0.5, 0.5, 0.9]

    assert _names(scan(scanner, _view(scores, order=[2, 3, 0, 1]))) == _names(scan(scanner, _view(scores)))


def test_a_symbol_outside_the_universe_is_no_candidate_and_changes_no_rank(scanner):
    result = scan(scanner, _view([0.2, 0.5, 0.1, 0.9], members=[True, True, True, False]))

    assert _names(result) == ["S1", "S0", "S2"]


def test_a_symbol_without_a_bar_of_the_session_is_no_candidate(scanner):
    view = _view([0.2, 0.5, 0.1])
    old = replace(view, snapshot=replace(view.snapshot, stale=np.array([0, 1, 0])))

    assert _names(scan(scanner, old)) == ["S0", "S2"]


@pytest.mark.parametrize("scores", [[0.3, 0.3, 0.3], [np.nan, np.nan, np.nan], [np.inf, np.inf, np.inf]])
def test_scores_that_choose_nobody_publish_nothing(scanner, scores):
    with pytest.raises(DataError):
        scan(scanner, _view(scores))


def test_five_names_are_enough(scanner):
    assert len(scan(scanner, _view([0.1, 0.2, 0.3, 0.4, 0.5])).candidates) == 3


def test_an_empty_universe_is_an_error(scanner):
    with pytest.raises(DataError, match="Nothing to scan"):
        scan(scanner, _view([]))
