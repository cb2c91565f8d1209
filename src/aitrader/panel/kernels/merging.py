"""Statistics of a window from those of its newer and its older part.

A window of ``w`` bars is merged from fixed shorter windows, each on its own mean, so that a value depends on the
window's bars alone: not on where the history, a block or a build begins, nor on the other features asked for.
Nothing is ever subtracted again, so a constant series has no noise.

Every kernel takes ``(newer, older, shift, partial)`` as its first parameters: the lengths of both parts, how many bars
the older one lies back, and whether missing bars are skipped (then counts come last among the inputs) or make
the window NaN. Inputs are pairs: each statistic of the newer part, then of the older one.

Merged moments: Chan, Golub & LeVeque (1983), Am. Stat. 37(3), eq. 2.1; higher ones: Pébay (2008), SAND2008-6212,
eq. 3.1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Body = Callable[..., Any]
"""(newer statistics, older ones, values in the newer part, in the older one, a number) -> merged statistic."""
Kernel = Callable[[Sequence[Any], tuple[Any, ...]], Any]


def _merged(body: Body, *, counted: bool = False, alone: Body | None = None) -> Kernel:
    """Return the kernel that cuts the inputs so that bar ``t`` meets bar ``t - shift``, and applies ``body``.

    A ``counted`` body weighs both parts by how many values they hold. Before the older part begins there is only
    the newer one: its statistic, or what ``alone`` makes of it.
    """

    def kernel(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
        newer, older, shift, partial, extra = params
        head = inputs[0]
        length = head.shape[1]
        cut = min(shift, length)
        now = [values[:, cut:] for values in inputs[0::2]]
        past = [values[:, : length - cut] for values in inputs[1::2]]
        out = np.empty_like(head)
        if partial:
            out[:, :cut] = alone([values[:, :cut] for values in inputs[0::2]], extra) if alone else head[:, :cut]
        else:
            out[:, :cut] = np.nan
        counts = (now.pop(), past.pop()) if partial and counted else (float(newer), float(older))
        out[:, cut:] = body(now, past, *counts, extra)
        return out

    return kernel


def _share(part: Any, other: Any) -> Any:
    return part / np.maximum(part + other, 1.0)


def _sum(now: Sequence[Any], past: Sequence[Any], *_: Any) -> Any:
    return now[0] + past[0]


def _weighted(now: Sequence[Any], past: Sequence[Any], _n: Any, _m: Any, extra: float) -> Any:
    """Weights rise from 1 at the oldest bar: the newer part's lie ``extra``, the older part's length, higher."""
    return past[0] + (now[0] + now[1] * extra)


def _weighted_alone(now: Sequence[Any], extra: float) -> Any:
    return now[0] + now[1] * extra


def _mean(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, extra: float) -> Any:
    """The older part's values count ``extra`` more (ages of bars; else 0)."""
    step = past[0] - now[0]
    if extra:
        step += extra
    step *= _share(m, n)
    step += now[0]
    return step


def _m2(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, extra: float) -> Any:
    step = past[1] - now[1]
    if extra:
        step += extra
    step *= step
    step *= n * _share(m, n)
    step += now[0]
    step += past[0]
    return step


def _m3(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, _: float) -> Any:
    (m3a, m2a, ma), (m3b, m2b, mb) = now, past
    step = mb - ma
    a, b = _share(n, m), _share(m, n)
    return m3a + m3b + step * (step * step * (n * b * (a - b)) + 3.0 * (a * m2b - b * m2a))


def _m4(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, _: float) -> Any:
    (m4a, m3a, m2a, ma), (m4b, m3b, m2b, mb) = now, past
    step = mb - ma
    a, b = _share(n, m), _share(m, n)
    square = step * step
    fourth = square * square * (n * b * (a * a - a * b + b * b))
    return m4a + m4b + fourth + 6.0 * square * (a * a * m2b + b * b * m2a) + 4.0 * step * (a * m3b - b * m3a)


def _comoment(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, extra: float) -> Any:
    step = past[1] - now[1]
    other = past[2] - now[2]
    if extra:
        other += extra
    step *= other
    step *= n * _share(m, n)
    step += now[0]
    step += past[0]
    return step


def _comoment_age(now: Sequence[Any], past: Sequence[Any], n: Any, m: Any, _: tuple[Any, ...]) -> Any:
    """With the ages of the bars, where none is missing: both parts' mean ages are known numbers."""
    step = past[1] - now[1]
    step *= (n + m) / 2.0
    step *= n * _share(m, n)
    step += now[0]
    step += past[0]
    return step


def _argument(beats: Any) -> Body:
    def body(now: Sequence[Any], past: Sequence[Any], _n: Any, _m: Any, extra: float) -> Any:
        (age_now, best_now), (age_past, best_past) = now, past
        older_wins = beats(best_past, best_now) | np.isnan(best_now)
        return np.where(older_wins, age_past + extra, age_now)

    return body


KERNELS: Final[Mapping[str, Kernel]] = {
    "merge_sum": _merged(_sum),
    "merge_weighted": _merged(_weighted, alone=_weighted_alone),
    "merge_mean": _merged(_mean, counted=True),
    "merge_m2": _merged(_m2, counted=True),
    "merge_m3": _merged(_m3, counted=True),
    "merge_m4": _merged(_m4, counted=True),
    "merge_comoment": _merged(_comoment, counted=True),
    "merge_comoment_age": _merged(_comoment_age),
    "merge_min": _merged(lambda now, past, *_: np.minimum(now[0], past[0])),
    "merge_max": _merged(lambda now, past, *_: np.maximum(now[0], past[0])),
    "merge_fmin": _merged(lambda now, past, *_: np.fmin(now[0], past[0])),
    "merge_fmax": _merged(lambda now, past, *_: np.fmax(now[0], past[0])),
    "merge_argmin": _merged(_argument(np.less)),
    "merge_argmax": _merged(_argument(np.greater)),
}
