"""Reads the settings once: defaults < YAML < profile < environment < ``--set``, each value with its origin.

YAML is the folder ``config/`` with one section in each file (``data.yaml`` holds what stands under ``data``), or one
file with all sections (``--config``). ``aitrader.yaml`` marks the root; it holds the top-level values (``mode``,
``book``) and may hold whole sections that have no file of their own. Mappings are merged, lists and texts replace
each other, and a mapping left empty changes nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from aitrader.config import yaml_text
from aitrader.config.root import MARKER
from aitrader.config.schema import Config
from aitrader.config.secrets import Secrets, refuse_secrets
from aitrader.config.section import DEFAULT, leaves, locate, nearest, origin_of, parse_section
from aitrader.errors import AitraderError, ConfigError, UsageError
from aitrader.registry import unknown_name

PREFIX: Final = "AITRADER__"

_PROFILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and where each of them came from.

    ``origins`` maps the dotted name of every value to ``config/risk.yaml:12``, ``AITRADER__RISK__MAX_GROSS``,
    ``--set risk.max_gross`` or ``default``. ``hash`` is the SHA-256 of the values, whatever their origins.
    """

    config: Config
    origins: Mapping[str, str]
    root: Path
    hash: str
    secrets: Secrets

    def secret(self, name: str) -> SecretStr | None:
        """Return a credential, or None where nobody set it; half of a pair is a ``ConfigError``."""
        return self.secrets.get(name)


@dataclass(frozen=True, slots=True)
class _Layer:
    tree: dict[str, Any]
    origins: dict[tuple[str | int, ...], str]

    def under(self, upper: "_Layer") -> "_Layer":
        """Return this layer covered by ``upper``."""
        origins = dict(self.origins)
        for path, origin in sorted(upper.origins.items(), key=lambda item: len(item[0])):
            group = isinstance(_at(upper.tree, path), Mapping)
            if not group:  # it takes the place of everything below it
                origins = {known: place for known, place in origins.items() if known[: len(path)] != path}
            origins[path] = origins.get(path, origin) if group else origin
        return _Layer(_merged(self.tree, upper.tree), origins)


def load(
    root: Path,
    *,
    env: Mapping[str, str],
    config_path: Path | None = None,
    profile: str | None = None,
    sets: Iterable[str] = (),
    book: str | None = None,
    env_file: Path | None = None,
) -> Loaded:
    """Return the settings of ``root``, checked.

    ``config_path`` (a file, or a folder like ``config/``) takes the place of ``config/``; ``sets`` are texts
    ``section.key=value``. ``book`` is what the option ``--book`` says.

    Raises
    ------
    ConfigError
        A file cannot be read or parsed, a key is unknown or given twice, a value does not fit, or a secret stands
        among the settings; the message names file, line and key.
    """
    layer = _yaml_layer(root, config_path or root / MARKER.parent)
    if profile is not None:
        folder = config_path if config_path is not None and config_path.is_dir() else root / MARKER.parent
        layer = layer.under(_profile_layer(root, folder / "profiles", profile))
    layer = layer.under(_environment_layer(env, layer.tree))
    layer = layer.under(_set_layer(sets))
    if book is not None:
        layer = layer.under(_Layer({"book": book}, {("book",): "--book"}))
    refuse_secrets(layer.tree, "The configuration", layer.origins)
    config = parse_section(Config, locate(layer.tree, layer.origins))
    values = config.model_dump(mode="json")
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return Loaded(
        config=config,
        origins=_dotted_origins(config, layer.origins),
        root=root,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        secrets=Secrets(env, env_file=env_file),
    )


def load_section(file: Path, name: str) -> Any:
    """Return one section that stands alone in a file, as in ``config/NAME.yaml``; its other values are the defaults.

    Raises
    ------
    ConfigError
        As ``load``.
    """
    document = yaml_text.read_file(file, str(file))
    origins = {(name, *path): origin for path, origin in document.origins.items()}
    refuse_secrets({name: document.tree}, "The file", origins)
    return getattr(parse_section(Config, locate({name: document.tree}, origins)), name)


def usable(
    root: Path,
    *,
    env: Mapping[str, str],
    config_path: Path | None = None,
    profile: str | None = None,
    sets: Iterable[str] = (),
) -> tuple[Config, tuple[str, ...]]:
    """Return the settings as far as they can be read, and why the rest of them are the defaults.

    For an emergency alone, which must not wait for somebody to mend a file: a file, a profile or a section with an
    error counts as if it were not there.
    """
    folder = config_path or root / MARKER.parent
    problems: list[str] = []
    layer = _Layer({}, {})
    for file in _yaml_files(folder):
        layer = _covered(layer, partial(_part, root, file), problems)
    if folder.is_file():
        layer = _covered(layer, partial(_file_layer, folder, _shown(root, folder)), problems)
    if profile is not None:
        profiles = (folder if folder.is_dir() else root / MARKER.parent) / "profiles"
        layer = _covered(layer, partial(_profile_layer, root, profiles, profile), problems)
    layer = _covered(layer, partial(_environment_layer, env, layer.tree), problems)
    for text in sets:
        layer = _covered(layer, partial(_set_layer, [text]), problems)
    values: dict[str, Any] = {}
    for section, value in layer.tree.items():
        try:
            parse_section(Config, locate(values | {section: value}, layer.origins))
            values[section] = value
        except ConfigError as error:
            problems.append(str(error))
    return parse_section(Config, locate(values, layer.origins)), tuple(problems)


def _covered(layer: _Layer, upper: Callable[[], _Layer], problems: list[str]) -> _Layer:
    """Return ``layer`` covered by the upper one, or as it is where that cannot be read; ``problems`` says why."""
    try:
        return layer.under(upper())
    except (AitraderError, OSError) as error:
        problems.append(str(error))
        return layer


def _yaml_files(path: Path) -> list[Path]:
    """Return the files of settings in a folder, the marker first; none where it cannot be read."""
    try:
        found = [file for file in path.iterdir() if file.suffix == ".yaml" and not file.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=lambda item: (item.name != MARKER.name, item.name))


def _yaml_layer(root: Path, path: Path) -> _Layer:
    if not path.is_dir():
        if not path.exists():
            raise ConfigError(
                f"{path} does not exist.", fix="Name a file or a folder of settings, or leave --config away."
            )
        return _file_layer(path, _shown(root, path))
    layer = _Layer({}, {})
    for file in sorted(path.iterdir(), key=lambda item: (item.name != MARKER.name, item.name)):
        if file.name.startswith("."):
            continue
        if file.suffix == ".yml":
            raise ConfigError(f"{_shown(root, file)} would not be read.", fix=f"Rename it to {file.stem}.yaml.")
        if file.suffix == ".yaml":
            layer = _joined(layer, _part(root, file))
    return layer


def _part(root: Path, file: Path) -> _Layer:
    shown = _shown(root, file)
    if file.name == MARKER.name:
        return _file_layer(file, shown)
    section = file.stem
    field = Config.model_fields.get(section)
    if field is None or section in {"mode", "book"}:
        near = nearest(section, Config)
        raise ConfigError(
            f"{shown} is not a section.", fix=f"Did you mean {near}.yaml?" if near else "Remove or rename the file."
        )
    document = yaml_text.read_file(file, shown)
    origins = {(section, *path): origin for path, origin in document.origins.items()}
    return _Layer({section: document.tree}, origins)


def _joined(layer: _Layer, part: _Layer) -> _Layer:
    """Join two files of one folder, where no section may stand in both."""
    for section in part.tree.keys() & layer.tree.keys():
        first, second = origin_of(layer.origins, (section,)), origin_of(part.origins, (section,))
        raise ConfigError(f"{section} is given twice: {first} and {second}.", fix="Keep one of the two.")
    return layer.under(part)


def _file_layer(file: Path, shown: str) -> _Layer:
    document = yaml_text.read_file(file, shown)
    if document.tree is not None and not isinstance(document.tree, dict):
        raise ConfigError(f"{shown}:1 is not a mapping of sections.", fix="Begin with a section, for example `risk:`.")
    return _Layer(document.tree or {}, document.origins)


def _profile_layer(root: Path, folder: Path, name: str) -> _Layer:
    file = folder / f"{name}.yaml"
    if not _PROFILE_NAME.fullmatch(name) or not file.exists():
        raise unknown_name("profile", name, (item.stem for item in folder.glob("*.yaml")))
    return _file_layer(file, _shown(root, file))


def _environment_layer(env: Mapping[str, str], below: Mapping[str, Any]) -> _Layer:
    layer = _Layer({}, {})
    for name in sorted(env):
        _refuse_near_miss(name)
        if name.startswith(PREFIX):
            path = _cased(name.removeprefix(PREFIX).split("__"), below)
            layer = layer.under(_single(path, env[name], name))
    return layer


def _refuse_near_miss(name: str) -> None:
    """Refuse ``AITRADER_RISK__MAX_GROSS``, which is read by nobody: an ignored limit is no limit."""
    section, _, key = name.removeprefix("AITRADER_").partition("__")
    if name.startswith("AITRADER_") and key and section.lower() in Config.model_fields:
        raise ConfigError(f"{name} would not be read.", fix=f"Write {PREFIX}{section}__{key}, or unset it.")


def _cased(parts: list[str], tree: Any) -> tuple[str, ...]:
    """Return the path in lower case, or as an existing key spells it (names of models may have capitals)."""
    path = []
    for part in parts:
        keys = list(tree) if isinstance(tree, Mapping) else []
        key = next((key for key in keys if key.lower() == part.lower()), part.lower())
        tree = tree.get(key) if isinstance(tree, Mapping) else None
        path.append(key)
    return tuple(path)


def _set_layer(sets: Iterable[str]) -> _Layer:
    layer = _Layer({}, {})
    for text in sets:
        name, equals, value = text.partition("=")
        path = tuple(part.strip() for part in name.split("."))
        if not equals or not all(path):
            raise UsageError(f"--set {text!r:.80} is not key=value.", fix="Write --set risk.max_position=20%.")
        layer = layer.under(_single(path, value, f"--set {name.strip()}"))
    return layer


def _single(path: tuple[str, ...], text: str, origin: str) -> _Layer:
    value: Any = text
    origins: dict[tuple[str | int, ...], str] = {path[:end]: origin for end in range(1, len(path) + 1)}
    if text.strip() in {"", "~", "null"}:
        value = None
    elif text.lstrip()[0] in "[{":
        value = yaml_text.read_text(text, origin).tree
        origins |= dict.fromkeys(_paths_below(value, path), origin)
    for part in reversed(path):
        value = {part: value}
    return _Layer(value, origins)


def _paths_below(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for part, item in items:
        yield (*path, part)
        yield from _paths_below(item, (*path, part))


def _at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if isinstance(tree, list):
            tree = tree[int(part)]
        elif isinstance(tree, Mapping):
            tree = tree.get(str(part))
        else:
            return None
    return tree


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and above is None:
        return below
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    joined = {**below, **above}
    joined.update((key, _merged(below[key], above[key])) for key in below.keys() & above.keys())
    return joined


def _dotted_origins(config: Config, origins: Mapping[tuple[str | int, ...], str]) -> dict[str, str]:
    return {".".join(path): origins.get(path, DEFAULT) for path in leaves(config)}


def _shown(root: Path, path: Path) -> str:
    try:
        return str(path.absolute().relative_to(root))
    except ValueError:
        return str(path)
