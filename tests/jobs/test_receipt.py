"""A receipt is whole or not there."""

import json
import os
from datetime import UTC, datetime

import pytest

from aitrader.domain.receipts import Receipt
from aitrader.errors import LakeError
from aitrader.jobs.receipt import versions, write_receipt

RECEIPT = Receipt(
    run_id="20130807T220000Z-aa",
    command="train",
    arguments={"end": "2013-06-28"},
    started_at=datetime(2013, 8, 7, 22, tzinfo=UTC),
    finished_at=datetime(2013, 8, 7, 22, 1, tzinfo=UTC),
    lake_version=4,
    inputs={"bars/1d": "ab"},
    outputs={},
    settings={"training": {"seed": 7, "winsorize": float("nan")}},
    origins={"training.seed": "default"},
    seed=7,
    versions={"python": "3.11"},
)


def test_a_receipt_is_strict_json_under_its_run_id(tmp_path):
    path = write_receipt(tmp_path, RECEIPT)

    assert path == tmp_path / "receipts" / "20130807T220000Z-aa.json"
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["lake_version"] == 4
    assert read["settings"]["training"] == {"seed": 7, "winsorize": None}


def test_a_receipt_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(LakeError, match="No space left"):
        write_receipt(tmp_path, RECEIPT)

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_versions_name_the_program_the_language_and_installed_libraries_only():
    found = versions(["numpy", "no-such-library"])

    assert set(found) == {"python", "aitrader", "numpy"}
