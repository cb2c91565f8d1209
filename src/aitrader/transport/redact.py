"""Keys and tokens out of every text that a person, a log or a receipt may see."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

HIDDEN: Final = "***"

_NAMES: Final = (
    r"(?:apca-api-(?:key-id|secret-key)|api[-_]?key|apikey|secret(?:[-_]?key)?|access[-_]?token|token|password)"
)
_SHAPES: Final = (
    re.compile(rf"(?i)(['\"]?\b{_NAMES}['\"]?\s*[:=]\s*b?['\"]?)([^\s'\"&,;)}}\]]+)"),
    re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*b?['\"]?(?:bearer|basic)\s+)([^\s'\"&,;]+)"),
    re.compile(r"(?i)(://[^/\s:@]*:)([^/\s@]+)(?=@)"),
)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces known secrets, and whatever stands where a secret usually stands, by ``***``.

    >>> Redactor((SecretStr("s3cr3t"),))("GET /v2?apikey=abc, key s3cr3t refused")
    'GET /v2?apikey=***, key *** refused'
    """

    secrets: tuple[SecretStr, ...] = ()

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        # Longest first, so that a secret that contains another one leaves no rest.
        for value in sorted(_values(self.secrets), key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        for shape in _SHAPES:
            text = shape.sub(rf"\1{HIDDEN}", text)
        return text


def _values(secrets: Iterable[SecretStr]) -> set[str]:
    # A secret of one or two characters would blank out half of every message.
    return {value for secret in secrets if len(value := secret.get_secret_value()) > 2}
