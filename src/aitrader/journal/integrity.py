"""Why a row can be believed: each is sealed with the hash of all rows before it, and read only if its seal fits."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Table

from aitrader.domain.events import Event, FillBooked, OrderSending
from aitrader.journal.account import AccountKey
from aitrader.journal.queries import replay
from aitrader.journal.rows import NAMES, Row, from_body, to_body
from aitrader.journal.tables import FAMILIES, TABLE_OF

_NESTED: Final = ("order", "fill")


class Damage(Exception):
    """The first thing in the stored rows that does not fit, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row as it is stored: its line in the chain, and its columns in ``table``."""

    table: Table
    kind: str
    columns: Mapping[str, Any]
    hash: str


def first_hash(account: AccountKey) -> str:
    """Return what the first row is sealed with: a journal belongs to one account."""
    return sha256(json.dumps(astuple(account)).encode()).hexdigest()


def seal(previous: str, seq: int, event: Event) -> Sealed:
    """Return ``event`` as the row ``seq`` after the one with the hash ``previous``.

    Raises
    ------
    TypeError, ValueError
        Not an event, or not one that can be written.
    """
    body = to_body(event)
    table, kind = TABLE_OF[type(event)], NAMES[type(event)]
    flat = {**body, **{name: one for part in _NESTED for name, one in body.get(part, {}).items()}}
    known = {"seq": seq, "at": body["at"], "body": json.dumps(body, separators=(",", ":"))}
    columns = {column.name: known.get(column.name, flat.get(column.name)) for column in table.columns}
    return Sealed(table, kind, columns, _hash(previous, kind, columns))


def unsealed(
    previous: str, after: int, chain: Iterable[tuple[Any, ...]], families: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[tuple[Row, str]]:
    """Yield each row after number ``after``, with its hash, from the lines of the chain and the rows by table.

    Raises
    ------
    Damage
        A row is missing, changed, out of its place, or of a version that this program does not read.
    """
    rows = {(name, row["seq"]): row for name, found in families.items() for row in found}
    seq = after
    for seq, (number, kind, stored) in enumerate(chain, after + 1):
        if number != seq:
            raise Damage(f"row {seq} is missing")
        table = next((table for table in FAMILIES if (table.name, seq) in rows), None)
        if table is None:
            raise Damage(f"the content of row {seq} is missing")
        columns = rows.pop((table.name, seq))
        if stored != _hash(previous, kind, columns):
            raise Damage(f"row {seq} is not what was written, or follows another row than it did")
        yield _row(seq, kind, columns), stored
        previous = stored
    if rows:
        raise Damage(f"{len(rows)} rows stand outside the chain, which ends at row {seq}")


def doubts(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what the rows say that cannot be, as sentences: an order filled beyond its size, a book beyond replay."""
    wanted: dict[str, Decimal] = {}
    filled: dict[str, Decimal] = {}
    for row in rows:
        if isinstance(row.event, OrderSending):
            order = row.event.order
            wanted[order.client_id] = max(order.quantity, wanted.get(order.client_id, order.quantity))
        elif isinstance(row.event, FillBooked):
            fill = row.event.fill
            filled[fill.client_id] = filled.get(fill.client_id, Decimal(0)) + fill.quantity
    told = [
        f"Order {name} was filled with {filled[name]} shares and sent with {quantity}."
        for name, quantity in wanted.items()
        if filled.get(name, Decimal(0)) > quantity
    ]
    try:
        replay(row.event for row in rows)
    except (ValueError, ArithmeticError) as error:
        told.append(f"The rows do not add up to a book: {error}.")
    return tuple(told)


def _hash(previous: str, kind: Any, columns: Mapping[str, Any]) -> str:
    return sha256(json.dumps([previous, kind, *columns.items()], default=repr).encode()).hexdigest()


def _row(seq: int, kind: str, columns: Mapping[str, Any]) -> Row:
    try:
        event = from_body(kind, json.loads(columns["body"]))
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise Damage(f"row {seq} was written by another version: {error}") from error
    return Row(seq, event.at, kind, event)
