"""Only the review approves orders."""

from dataclasses import FrozenInstanceError
from decimal import Decimal
from pathlib import Path

import pytest

import aitrader
from aitrader.domain.approval import approve
from aitrader.domain.orders import ApprovedOrder, Bounds, Entry, Order, Side
from aitrader.domain.symbols import Symbol

ORDER = Order(
    "at-main-20260105-top5-AAPL-buy-e-1",
    Symbol("AAPL"),
    Side.BUY,
    Decimal(10),
    Decimal(100),
    "top5",
    "20260105",
    Entry.AFTER_OPEN,
)


def test_an_approved_order_cannot_be_constructed():
    with pytest.raises(TypeError, match="made by risk"):
        ApprovedOrder(ORDER)


def test_an_approved_order_carries_its_order_and_bounds():
    bounds = Bounds(Decimal(10), Decimal(80), Decimal(120))

    approved = approve(ORDER, bounds)

    assert (approved.order, approved.bounds) == (ORDER, bounds)


def test_an_approved_order_cannot_be_changed():
    approved = approve(ORDER, Bounds(Decimal(10), Decimal(80), Decimal(120)))

    with pytest.raises(FrozenInstanceError):
        approved.order = ORDER


def test_no_module_but_the_review_imports_the_approval():
    source = Path(aitrader.__file__).parent

    importers = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "domain.approval import" in path.read_text(encoding="utf-8")
    }

    assert importers == {"risk/review.py"}
