"""The families of features: a module each, whose functions register themselves when it is imported."""

from typing import Final

FAMILIES: Final = {
    "trend": "aitrader.features.trend",
    "averages": "aitrader.features.averages",
    "channels": "aitrader.features.channels",
    "momentum": "aitrader.features.momentum",
    "oscillators": "aitrader.features.oscillators",
    "volatility": "aitrader.features.volatility",
    "bands": "aitrader.features.bands",
    "volume": "aitrader.features.volume",
    "statistical": "aitrader.features.statistical",
    "memory": "aitrader.features.memory",
    "risk": "aitrader.features.risk",
    "performance": "aitrader.features.performance",
    "correlation": "aitrader.features.correlation",
    "alpha158": "aitrader.features.alpha158",
    "regime": "aitrader.features.regime",
    "calendar": "aitrader.features.calendar",
    "candlesticks": "aitrader.features.candlesticks",
    "candle_pairs": "aitrader.features.candle_pairs",
    "candle_triples": "aitrader.features.candle_triples",
    "candle_groups": "aitrader.features.candle_groups",
    "activity": "aitrader.features.activity",
    "levels": "aitrader.features.levels",
    "pivots": "aitrader.features.pivots",
    "microstructure": "aitrader.features.microstructure",
    "patterns": "aitrader.features.patterns",
    "bar_patterns": "aitrader.features.bar_patterns",
}
