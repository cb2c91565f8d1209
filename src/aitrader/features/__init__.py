"""What is known at decision time, as expressions over the panel."""

FAMILIES = {
    "trend": "aitrader.features.trend",
    "momentum": "aitrader.features.momentum",
    "volatility": "aitrader.features.volatility",
    "volume": "aitrader.features.volume",
    "statistical": "aitrader.features.statistical",
}
