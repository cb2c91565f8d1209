"""The trade list: what changes the book towards its targets, exits first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from aitrader.domain.orders import Entry, Order, Side, client_order_id
from aitrader.domain.positions import Book
from aitrader.domain.symbols import Symbol
from aitrader.portfolio.sizing import Terms
from aitrader.quant.costs import cost_rate

_MILLIONTH: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose orders these are: the names that their ids are made of, and when they enter."""

    book: str
    decision: str
    strategy: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class TradeList:
    """Orders, sells before buys, each by symbol and numbered from 1; ``notes`` say what was left out or shrunk."""

    orders: tuple[Order, ...]
    notes: tuple[str, ...] = ()


class _Trade(NamedTuple):
    symbol: Symbol
    signed: Decimal
    price: Decimal
    reducing: bool

    @property
    def value(self) -> Decimal:
        return abs(self.signed) * self.price


def trade_list(
    targets: Mapping[Symbol, Decimal], book: Book, prices: Mapping[Symbol, Decimal], terms: Terms, origin: Origin
) -> TradeList:
    """Return the orders that bring ``book`` to ``targets`` (signed shares), planned at ``prices``.

    A held symbol without a target is left completely, odd fractions included; one without a price is not
    touched. A resize below ``portfolio.no_trade_band`` of equity is not traded; openings and exits always are. A
    change from long to short stops at zero: the other side opens with the next decision.

    Buys must be paid by cash and by the sells of the same list, and leave the cash reserve and the most that
    all these trades may cost; where positions inside the band leave less, all buys shrink alike, with a note.
    """
    held = [symbol for symbol in book.positions if symbol not in targets]
    trades = [
        trade
        for symbol in sorted({*targets, *held})
        if symbol in prices
        for trade in _trades(symbol, targets.get(symbol), book.quantity(symbol), prices[symbol], terms)
    ]
    notes = [f"{symbol} is held and has no price: left alone" for symbol in held if symbol not in prices]
    sells = [trade for trade in trades if trade.signed < 0]
    buys, shrunk = _paid_for([trade for trade in trades if trade.signed > 0], sells, book.cash, terms)
    return TradeList(tuple(_orders([*sells, *buys], origin)), (*notes, *shrunk))


def after_splits(orders: Iterable[Order], ratios: Mapping[Symbol, Decimal]) -> tuple[Order, ...]:
    """Return ``orders`` planned before a split as they read after it: shares times ratio, price by ratio.

    ``ratios`` are new shares per old one. Whole shares stay whole (rounded towards zero), except in an order
    that reduces its position and may have to take a fraction with it; an order of which nothing is left is dropped.
    """
    return tuple(order for old in orders if (order := _after_split(old, ratios.get(old.symbol))).quantity)


def _after_split(order: Order, ratio: Decimal | None) -> Order:
    if ratio is None:
        return order
    quantity = (order.quantity * ratio).quantize(_MILLIONTH)
    whole = quantity.to_integral_value("ROUND_DOWN")
    odd = order.reducing or order.quantity != order.quantity.to_integral_value()
    keep = quantity if odd and whole != quantity else whole
    return replace(order, quantity=keep, planned_price=(order.planned_price / ratio).quantize(_MILLIONTH))


def _trades(symbol: Symbol, target: Decimal | None, held: Decimal, price: Decimal, terms: Terms) -> Iterator[_Trade]:
    if target is None or held * target < 0:
        if held:
            yield _Trade(symbol, -held, price, reducing=True)
        return
    change = terms.lots(symbol, target - held)
    band = terms.equity * Decimal(repr(terms.portfolio.no_trade_band))
    if change and (not held or abs(change) * price >= band):
        yield _Trade(symbol, change, price, reducing=abs(target) < abs(held))


def _paid_for(
    buys: list[_Trade], sells: list[_Trade], cash: Decimal, terms: Terms
) -> tuple[list[_Trade], tuple[str, ...]]:
    """Return the buys that the money pays for, and a note if more than the costs was missing."""
    wanted = sum((trade.value for trade in buys), Decimal(0))
    free = cash + sum((trade.value for trade in sells), Decimal(0)) - terms.equity * Decimal(repr(terms.cash_reserve))
    left = free - sum((_most_cost(trade, terms) for trade in (*sells, *buys)), Decimal(0))
    if not buys or wanted <= left:
        return buys, ()
    share = max(left, Decimal(0)) / wanted
    smaller = [trade._replace(signed=terms.lots(trade.symbol, trade.signed * share)) for trade in buys]
    note = f"buys of {wanted:.2f} USD shrink to {share:.2%}: positions inside the no-trade band leave no more cash"
    return [trade for trade in smaller if trade.signed], (note,) if wanted > free else ()


def _most_cost(trade: _Trade, terms: Terms) -> Decimal:
    return trade.value * Decimal(repr(cost_rate(float(trade.price), terms.costs)))


def _orders(trades: Iterable[_Trade], origin: Origin) -> Iterator[Order]:
    for number, trade in enumerate(trades, start=1):
        side = Side.BUY if trade.signed > 0 else Side.SELL
        name = client_order_id(origin.book, origin.decision, origin.strategy, trade.symbol, side=side, number=number)
        yield Order(
            client_id=name,
            symbol=trade.symbol,
            side=side,
            quantity=abs(trade.signed),
            planned_price=trade.price,
            strategy=origin.strategy,
            decision=origin.decision,
            entry=origin.entry,
            reducing=trade.reducing,
        )
