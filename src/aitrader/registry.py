"""Tables of plug-ins: name -> "module:attribute", imported when looked up.

>>> lookup("sources", {"sample": "aitrader.sources.sample:SampleBars"}, "sampel")
Traceback (most recent call last):
    ...
aitrader.errors.UnknownNameError: There is no sources entry 'sampel'; available: sample.
"""

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from aitrader.errors import UnknownNameError, UsageError

SHOWN: Final = 60
"""Names that fit into one message; of more only the nearest are shown."""


def names(family: str, table: Mapping[str, str]) -> tuple[str, ...]:
    """Return the known names of a family: our own and those of installed entry points, sorted."""
    return tuple(sorted({*table, *(point.name for point in plug_ins(family))}))


def plug_ins(family: str) -> tuple[EntryPoint, ...]:
    """Return the installed entry points of the group ``aitrader.<family>``, sorted by name."""
    return tuple(sorted(entry_points(group=f"aitrader.{family}"), key=lambda point: (point.name, point.value)))


def lookup(family: str, table: Mapping[str, str], name: str) -> Any:
    """Import and return what ``name`` stands for in ``family``.

    Our own table wins over entry points of the group ``aitrader.<family>``.

    Raises
    ------
    UnknownNameError
        No table knows the name; the message lists the known ones.
    UsageError
        The plug-in needs a package that is not installed; the fix names it.
    """
    target = table.get(name)
    if target is None:
        points = [point for point in plug_ins(family) if point.name == name]
        if not points:
            raise unknown_name(f"{family} entry", name, names(family, table))
        target = points[0].value
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{family} entry {name!r} needs the package {error.name!r}, which is not installed.",
            fix=f"Install it: pip install {error.name}",
        ) from error


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that is not among ``known``, with the nearest one as its fix."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=SHOWN // 6, cutoff=0.4)
    listed = f"available: {', '.join(known) or 'none'}"
    if len(known) > SHOWN:
        listed = f"the nearest of {len(known)}: {', '.join(near) or 'none'}"
    best = difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean {best[0]!r}?" if best else "Use one of the names above."
    return UnknownNameError(f"There is no {what} {name!r}; {listed}.", fix=fix)
