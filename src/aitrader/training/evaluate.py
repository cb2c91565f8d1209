"""How good out-of-fold predictions are, and how sure that is."""

import numpy as np
from numpy.typing import NDArray

from aitrader.models.passport import Period, Scores
from aitrader.quant import metrics
from aitrader.quant.significance import expected_block, newey_west_t, stationary_bootstrap_interval

FloatArray = NDArray[np.float64]


def evaluate(
    predictions: FloatArray,
    labels: FloatArray,
    sessions: NDArray[np.datetime64],
    fold: NDArray[np.int32],
    *,
    horizon: int,
    samples: int,
    seed: int,
) -> Scores:
    """Return the scores of predictions against the labels that came, both (N, T); ``sessions`` and ``fold`` are (T,).

    A session counts when at least three names have both and both vary.
    """
    daily = metrics.rank_ic(predictions, labels)
    scored = np.isfinite(daily)
    series = daily[scored]
    block = expected_block(horizon, len(series))
    low, high = stationary_bootstrap_interval(series, block=block, samples=samples, seed=seed)
    icir = metrics.ratio(series)
    pairs = np.isfinite(predictions) & np.isfinite(labels)
    return Scores(
        sessions=len(series),
        names=_mean(pairs.sum(axis=0)[scored].astype(np.float64)),
        ic=_mean(metrics.ic(predictions, labels)[scored]),
        rank_ic=_mean(series),
        rank_ic_lower=low,
        rank_ic_upper=high,
        icir_daily=icir,
        icir_annual=icir * metrics.YEAR**0.5,
        hac_t=newey_west_t(series, horizon),
        positive_share=_mean((series > 0).astype(np.float64)),
        block=block,
        by_year=_periods(daily, sessions.astype("datetime64[Y]").astype(str)),
        by_fold=_periods(daily, np.where(fold >= 0, fold.astype(str), "")),
    )


def _periods(daily: FloatArray, names: NDArray[np.str_]) -> tuple[Period, ...]:
    scored = np.isfinite(daily)
    labels = [str(name) for name in dict.fromkeys(names[scored].tolist())]
    cells = [(name, daily[scored & (names == name)]) for name in labels]
    return tuple(Period(name, len(values), _mean(values)) for name, values in cells)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
