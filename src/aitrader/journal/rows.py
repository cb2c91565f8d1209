"""A row of the journal as text, and back, exactly: money is decimal text, times are UTC, floats keep every bit."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from aitrader.domain.events import Event

KINDS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Event)}
)
"""Each kind of row by its name: ``order_sending`` is ``OrderSending``."""

NAMES: Final[Mapping[type[Event], str]] = MappingProxyType({kind: name for name, kind in KINDS.items()})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the whole journal, from 1 without a gap, its time (UTC), kind, and content."""

    seq: int
    at: datetime
    kind: str
    event: Event


def to_body(event: Event) -> dict[str, Any]:
    """Return the fields of ``event`` in JSON's types.

    Raises
    ------
    TypeError
        Not one of ``domain.events.Event``.
    ValueError
        A time without an offset.
    """
    if type(event) not in NAMES:
        raise TypeError(f"{type(event).__name__} is no event of the journal")
    return cast("dict[str, Any]", _codec(cast("type", type(event))).write(event))


def from_body(kind: str, body: Any) -> Event:
    """Return the event of ``kind`` that ``to_body`` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError
        The kind or a field is not known, a field is missing, or a value is of another type.
    """
    return cast("Event", _codec(cast("type", KINDS[kind])).read(body))


class _Codec(NamedTuple):
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _of(wanted: type[T], value: Any) -> T:
    if type(value) is not wanted:
        raise TypeError(f"{value!r:.60} is no {wanted.__name__}")
    return value


def _utc(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no UTC offset")
    return value.astimezone(UTC).isoformat()


_SCALARS: Final[Mapping[Any, _Codec]] = MappingProxyType(
    {
        Decimal: _Codec(str, lambda value: Decimal(_of(str, value))),
        datetime: _Codec(_utc, datetime.fromisoformat),
        date: _Codec(date.isoformat, date.fromisoformat),
        int: _Codec(int, lambda value: _of(int, value)),
        bool: _Codec(bool, lambda value: _of(bool, value)),
        float: _Codec(float, lambda value: _of(float, value)),
    }
)


@cache
def _codec(of: Any) -> _Codec:
    """Return how values of a declared type are written and read."""
    origin = get_origin(of)
    parts = [_codec(part) for part in get_args(of) if part not in (NoneType, ...)]
    if origin in (UnionType, Union):  # a NewType makes the latter
        return _optional(*parts)
    if origin is not None:
        return _mapping(*parts) if issubclass(origin, Mapping) else _row_of(*parts)
    if is_dataclass(of):
        return _fields(cast("type", of))
    if of in _SCALARS:
        return _SCALARS[of]
    if isinstance(of, type) and issubclass(of, Enum):
        return _Codec(lambda value: of(value).value, of)
    return _Codec(str, lambda value: of(_of(str, value)))


def _optional(some: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else some.write(value),
        lambda value: None if value is None else some.read(value),
    )


def _mapping(key: _Codec, item: _Codec) -> _Codec:
    return _Codec(
        lambda value: {key.write(name): item.write(one) for name, one in value.items()},
        lambda value: MappingProxyType({key.read(name): item.read(one) for name, one in _of(dict, value).items()}),
    )


def _row_of(item: _Codec) -> _Codec:
    return _Codec(
        lambda value: [item.write(one) for one in value],
        lambda value: tuple(item.read(one) for one in _of(list, value)),
    )


def _fields(of: type) -> _Codec:
    hints = get_type_hints(of)
    codecs = {field.name: _codec(hints[field.name]) for field in fields(of)}
    needed = {field.name for field in fields(of) if field.default is MISSING and field.default_factory is MISSING}

    def read(value: Any) -> Any:
        given = set(_of(dict, value))
        if not needed <= given <= set(codecs):
            raise ValueError(f"{of.__name__} with the fields {sorted(given)}")
        return of(**{name: codecs[name].read(one) for name, one in value.items()})

    return _Codec(lambda value: {name: codec.write(getattr(value, name)) for name, codec in codecs.items()}, read)
