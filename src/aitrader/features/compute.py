"""Feature values on a panel."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from aitrader.errors import ConfigError
from aitrader.features.feature import FeatureSpec
from aitrader.panel.panel import Panel
from aitrader.panel.plan import columns_of, groups_of, plan


def compute(
    panel: Panel,
    specs: Sequence[FeatureSpec],
    *,
    min_names: int,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return float32 values of shape (features, symbols, sessions), NaN where not known.

    ``min_names`` is the least number of members in a cross-section; ``executor`` (of threads) changes no bit;
    ``progress`` is told blocks done and blocks in all.

    Raises
    ------
    ConfigError
        A feature reads a column, or compares within groups, that the panel does not have.
    """
    refuse_lacking(specs, panel.columns, panel.groups)
    program = plan([spec.expr for spec in specs])
    return program.run(panel, min_names=min_names, executor=executor, progress=progress)


def refuse_lacking(specs: Sequence[FeatureSpec], columns: Collection[str], groups: Collection[str]) -> None:
    """Raise ``ConfigError`` for a feature that reads a column, or compares within groups, not among these."""
    for spec in specs:
        missing = sorted(columns_of(spec.expr) - set(columns))
        if missing:
            raise ConfigError(
                f"The feature {spec.name} reads the column {missing[0]!r}, which the data do not have.",
                fix=f"Columns: {', '.join(columns)}.",
            )
        for name in sorted(groups_of(spec.expr) - set(groups)):
            raise ConfigError(
                f"The feature {spec.name} compares symbols within their {name}, which the data do not have.",
                fix="Leave it out, or name a file that has them in `universe.groups`; docs/features.md says how.",
            )
