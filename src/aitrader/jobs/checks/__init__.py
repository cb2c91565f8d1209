"""Named checks of settings, data and models, one module a level.

A level contains the ones before it: ``config`` needs no lake, ``data`` a lake, ``model`` a trained model.
"""

from typing import Final

LEVELS: Final = {
    "config": "aitrader.jobs.checks.settings:CHECKS",
    "data": "aitrader.jobs.checks.data:CHECKS",
    "model": "aitrader.jobs.checks.models:CHECKS",
}
