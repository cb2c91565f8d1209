"""The limits, one function each. The first that objects refuses the order, and its name is the refusal's code."""

from typing import Final

SANITY: Final = {
    "finite": "aitrader.risk.limits.order:finite",
    "symbol": "aitrader.risk.limits.order:symbol",
    "quantity": "aitrader.risk.limits.order:quantity",
    "duplicate": "aitrader.risk.limits.order:duplicate",
    "reducing": "aitrader.risk.limits.position:reducing",
}
"""What every order must pass, the closing orders of an emergency included."""

GATES: Final = {
    "halt": "aitrader.risk.limits.venue:halt",
    "halt_entries": "aitrader.risk.limits.venue:halt_entries",
    "hold": "aitrader.risk.limits.venue:hold",
    "session_window": "aitrader.risk.limits.venue:session_window",
    "quote": "aitrader.risk.limits.market:quote",
    "unsettled": "aitrader.risk.limits.position:unsettled",
    "duplicate_window_s": "aitrader.risk.limits.counts:duplicate_window_s",
    "max_orders_per_run": "aitrader.risk.limits.counts:max_orders_per_run",
    "max_orders_per_day": "aitrader.risk.limits.counts:max_orders_per_day",
    "max_orders_per_symbol_day": "aitrader.risk.limits.counts:max_orders_per_symbol_day",
}
"""What the orders of a strategy must pass, exits included: whether an order may leave at all, now, and once more."""

LIMITS: Final = {
    "valuation": "aitrader.risk.limits.position:valuation",
    "members": "aitrader.risk.limits.market:members",
    "max_bar_sessions_old": "aitrader.risk.limits.market:max_bar_sessions_old",
    "max_gap_from_close": "aitrader.risk.limits.market:max_gap_from_close",
    "max_order_qty": "aitrader.risk.limits.order:max_order_qty",
    "max_order_notional": "aitrader.risk.limits.order:max_order_notional",
    "max_order_equity_share": "aitrader.risk.limits.order:max_order_equity_share",
    "max_order_adv_share": "aitrader.risk.limits.order:max_order_adv_share",
    "short": "aitrader.risk.limits.position:short",
    "max_position": "aitrader.risk.limits.position:max_position",
    "cash_reserve": "aitrader.risk.limits.position:cash_reserve",
    "max_gross": "aitrader.risk.limits.position:max_gross",
    "max_net": "aitrader.risk.limits.position:max_net",
}
"""What an order that adds risk must pass as well. An exit is bounded by the holding itself: a limit that keeps a
position from being closed, because it grew or its market fell, would add risk. ``risk.price_collar`` is no function
here: it is part of the bounds that an approved order's limit price must keep when the request is sent."""
