"""A mapping of text parsed into a section's model, and the file and line of whatever is wrong in it."""

import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from aitrader.errors import ConfigError

Path = tuple[str | int, ...]
Origins = Mapping[Path, str]
Parsed = TypeVar("Parsed", bound=BaseModel)

DEFAULT = "default"


class Located(dict[str, Any]):
    """A mapping of settings that remembers where each of them was written.

    Values are text, None, lists, or mappings of the same kind. It compares, iterates and prints as a ``dict``.
    """

    def __init__(self, values: Mapping[str, Any], origins: Origins | None = None, path: Path = ()) -> None:
        super().__init__(values)
        self._origins = {} if origins is None else origins
        self._path = path

    def origin(self, *path: str | int) -> str:
        """Return where the value at ``path`` below this mapping was written, or the nearest thing around it.

        The form is ``config/risk.yaml:12``, the name of an environment variable, ``--set risk.max_gross``,
        or ``default`` when nobody wrote it.
        """
        return origin_of(self._origins, (*self._path, *path))


def origin_of(origins: Origins, path: Path) -> str:
    """Return the origin of ``path``, or of the nearest mapping around it, or ``default``."""
    for end in range(len(path), -1, -1):
        if path[:end] in origins:
            return origins[path[:end]]
    return DEFAULT


def leaves(section: BaseModel) -> dict[tuple[str, ...], Any]:
    """Return every value by its path, in JSON's own types: what is no mapping, and mappings that are empty."""
    return dict(_leaves_of(section.model_dump(mode="json"), ()))


def _leaves_of(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves_of(item, (*path, str(name)))
    else:
        yield path, value


def locate(tree: Any, origins: Origins, path: Path = ()) -> Any:
    """Return ``tree`` with every mapping in it turned into a ``Located`` one."""
    if isinstance(tree, Mapping):
        return Located({key: locate(value, origins, (*path, key)) for key, value in tree.items()}, origins, path)
    if isinstance(tree, list):
        return [locate(value, origins, (*path, index)) for index, value in enumerate(tree)]
    return tree


def parse_section(model: type[Parsed], values: Mapping[str, Any], where: str = "") -> Parsed:
    """Return ``values`` as a ``model``: text becomes numbers, dates and booleans as the fields say.

    This is how a plug-in reads its opaque section: ``parse_section(RidgeParams, settings.params,
    "models.ridge.params")``. ``where`` is the dotted name of the section, for the message. Values made in Python
    (not text) work too.

    Raises
    ------
    ConfigError
        A key is unknown or missing, or a value is not of its kind or out of its range; the message names file,
        line and key, the fix the nearest key or the allowed values.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise explained(error, model, values, where) from None


def explained(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any], where: str) -> ConfigError:
    """Return the first problem of ``error`` as a ConfigError that names file, line, key and what is allowed."""
    problems = error.errors(include_url=False)
    # An unknown key first: a misspelt limit is more dangerous than a value out of range, and often its cause.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    path, field = _resolved(model, values, first["loc"])
    origin = values.origin(*path) if isinstance(values, Located) else DEFAULT
    at = "" if origin == DEFAULT else f"{origin}: "
    more = f" ({len(problems) - 1} more problems after this one.)" if len(problems) > 1 else ""
    name = ".".join(str(part) for part in ((where, *path) if where else path))
    if first["type"] == "extra_forbidden":
        message, fix = _unknown_key(model, path, where)
    elif first["type"] == "missing":
        message, fix = f"{name} is missing.", f"Add it. {_meaning(field)}"
    else:
        message, fix = _wrong_value(name, dict(first)), _meaning(field)
    return ConfigError(at + message + more, fix=fix)


def _unknown_key(model: type[BaseModel], path: Path, where: str) -> tuple[str, str]:
    owner = _model_at(model, path[:-1])
    section = ".".join(str(part) for part in ((where, *path[:-1]) if where else path[:-1])) or "the configuration"
    known = sorted(owner.model_fields) if owner else []
    near = nearest(str(path[-1]), model, owner)
    hint = f"Did you mean {near!r}? " if near else ""
    if path[-2:-1] == path[-1:]:
        hint = f"The file is that section already: leave out its line `{path[-1]}:`. "
    return f"{section} has no setting {str(path[-1])!r}.", f"{hint}Known: {', '.join(known)}."


def nearest(key: str, model: type[BaseModel], owner: type[BaseModel] | None = None) -> str | None:
    """Return the name nearest to ``key``: among the fields of ``owner``, else anywhere in ``model`` (dotted)."""
    here = difflib.get_close_matches(key, list((owner or model).model_fields), n=1)
    if here:
        return here[0]
    everywhere = dict(_leaves(model))
    match = difflib.get_close_matches(key, list(everywhere), n=1, cutoff=0.75)
    return everywhere[match[0]] if match else None


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation)
        yield name, prefix + name
        if inner is not None and get_origin(field.annotation) is not dict:
            yield from _leaves(inner, f"{prefix}{name}.")


def submodel(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation: itself, or the value type of ``dict[str, Model]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return submodel(get_args(annotation)[1])
    if get_origin(annotation) in {Union, types.UnionType, Annotated}:
        return next((inner for part in get_args(annotation) if (inner := submodel(part))), None)
    return None


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    skip = False
    for part in path:
        if skip:  # the name of one model, strategy or scanner
            skip = False
            continue
        field = current.model_fields.get(str(part)) if current else None
        if field is None:
            return None
        skip = get_origin(field.annotation) is dict
        current = submodel(field.annotation)
    return current


def _resolved(model: type[BaseModel], values: Any, loc: Path) -> tuple[Path, Any]:
    """Return the part of pydantic's ``loc`` that exists in the values, and the field it stands in.

    pydantic adds the names of union members to the location; those are in no file.
    """
    path: list[str | int] = []
    field = None
    current: Any = values
    for position, part in enumerate(loc):
        owner = _model_at(model, tuple(path))
        field = owner.model_fields.get(str(part), field) if owner else field
        if not _holds(current, part):
            if position == len(loc) - 1 and owner and part in owner.model_fields:
                path.append(part)
            break
        path.append(part)
        current = current[part]
    return tuple(path), field


def _holds(values: Any, part: str | int) -> bool:
    if isinstance(values, Mapping):
        return part in values
    return isinstance(values, list | tuple) and isinstance(part, int) and part < len(values)


def _wrong_value(name: str, problem: dict[str, Any]) -> str:
    said = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    given = problem["input"]
    shown = f" is {given!r:.60}" if isinstance(given, str | int | float | bool) else ""
    if given is None:
        shown = " is empty"
    if name:
        return f"{name}{shown}: it {said}." if said.startswith("should") else f"{name}{shown}: {said.rstrip('.')}."
    return f"{said.rstrip('.')}."


def _meaning(field: Any) -> str:
    if field is None:
        return "Correct it there."
    limits = [
        f"{word} {getattr(item, name)}"
        for item in _constraints(field)
        for name, word in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        if getattr(item, name, None) is not None
    ]
    share = any(getattr(getattr(item, "func", None), "__name__", "") == "share" for item in field.metadata)
    allowed = f"Allowed: {', '.join(limits)}{' (write 10% or 0.10)' if share else ''}. " if limits else ""
    return f"{allowed}{field.description or 'Correct it there.'}".replace("\n", " ")


def _constraints(field: Any) -> Iterator[Any]:
    for item in (*field.metadata, *(part for arg in get_args(field.annotation) for part in get_args(arg)[1:])):
        yield item
        yield from getattr(item, "metadata", ())
