"""YAML in which every scalar stays the text that was typed, and every value knows its line.

YAML 1.1 turns ``ON`` into true, ``010`` into 8 and ``12:30:00`` into 45000; tickers and prices must survive that.
So nothing is typed here: the schema types it. Only an unquoted ``null``, ``~`` or nothing is None. Tags are refused
(``!!python/object`` runs code in other loaders), duplicate keys are refused (the last would silently win),
and the nodes that aliases expand to are limited.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final, cast

import yaml

from aitrader.config.section import Path
from aitrader.errors import ConfigError

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 30

_NOTHING: Final = frozenset({"", "~", "null"})
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one written in C, where there is one


@dataclass(frozen=True, slots=True)
class Document:
    """The tree of one file (mappings, lists, text, None), and the origin of every path in it."""

    tree: Any
    origins: dict[Path, str]


def read_file(path: FilePath, shown: str) -> Document:
    """Return the document in ``path``; ``shown`` is the file's name in messages and origins.

    Raises
    ------
    ConfigError
        The file is missing, unreadable, a folder, too large, not UTF-8 text, or not this kind of YAML;
        syntax errors name line and column.
    """
    try:
        if path.is_dir():
            raise ConfigError(f"{shown} is a folder, not a file.", fix="Put a YAML file in its place.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror}.", fix=f"Check {path}.") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            f"{shown} has more than {MAX_BYTES:,} bytes.", fix="Settings are small; check that it is the right file."
        )
    return read_text(_decoded(raw, shown), shown)


def read_text(text: str, shown: str) -> Document:
    """Return the document in ``text``; see `read_file`."""
    if found := _UNPRINTABLE.search(text):
        raise _at(shown, text, found.start(), f"holds the control character {found.group()!r}")
    origins: dict[Path, str] = {}
    try:
        # Events, not nodes: libyaml's composer recurses in C, and 900 kB of "[" end the process.
        tree = _Reader(yaml.parse(text, Loader=_LOADER), shown, origins).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, shown) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{shown} is not YAML: {str(error).splitlines()[0]}.", fix=f"Correct {shown}.") from None
    return Document(tree, origins)


class _Reader:
    """Builds plain values from parser events, counting them."""

    def __init__(self, events: Iterator[Any], shown: str, origins: dict[Path, str]) -> None:
        self._events = events
        self._shown = shown
        self._origins = origins
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            return None
        tree = self._value(next(self._events), (), 0)
        next(self._events)
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            raise self._error(after, "begins a second document", "Keep one document in each file.")
        return tree

    def _value(self, event: Any, path: Path, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self._nodes
        self._count(event, 1, depth)
        if event.tag is not None:
            raise self._error(event, f"carries the tag {event.tag!r:.60}", "Remove it; the settings type their values.")
        self._origins.setdefault(path, self._line(event))
        if isinstance(event, yaml.ScalarEvent):
            value: Any = None if not event.style and event.value in _NOTHING else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path, depth)
        else:
            value = self._mapping(path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _alias(self, event: Any, path: Path) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(
                event, f"names the anchor {event.anchor!r}, which is not finished before it", "Write it out."
            )
        value, size = self._anchors[event.anchor]
        self._count(event, size, 0)
        self._origins.setdefault(path, self._line(event))
        return value

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values)), depth + 1))
        return values

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise self._error(event, "has a list, a mapping, an alias or a tag as a key", "Use a name as the key.")
            key, line = event.value, cast("yaml.Mark", event.start_mark).line + 1
            if key in values:
                raise self._error(
                    event, f"has the key {key!r} twice, in lines {lines[key]} and {line}", "Keep one of the two."
                )
            lines[key] = line
            self._origins[*path, key] = self._line(event)
            values[key] = self._value(next(self._events), (*path, key), depth + 1)
        return values

    def _count(self, event: Any, nodes: int, depth: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self._error(
                event,
                f"has more than {MAX_NODES:,} values or {MAX_DEPTH} levels, aliases expanded",
                "Write it plainer.",
            )

    def _line(self, event: Any) -> str:
        return f"{self._shown}:{event.start_mark.line + 1}"

    def _error(self, event: Any, what: str, fix: str) -> ConfigError:
        mark = event.start_mark
        return ConfigError(f"{self._shown}:{mark.line + 1}:{mark.column + 1} {what}.", fix=fix)


def _decoded(raw: bytes, shown: str) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{shown}:1:1 begins with a byte order mark.", fix=f"Save {shown} as UTF-8 without one.")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise _at(shown, before, len(before), f"holds the byte 0x{raw[error.start]:02x}, which is not UTF-8") from None


def _at(shown: str, text: str, offset: int, what: str) -> ConfigError:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return ConfigError(f"{shown}:{line}:{column} {what}.", fix=f"Save {shown} as plain UTF-8 text.")


def _syntax_error(error: yaml.MarkedYAMLError, text: str, shown: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    said = error.problem or error.context or "is not YAML"
    lines = text.splitlines()
    tab = mark is not None and mark.line < len(lines) and "\t" in lines[mark.line]
    fix = "Use spaces, not tabs, to indent." if tab else "Check indentation, colons, quotes and brackets there."
    return ConfigError(f"{place} is not YAML: {said}.", fix=fix)
