"""The answer of every command is strict JSON."""

import dataclasses
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from aitrader.domain.orders import Side
from aitrader.envelope import Envelope, ErrorBody, jsonable


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Values that JSON has no word for."""

    nan: float
    infinite: float
    money: Decimal
    side: Side


def test_an_envelope_has_the_promised_keys_and_nan_is_null():
    body = Envelope(
        "train",
        "failed",
        3,
        "r1",
        datetime(2026, 1, 2, tzinfo=UTC),
        0.5,
        result=Numbers(float("nan"), float("inf"), Decimal("1.10"), Side.BUY),
        error=ErrorBody("DataError", "what", "do"),
    )

    answer = json.loads(body.to_json())

    assert list(answer) == [
        "schema", "command", "status", "exit_code", "run_id", "started_at", "duration_s", "result", "warnings", "error",
    ]  # fmt: skip
    assert answer["result"] == {"nan": None, "infinite": None, "money": "1.10", "side": "buy"}
    assert answer["error"] == {"type": "DataError", "message": "what", "fix": "do"}


def test_sets_are_sorted_and_paths_are_text():
    assert jsonable({"files": {Path("b"), Path("a")}}) == {"files": ["a", "b"]}


def test_a_type_without_a_json_form_is_an_error():
    with pytest.raises(TypeError, match="object"):
        jsonable(object())
