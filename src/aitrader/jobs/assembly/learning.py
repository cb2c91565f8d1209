"""Configuration turned into features and models."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from aitrader.config.schema import Config, ModelSettings
from aitrader.features.compute import compute
from aitrader.features.feature import FeatureSpec
from aitrader.features.resolve import resolve
from aitrader.jobs.assembly.data import Market
from aitrader.registry import unknown_name
from aitrader.trace import spanned

P = ParamSpec("P")
R = TypeVar("R")


def feature_set(config: Config, *sets: str) -> tuple[FeatureSpec, ...]:
    """Return the features of the named sets (built in, or of the configuration), each once, in order."""
    return resolve(sets, sets=config.features.sets, custom=config.features.custom, market=config.universe.market)


@spanned("features")
def feature_values(
    config: Config, market: Market, specs: Sequence[FeatureSpec], *, executor: Executor | None = None
) -> NDArray[np.float32]:
    """Return the features' values: features by symbols by sessions, NaN where not known.

    Computed on the way, which costs less than reading stored columns back; both give the same bits.
    """
    return compute(market.panel, specs, min_names=config.features.min_names, executor=executor)


def model_settings(config: Config, name: str) -> ModelSettings:
    """Return the settings of a model; raises ``UnknownNameError`` for a name that the configuration lacks."""
    settings = config.models.get(name)
    if settings is None:
        raise unknown_name("model", name, config.models)
    return settings


def workers() -> Executor:
    """Return one thread per processor: the only level of parallelism, so libraries run single-threaded in it."""
    return _Workers(max_workers=os.cpu_count() or 1, thread_name_prefix="worker")


class _Workers(ThreadPoolExecutor):
    """Threads whose tasks stand in the profile."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a task as a span of its thread."""
        return super().submit(spanned(getattr(fn, "__name__", "task"))(fn), *args, **kwargs)
