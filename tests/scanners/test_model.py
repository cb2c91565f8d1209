"""The scanner that asks a model."""

import numpy as np
import pytest

from aitrader.errors import DataError
from aitrader.scanners.model import ModelScanner
from aitrader.scanners.scanner import ScanView, scan


def test_the_reasons_are_the_largest_contributions_with_value_and_percentile(make_view):
    first = scan(ModelScanner("trees", 1, 5), make_view([0.1, 1.9, 0.3])).candidates[0]

    assert [reason.name for reason in first.reasons] == ["momentum", "gap"]
    assert first.reasons[0].contribution == pytest.approx(0.9)
    assert (first.reasons[0].value, first.reasons[0].percentile) == (1.0, 0.5)
    assert first.reasons[0].text == "momentum is 1, above 50% of the others: +0.9"


def test_a_missing_value_is_called_missing(make_view):
    first = scan(ModelScanner("trees", 1, 5), make_view([0.1, 1.9, 0.3])).candidates[0]

    assert first.reasons[1].text == "gap is missing: +0.25"
    assert np.isnan(first.reasons[1].percentile)


def test_no_more_reasons_than_asked_for_are_given(make_view):
    assert len(scan(ModelScanner("trees", 1, 1), make_view([0.1, 1.9, 0.3])).candidates[0].reasons) == 1


def test_a_model_that_made_no_predictions_is_named(make_view):
    with pytest.raises(DataError, match="'ridge' made no predictions"):
        scan(ModelScanner("ridge", 1, 1), make_view([0.1, 0.2]))


def test_without_contributions_there_are_no_reasons(make_view):
    view = ScanView(make_view([0.1, 0.2]).snapshot)

    assert scan(ModelScanner("trees", 1, 1), view).candidates[0].reasons == ()
