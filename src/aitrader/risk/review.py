"""Pre-trade limits and the one place that approves orders."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from aitrader.config.schema import Risk
from aitrader.domain.approval import approve
from aitrader.domain.orders import ApprovedOrder, Bounds, Order, Refusal, Side
from aitrader.registry import lookup, names
from aitrader.risk.exposure import Case, Exposure, RiskContext, exact
from aitrader.risk.limits import GATES, LIMITS, SANITY

Limit = Callable[[Case], str | None]
"""A limit returns the sentence that refuses the order, or None. It may compare freely: ``SANITY`` comes first."""

Named = tuple[tuple[str, Limit], ...]


@dataclass(frozen=True, slots=True)
class Review:
    """Every reviewed order once, sells before buys: ``approved`` to be sent, ``refused`` with code and reason."""

    approved: tuple[ApprovedOrder, ...]
    refused: tuple[Refusal, ...]


def review(orders: Iterable[Order], context: RiskContext, limits: Risk) -> Review:
    """Split ``orders`` into approved and refused; nothing is clipped.

    Sells come first, so that their proceeds may buy; otherwise the order of the list stands, and each order is
    measured against the book as the approved ones before it leave it. The first limit that objects names
    the refusal. An order that reduces its position need not pass ``risk.limits.LIMITS``; one that closes it for an
    emergency needs to pass ``SANITY`` only.
    """
    exposure = Exposure(context)
    approved: list[ApprovedOrder] = []
    refused: list[Refusal] = []
    for order in sorted(orders, key=lambda order: order.side is Side.BUY):
        refusal = _objection(Case(order, context, exposure, limits))
        if refusal is None:
            exposure.add(order)
            approved.append(approve(order, _bounds(order, context.mid(order.symbol), limits)))
        else:
            refused.append(refusal)
    return Review(tuple(approved), tuple(refused))


def _objection(case: Case) -> Refusal | None:
    refusal = _first(_sanity(), case)
    if refusal or case.order.closing:
        return refusal
    refusal = _first(_gates(), case)
    if refusal or case.exposure.reduces(case.order):
        return refusal
    return _first(_limits(), case)


def _first(asked: Named, case: Case) -> Refusal | None:
    for code, limit in asked:
        if reason := limit(case):
            return Refusal(case.order, code, reason)
    return None


def _bounds(order: Order, now: Decimal | None, limits: Risk) -> Bounds:
    """Return what the request may say: the planned shares, at a limit price near the plan and near the market.

    Near the plan is within ``max_gap_from_close``, near the market within ``price_collar`` of ``now``, the fresh mid.
    An exit whose market left the range of the plan follows the market.
    """
    gap = exact(limits.max_gap_from_close) * order.planned_price
    low, high = order.planned_price - gap, order.planned_price + gap
    if now is not None:
        collar = exact(limits.price_collar) * now
        inside = low <= now <= high
        low = max(low, now - collar) if inside else now - collar
        high = min(high, now + collar) if inside else now + collar
    return Bounds(order.quantity, low, high)


@cache
def _sanity() -> Named:
    return tuple((code, lookup("limits", SANITY, code)) for code in SANITY)


@cache
def _gates() -> Named:
    return tuple((code, lookup("limits", GATES, code)) for code in GATES)


@cache
def _limits() -> Named:
    codes = (*LIMITS, *(name for name in names("limits", LIMITS) if name not in LIMITS))
    return tuple((code, lookup("limits", LIMITS, code)) for code in codes)
