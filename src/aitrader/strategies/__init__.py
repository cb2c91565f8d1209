"""A market view turned into target weights."""

from typing import Final

STRATEGIES: Final = {
    "equal_weight": "aitrader.strategies.equal_weight:EqualWeight",
    "model_driven": "aitrader.strategies.model_driven:ModelDriven",
}
