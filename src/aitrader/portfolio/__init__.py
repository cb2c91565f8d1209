"""Weights into sizes and trades."""

from typing import Final

ALLOCATORS: Final = {
    "equal": "aitrader.portfolio.allocators:equal",
    "score": "aitrader.portfolio.allocators:score",
}
