import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from aitrader.errors import ModelStoreError
from aitrader.models.passport import (
    DataRef,
    FeatureRef,
    FoldWindow,
    Golden,
    LabelRef,
    Passport,
    Period,
    Scores,
    TrainWindow,
    digest,
    read_passport,
)

NAN = float("nan")


@pytest.fixture
def passport():
    scores = Scores(10, 20.0, 0.1, 0.2, NAN, 0.3, 0.1, 1.6, NAN, 0.5, 10, (Period("2001", 10, 0.2),), ())
    day = date(2013, 6, 28)
    return Passport(
        "aitrader-model/1",
        "trees",
        "20130628-0123abcd",
        "ridge",
        {"alpha": 1000.0},
        (FeatureRef("momentum", "ab"),),
        ({"kind": "impute", "median": [0.1]},),
        LabelRef(5, "after_open", True, "z"),
        DataRef("sample", "XNYS", day, day, ("AAPL",), {"deny": []}, 3, "ff"),
        TrainWindow(day, day, day, 100, 6, 0),
        (FoldWindow(0, day, day, day, day, 90),),
        {"numpy": "2"},
        7,
        scores,
        scores,
        2,
        Golden(((0.1,), (NAN,)), (0.1 + 0.2, 1e-300)),
    )


def test_a_passport_survives_its_card_byte_for_byte(passport):
    card = passport.to_json()

    copy = read_passport(card)

    assert copy.to_json() == card
    assert copy.golden.predictions == passport.golden.predictions
    assert np.isnan(copy.scores.hac_t)
    assert np.isnan(copy.golden.rows[1][0])


@pytest.mark.parametrize("damage", [{"format": "aitrader-model/9"}, {"extra": 1}, {"seed": "seven"}, {"train": None}])
def test_a_card_of_another_shape_is_refused(passport, damage):
    card = json.loads(passport.to_json()) | damage

    with pytest.raises(ModelStoreError, match=next(iter(damage))):
        read_passport(json.dumps(card).encode())


@pytest.mark.parametrize("card", [b"", b"\x80\x04cos\nsystem\n", b"[]", b"{"])
def test_what_is_no_card_is_refused(card):
    with pytest.raises(ModelStoreError):
        read_passport(card)


def test_a_digest_depends_on_content_and_not_on_order():
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_no_wall_clock_is_in_a_passport(passport):
    assert replace(passport).to_json() == passport.to_json()
    assert b"recorded" not in passport.to_json()
