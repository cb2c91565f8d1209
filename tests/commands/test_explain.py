"""aitrader explain, through the limits to the orders of a book."""

import shutil
from pathlib import Path

import pytest

LIMITS = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")
ASKED = ("--scanner", "rule", "--allow-rejected")
OPEN = ("--now", "2013-08-08T09:36-04:00")
EVENING = ("--now", "2013-08-08T18:00-04:00")


@pytest.fixture(scope="module")
def traded_once(trained_once, tmp_path_factory):
    """The trained root after its first decision, in which the limits forbade the order of one of three symbols."""
    from aitrader.cli.app import main

    folder = tmp_path_factory.mktemp("traded") / "root"
    shutil.copytree(trained_once, folder)
    assert main(["trade", *OPEN, *LIMITS, "--set", "risk.max_orders_per_run=2", "--root", str(folder)]) == 0
    return folder


@pytest.fixture
def traded(traded_once, tmp_path):
    return Path(shutil.copytree(traded_once, tmp_path / "traded"))


def trace(run_cli, root, symbol, *now):
    ran = run_cli("explain", symbol, "--json", *ASKED, *(now or EVENING), root=root)
    assert ran.code == 0, ran.err
    return ran.envelope["result"]["trace"]


def orders(run_cli, root):
    return run_cli("orders", "--json", *EVENING, root=root).envelope["result"]["orders"]


def test_a_symbol_is_followed_from_its_weight_to_its_position(run_cli, traded):
    filled = next(one for one in orders(run_cli, traded) if one["status"] == "filled")

    found = trace(run_cli, traded, filled["symbol"])

    assert (found["decision"], found["by_strategy"]) == ("20130807", {"top": pytest.approx(1 / 3)})
    assert found["weight"] == pytest.approx(0.98 / 3)
    (order,) = found["orders"]
    assert (order["client_id"], order["review"], order["status"]) == (filled["client_id"], "passed", "filled")
    assert found["quantity"] == filled["quantity"] == order["filled"]


def test_a_forbidden_order_names_its_limit(run_cli, traded):
    refused = next(one for one in orders(run_cli, traded) if one["status"] == "refused")

    found = trace(run_cli, traded, refused["symbol"])

    assert found["orders"][0]["review"].startswith("max_orders_per_run: ")
    assert found["quantity"] == "0"
    assert "max_orders_per_run" in run_cli("explain", refused["symbol"], *ASKED, *EVENING, root=traded).out


def test_the_evening_before_nothing_of_it_is_known(run_cli, traded):
    assert trace(run_cli, traded, "S00", "--now", "2013-08-07T16:05-04:00") is None


def test_without_a_book_the_plan_of_an_empty_one_is_shown(run_cli, trained):
    ran = run_cli("explain", "S00", *ASKED, "--strategy", "top", *EVENING, root=trained)

    assert "From an empty book" in ran.out


def test_a_damaged_journal_leaves_the_rest_of_the_explanation(run_cli, traded):
    (traded / "state" / "main" / "journal.sqlite").write_bytes(b"no database" * 500)

    ran = run_cli("explain", "S00", "--json", *ASKED, *EVENING, root=traded)

    assert ran.code == 0
    assert ran.envelope["result"]["trace"] is None
    assert any("journal.sqlite" in warning for warning in ran.envelope["warnings"])
