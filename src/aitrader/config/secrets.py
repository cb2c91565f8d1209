"""Credentials: what they are called, where they come from, and what a secret looks like.

They come from the environment, else from a file given by ``--env-file``, else from
``$XDG_CONFIG_HOME/aitrader/secrets.env``. A file must be its owner's alone (mode 0600). They never stand in YAML.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from aitrader.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credential:
    """One environment variable, what it is for, and where to get it. ``pair`` must be set whenever it is."""

    name: str
    meaning: str
    source: str
    pair: str | None = None
    secret: bool = True


_ALPACA: Final = "https://app.alpaca.markets -> paper account -> API keys -> generate"
CREDENTIALS: Final = (
    Credential("APCA_API_KEY_ID", "Alpaca: the key's name.", _ALPACA, pair="APCA_API_SECRET_KEY"),
    Credential("APCA_API_SECRET_KEY", "Alpaca: the key itself, shown once.", _ALPACA, pair="APCA_API_KEY_ID"),
    Credential(
        "APCA_API_BASE_URL",
        "Alpaca: the trading address, without /v2; the default is the paper account.",
        "https://paper-api.alpaca.markets",
        secret=False,
    ),
)

KEY_NAME: Final = re.compile(r"secret|api_?key|token|passw(or)?d|credential", re.IGNORECASE)
"""What settings and fields that hold secrets are called."""

_SHAPES: Final = (
    r"\b[PAC]K[A-Z0-9]{16,24}\b",  # Alpaca key names
    r"\bAKIA[A-Z0-9]{16}\b",
    r"\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]{10,}",
    r"(?<![A-Za-z0-9+])(?=[a-z0-9+]*[A-Z])(?=[A-Z0-9+]*[a-z])(?=(?:[A-Za-z+]*[0-9]){3})[A-Za-z0-9+]{36,}",
)
SECRET_SHAPE: Final = re.compile("|".join(_SHAPES))
"""What keys of the known vendors look like, and long random text."""


class Secrets:
    """The credentials of this process, read when first asked for."""

    def __init__(self, env: Mapping[str, str], *, env_file: Path | None = None) -> None:
        self._env = env
        self._files = tuple(file for file in (env_file, user_file(env)) if file is not None)
        self._required = env_file

    def get(self, name: str) -> SecretStr | None:
        """Return the credential, or None where nobody set it.

        A pair is taken from one place, so that the halves of two accounts are never mixed.

        Raises
        ------
        ConfigError
            Only one half of a pair is set, or a secrets file can be read by others or not at all.
        """
        pair = next((item.pair for item in CREDENTIALS if item.name == name), None)
        for place, values in self._places():
            own, other = values.get(name), values.get(pair) if pair else None
            if pair and bool(own) != bool(other):
                given, absent = (name, pair) if own else (pair, name)
                raise ConfigError(
                    f"{given} is set in {place}, {absent} is not.", fix=f"Set both in {place}, or neither."
                )
            if own:
                return SecretStr(own)
        return None

    def place(self, name: str) -> str | None:
        """Return where the credential is set, or None; raises as `get` does."""
        return next((place for place, values in self._places() if values.get(name)), None)

    def known_values(self) -> tuple[str, ...]:
        """Return every secret text in the places that can be read, for redaction. Raises nothing."""
        found = [self._env[item.name] for item in CREDENTIALS if item.secret and self._env.get(item.name)]
        for file in self._files:
            try:
                found += [value for value in _read(file).values() if len(value) > 7]
            except ConfigError:
                continue
        return tuple(found)

    def _places(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        yield "the environment", self._env
        for file in self._files:
            if file == self._required or file.exists():
                yield str(file), _read(file)


def user_file(env: Mapping[str, str]) -> Path | None:
    """Return where the user's own secrets file may stand; None where no home is known (cron)."""
    if env.get("XDG_CONFIG_HOME"):
        return Path(env["XDG_CONFIG_HOME"], "aitrader", "secrets.env")
    return Path(env["HOME"], ".config", "aitrader", "secrets.env") if env.get("HOME") else None


def refuse_secrets(tree: Any, where: str, origin_of_path: Mapping[tuple[str | int, ...], str]) -> None:
    """Raise a ConfigError for a setting that is named or shaped like a secret; its value is never shown."""
    for path, value in _leaves(tree, ()):
        named = any(isinstance(part, str) and KEY_NAME.search(part) for part in path)
        if value and (named or SECRET_SHAPE.search(value)):
            raise ConfigError(
                f"{origin_of_path.get(path, where)}: {'.'.join(map(str, path))} looks like a secret.",
                fix="Remove it here, renew it, and set it in the environment or in the 0600 file secrets.env.",
            )


def _leaves(tree: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, (*path, index))
    elif isinstance(tree, str):
        yield path, tree


def _read(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            raw = opened.read(100_000)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", fix=f"Check {file}.") from None
    if mode & 0o077:
        raise ConfigError(f"{file} has mode {mode:04o}; others can read it.", fix=f"chmod 600 {file}")
    values: dict[str, str] = {}
    for number, line in enumerate(raw.decode(errors="replace").splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"{file}:{number} is not NAME=value.", fix="Write one NAME=value in each line.")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
