import pytest

from aitrader.panel.parse import parse
from aitrader.panel.scale import level_dependent


@pytest.mark.parametrize(
    "text",
    [
        "close / open",
        "close / close.shift(20) - 1",
        "log(close) - log(close.shift(5))",
        "2 * log(close) - 2 * log(open)",
        "log(close).mean(5) - log(close)",
        "log(close).std(20)",
        "log(volume).slope(20)",
        "exp(log(close) - log(open))",
        "sqrt(close) / close ** 0.5",
        "close * volume / (close * volume).mean(20)",
        "where(close > open, volume, 0).sum(20) / volume.sum(20)",
        "(close > close.shift(1)).mean(20)",
        "max(close - open, 0).ema(5) / close",
        "sign(close - open)",
        "close.rank(20) + high.argmax(20)",
        "close.corr(volume, 20)",
        "close.beta(open, 20)",
        "close.cov(open, 20) / close.var(20)",
        "(close / open).rank_across()",
        "close.count(20)",
        "1",
    ],
)
def test_free_of_the_level(text):
    assert not level_dependent(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "close",
        "close - open",
        "close + 1",
        "close > 5",
        "log(close)",
        "3 * log(close) - 2 * log(open)",
        "close * volume",
        "close.beta(volume, 20)",
        "exp(close)",
        "sign(log(close))",
        "abs(log(close))",
        "where(close, 1, 2)",
        "max(close, volume)",
        "close.rank_across()",
        "close.mean_across() / close",
        "traded_close / traded_close.shift(1)",
        "volume.cumsum()",
        "1 / close",
        "log(close) / 0",
        "share_of(log(close), 0)",
    ],
)
def test_dependent_on_the_level(text):
    assert level_dependent(parse(text))
