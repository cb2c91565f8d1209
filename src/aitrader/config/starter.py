"""The files of a new root, written from the schema: its docstrings are their comments, its defaults their values."""

import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from aitrader.config.fields import Section, is_share
from aitrader.config.schema import Config
from aitrader.config.secrets import CREDENTIALS

WIDTH: Final = 110

FOLDERS: Final = ("data_lake", "logs", "state")
"""Folders of run-time files; what they hold is kept out of git."""

_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "models": {
        "lgbm": {"kind": "lightgbm", "features": "alpha158_full", "params": {}},
        "ridge": {"kind": "ridge", "features": "alpha158_full", "params": {}},
    },
    "strategies": {
        "leaders": {
            "kind": "model_driven",
            "rebalance": "wednesday",
            "params": {"model": "lgbm", "top": 10, "weighting": "equal"},
        },
    },
    "scanners": {
        "model": {"kind": "model", "params": {"model": "lgbm", "top": 10}},
        "movers": {
            "kind": "rule",
            "params": {
                "where": ["volume.mean(5) > volume.mean(20)", "close > close.mean(50)"],
                "score": "close / close.shift(5) - 1",
                "top": 10,
            },
        },
    },
}

_PROFILES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "demo": (
        """Real prices without an account: 29 US large caps, 1998 to 2013, from the extra [sample].
        The strategy holds five names, so the limits on one position, one order and on losses are wider than the
        defaults, at which the book would halt within weeks.""",
        {
            "data": {"source": "sample"},
            "strategies": {"leaders": {"params": {"top": 5}}},
            "risk": {
                "max_position": "20%",
                "max_order_equity_share": "20%",
                "max_daily_loss": "20%",
                "max_drawdown": "70%",
            },
        },
    ),
    "ci": (
        "For automatic tests: the sample's prices, and fewer bootstrap samples, since a gate needs no third digit.",
        {"data": {"source": "sample"}, "training": {"bootstrap_samples": 500}},
    ),
    "paper": ("A paper account at Alpaca, and its data.", {"mode": "paper", "data": {"source": "alpaca"}}),
    "live": (
        """Real money. Half of the default size of a position and of an order, in twice as many names, to begin with;
        set max_order_notional (USD) to what one order may cost you.""",
        {
            "mode": "live",
            "data": {"source": "alpaca"},
            "strategies": {"leaders": {"params": {"top": 20}}},
            "risk": {"max_position": "5%", "max_order_equity_share": "5%", "max_order_notional": 5000},
        },
    ),
}

_HEAD: Final = (
    "One section in each file of this folder; `aitrader config show --origin` prints every setting and where it was "
    "set. A profile, the environment (AITRADER__SECTION__KEY) and --set section.key=value go on top of it. Shares are "
    "written 10% or 0.10. Values are text until the setting types them, so ON, NO and 010 are what they look like; "
    "only null, ~ and nothing mean no value."
)

_GITIGNORE: Final = "".join(f"/{folder}/*\n!/{folder}/.gitkeep\n" for folder in FOLDERS) + "/.env\n"

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*|[0-9]+(\.[0-9]+)?%?")


def starter_files() -> dict[str, str]:
    """Return the text of every file of a new root by its path below it."""
    files = {"config/aitrader.yaml": _marker()}
    for name, field in Config.model_fields.items():
        if name not in {"mode", "book"}:
            files[f"config/{name}.yaml"] = _section_file(name, str(field.description), field.default)
    for name, (comment, values) in _PROFILES.items():
        text = f"{comment} Used by --profile {name}."
        files[f"config/profiles/{name}.yaml"] = "\n".join([*_comment(text), "", *_written(values), ""])
    files[".env.example"] = _env_example()
    files[".gitignore"] = _GITIGNORE
    files.update({f"{folder}/.gitkeep": "" for folder in FOLDERS})
    return files


def _marker() -> str:
    fields = {name: Config.model_fields[name] for name in ("mode", "book")}
    lines = [*_comment("This file marks the root of aitrader, and holds what belongs to no section."), *_comment(_HEAD)]
    for name, field in fields.items():
        lines += ["", *_comment(str(field.description)), f"{name}: {_scalar(field.default)}"]
    return "\n".join([*lines, ""])


def _section_file(name: str, meaning: str, default: Any) -> str:
    if isinstance(default, Section):
        lines = [*_comment(inspect.getdoc(type(default)) or meaning), *_fields(default)]
    else:
        lines = [*_comment(meaning), *_entries(name), "", *_written(_EXAMPLES[name])]
    return "\n".join([*lines, ""])


def _entries(name: str) -> Iterator[str]:
    """Yield the comment that explains the entries of ``models``, ``strategies`` or ``scanners``."""
    annotation: Any = Config.model_fields[name].annotation
    settings: type[BaseModel] = annotation.__args__[1]
    yield "#"
    for key, field in settings.model_fields.items():
        yield from _comment(f"{key}: {field.description}")


def _fields(section: Section, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield ""
        yield from _comment(str(field.description), indent)
        if isinstance(value, Section):
            yield f"{indent}{name}:"
            yield from list(_fields(value, f"{indent}  "))[1:]
        else:
            yield f"{indent}{name}: {_share(value) if is_share(field) else _value(value)}"


def _written(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield nested values as YAML, lists of text one below the other."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from _written(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{name}:"
            yield from (f"{indent}  - {_scalar(item)}" for item in value)
        else:
            yield f"{indent}{name}: {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text != "null" else json.dumps(text, ensure_ascii=False)


def _share(value: float) -> str:
    return f"{value * 100:.10g}%"


def _env_example() -> str:
    lines = _comment(
        "Copy to .env (mode 0600) and name it with --env-file .env, or set these in the environment, or in "
        "~/.config/aitrader/secrets.env (mode 0600). Credentials never stand in config/."
    )
    for credential in CREDENTIALS:
        value = "" if credential.secret else credential.source
        where = [] if value else _comment(f"Get it: {credential.source}")
        lines += ["", *_comment(credential.meaning), *where, f"{credential.name}={value}"]
    return "\n".join([*lines, ""])


def _comment(text: str, indent: str = "") -> list[str]:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    lines = [textwrap.wrap(" ".join(part.split()), WIDTH - len(indent) - 2) for part in paragraphs]
    return [f"{indent}# {line}" for part in lines for line in part]
