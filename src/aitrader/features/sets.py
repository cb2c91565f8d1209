"""The built-in feature sets. A set is a list; a user's own stand in the configuration."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aitrader.features.alpha158 import ALPHA158, ALPHA158_FULL
from aitrader.features.families import FAMILIES

Item = str | Mapping[str, Mapping[str, Any]]
"""A name (also of a set, a pattern such as ``volume_*``, or a family as ``family:volume``), or a name with settings.

A family means its features that are free of the level of prices, which models need, and that need no sectors, which
not all data have: new ones join by themselves.
"""

_MEASURES: Final = ("statistical", "memory")
_RISK: Final = ("risk", "performance")
_COMPANY: Final = ("correlation", "regime", "microstructure")
"""Families that are no technical analysis; every other one is in the set ``technical``."""


def _windows(name: str, *bars: int) -> tuple[Item, ...]:
    return tuple({name: {"bars": count}} for count in bars)


def _families(*names: str) -> tuple[Item, ...]:
    return tuple(f"family:{name}" for name in names)


SETS: Final[Mapping[str, Sequence[Item]]] = {
    "basic": (
        *_windows("momentum", 1, 5, 20, 60),
        "momentum_12_1",
        "rsi",
        "macd_histogram",
        *_windows("distance_to_mean", 50, 200),
        "volatility",
        "natr",
        "bollinger_position",
        "drawdown",
        "volume_zscore",
        "gap",
    ),
    "core": (
        *_windows("momentum", 1, 5, 10, 20, 60, 120, 250),
        "momentum_12_1",
        *_windows("rsi", 5, 14),
        "stochastic",
        "stochastic_slow",
        "williams_r",
        "cci",
        "cmo",
        *_windows("distance_to_mean", 10, 50, 200),
        "distance_to_ema",
        "macd",
        "macd_histogram",
        "adx",
        "directional_balance",
        "aroon",
        *_windows("trend_slope", 20, 60),
        *_windows("trend_fit", 20, 60),
        *_windows("volatility", 10, 20, 60),
        "volatility_ratio",
        "downside_volatility",
        "natr",
        "bollinger_position",
        "bollinger_width",
        "parkinson",
        "garman_klass",
        "rogers_satchell",
        "yang_zhang",
        "drawdown",
        *_windows("volume_zscore", 20, 60),
        "volume_ratio",
        "obv_change",
        "money_flow_index",
        "chaikin_money_flow",
        "amihud_ratio",
        "dollar_volume_change",
        "price_volume_correlation",
        "gap",
        "close_location",
        "intraday_return",
        "distance_to_high",
        "distance_to_low",
        "skewness",
        "kurtosis",
        "autocorrelation",
        "market_beta",
        "idiosyncratic_volatility",
        *_windows("momentum_rank", 20, 120),
        "volatility_rank",
        "reversal_rank",
    ),
    "technical": _families(*(name for name in FAMILIES if name not in {*_MEASURES, *_RISK, *_COMPANY, "alpha158"})),
    "statistical": _families(*_MEASURES),
    "risk": _families(*_RISK),
    "advanced": ("technical", "statistical", "risk", *_families(*_COMPANY)),
    "alpha158": tuple(ALPHA158),
    "alpha158_full": tuple(ALPHA158_FULL),
    "all": _families("*"),
}
