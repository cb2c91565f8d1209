"""Named checks of settings, data, models and books, one module a level.

A level contains the ones before it: ``config`` needs no lake, ``data`` a lake, ``model`` a trained model;
``trade-ready`` asks whether ``trade`` could decide now.
"""

from typing import Final

LEVELS: Final = {
    "config": "aitrader.jobs.checks.settings:CHECKS",
    "data": "aitrader.jobs.checks.data:CHECKS",
    "model": "aitrader.jobs.checks.models:CHECKS",
    "trade-ready": "aitrader.jobs.checks.trading:CHECKS",
}
