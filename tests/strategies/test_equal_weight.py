import pytest

from aitrader.errors import DataError
from aitrader.strategies.equal_weight import EqualWeight, EqualWeightSettings


def test_every_fresh_member_gets_the_same_weight(snapshot_of):
    snapshot = snapshot_of([0, 0, 0, 0], members=[True, True, False, True], stale=[0, 0, 0, 2])

    assert EqualWeight().targets(snapshot) == {"A": 0.5, "B": 0.5}


def test_nobody_to_hold_is_refused(snapshot_of):
    with pytest.raises(DataError, match="No symbol can be held after 2013-08-07"):
        EqualWeight().targets(snapshot_of([0, 0], members=[False, False]))


def test_it_needs_no_model_and_no_feature():
    made = EqualWeight.from_settings(EqualWeightSettings(), allocators=None)

    assert (made.needs_models, made.needs_features) == ((), ())
