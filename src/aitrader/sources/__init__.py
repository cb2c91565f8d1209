"""The outside world's data, one vendor per file; ``SOURCES`` names them."""

from typing import Final

SOURCES: Final = {
    "sample": "aitrader.sources.sample:SampleBars",
    "sp500_sample": "aitrader.sources.sample:Sp500SampleBars",
    "files": "aitrader.sources.files:FilesBars",
    "yahoo": "aitrader.sources.yahoo:YahooBars",
    "alpaca": "aitrader.sources.alpaca:AlpacaBars",
}
