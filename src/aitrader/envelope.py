"""The one JSON object that every command answers with.

Standard library only, so that the kill switch can speak it without any installed package.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from pathlib import PurePath
from types import NoneType
from typing import Any, Literal

SCHEMA = "aitrader/1"

Status = Literal["done", "skipped", "partial", "refused", "failed", "stopped"]


@dataclasses.dataclass(frozen=True, slots=True)
class ErrorBody:
    """What went wrong, in the words that a person sees on stderr."""

    type: str
    message: str
    fix: str


@dataclasses.dataclass(frozen=True, slots=True)
class Envelope:
    """A command's answer. Times are wall clock, UTC; ``duration_s`` in seconds."""

    command: str
    status: Status
    exit_code: int
    run_id: str
    started_at: datetime
    duration_s: float
    result: Any = None
    warnings: tuple[str, ...] = ()
    error: ErrorBody | None = None

    def to_json(self) -> str:
        """Return the envelope as one line of strict JSON: NaN and infinities are null."""
        return json.dumps({"schema": SCHEMA, **jsonable(self)}, allow_nan=False, ensure_ascii=False)


@singledispatch
def jsonable(value: Any) -> Any:
    """Return ``value`` in JSON's own types.

    Dataclasses become objects, enums their value, decimals, dates and paths text, NaN and
    infinities null. Any other type raises ``TypeError``: nothing is stringified by accident.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


@jsonable.register(NoneType)
@jsonable.register(int)
@jsonable.register(str)
def _(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


@jsonable.register
def _(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@jsonable.register
def _(value: Enum) -> Any:
    return jsonable(value.value)


@jsonable.register(Mapping)
def _(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): jsonable(item) for key, item in value.items()}


@jsonable.register(list)
@jsonable.register(tuple)
def _(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [jsonable(item) for item in value]


@jsonable.register(set)
@jsonable.register(frozenset)
def _(value: set[Any] | frozenset[Any]) -> list[Any]:
    return [jsonable(item) for item in sorted(value)]


@jsonable.register(date)
def _(value: date) -> str:
    return value.isoformat()


@jsonable.register(Decimal)
@jsonable.register(PurePath)
def _(value: Decimal | PurePath) -> str:
    return str(value)
