"""Arithmetic bar by bar. Operands are grids or numbers; a result that is not finite is NaN."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

Kernel = Callable[[Sequence[Any], tuple[Any, ...]], Any]


def _finite(result: Any) -> Any:
    # An infinity times 0 is NaN, a finite number times 0 leaves it as it is: two plain passes, no branch.
    return result + result * 0.0


def _comparison(compare: Any) -> Kernel:
    def kernel(inputs: Sequence[Any], _: tuple[Any, ...]) -> Any:
        left, right = inputs
        return compare(left, right) + (left - right) * 0.0

    return kernel


def _plain(function: Any) -> Kernel:
    return lambda inputs, _: function(*inputs)


def _guarded(function: Any) -> Kernel:
    return lambda inputs, _: _finite(function(*inputs))


def _where(inputs: Sequence[Any], _: tuple[Any, ...]) -> Any:
    condition, then, otherwise = inputs
    return np.where(np.not_equal(condition, 0.0), then, otherwise) + condition * 0.0


KERNELS: Final[Mapping[str, Kernel]] = {
    "add": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _plain(np.multiply),
    "div": _guarded(np.divide),
    "pow": _guarded(np.power),
    "gt": _comparison(np.greater),
    "ge": _comparison(np.greater_equal),
    "lt": _comparison(np.less),
    "le": _comparison(np.less_equal),
    "neg": _plain(np.negative),
    "abs": _plain(np.abs),
    "log": _guarded(np.log),
    "sqrt": _plain(np.sqrt),
    "exp": _guarded(np.exp),
    "sign": _plain(np.sign),
    "minimum": _plain(np.minimum),
    "maximum": _plain(np.maximum),
    "where": _where,
    "finite": lambda inputs, _: _finite(inputs[0]),
    "present": lambda inputs, _: (~np.isnan(inputs[0])).astype(np.float64),
    "zeroed": lambda inputs, _: np.where(np.isnan(inputs[0]), 0.0, inputs[0]),
    "zeros": lambda inputs, _: np.zeros_like(inputs[0]),
    "both": lambda inputs, _: inputs[0] + inputs[1] * 0.0,
}
