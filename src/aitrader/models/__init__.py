"""Kinds of model behind one protocol."""

from typing import Final

MODELS: Final = {
    "lightgbm": "aitrader.models.boosting:LightGbm",
    "ridge": "aitrader.models.linear:RidgeModel",
}
