"""One strict way to speak HTTP: deadlines, no redirects, no proxies, a size cap, JSON or an error.

A session never repeats a request by itself; whoever may repeat (reads of sources) does so above it.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import httpx2

from aitrader.errors import ConfigError
from aitrader.transport.pacing import Pacer
from aitrader.transport.redact import Redactor

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Failure = Literal["timeout", "network", "redirect", "too large", "not JSON"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost: seconds to connect, per read and in total, and bytes of the decoded body."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 30.0
    body: int = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: status, lower-case headers, and the parsed JSON body (None where it is empty).

    The body of an error that is not JSON (a proxy's HTML page) is its first 80 characters.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


class NoAnswer(Exception):
    """A request got nothing that can be relied on; whether it had an effect is unknown."""

    def __init__(self, message: str, *, kind: Failure, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class Session:
    """Requests to one host over HTTP/1.1, one connection each.

    Proxies, netrc and other settings of the environment are ignored (they would see the keys). A redirect, a body
    that is not JSON, too large or too late is ``NoAnswer``: an empty answer must never look like "nothing there".
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        redact: Redactor | None = None,
        pacer: Pacer | None = None,
        limits: Limits | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Check the URL; no connection is made yet. ``transport`` replaces the network, in tests.

        Raises
        ------
        ConfigError
            The URL is not https (http is allowed to the own machine only), or has a path, user or query.
        """
        self._base = check_base_url(base_url)
        self._redact = redact or Redactor()
        self._pacer = pacer
        self._limits = limits or Limits()
        self._client = httpx2.Client(
            headers=dict(headers or {}),
            timeout=httpx2.Timeout(self._limits.read, connect=self._limits.connect),
            # A fresh connection each time: no half-dead one is ever used, and the deadline can cut it.
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release what is open."""
        self._client.close()

    def request(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Answer:
        """Send one request once and return its answer, an error's (400 and above) too.

        ``path`` begins with ``/`` and is already percent-encoded; ``body`` is sent as JSON.

        Raises
        ------
        NoAnswer
            No connection, too late, a redirect, too large, or not JSON.
        """
        if self._pacer:
            self._pacer.wait()
        where = f"{method} {self._base}{path}"
        with (
            self._translated(where),
            _Deadline(self._limits.total) as deadline,
            self._client.stream(
                method,
                self._base + path,
                params=dict(params or {}),
                json=body,
                extensions={"trace": deadline.watch},
            ) as response,
        ):
            if 300 <= response.status_code < 400:
                target = response.headers.get("location", "nowhere")
                raise self._failed(f"{where} was redirected to {target}", "redirect", response.status_code)
            content = self._read(response, where)
            return Answer(
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                self._parse(content, response, where),
            )

    def _read(self, response: httpx2.Response, where: str) -> bytes:
        parts = bytearray()
        for chunk in response.iter_bytes():
            parts += chunk
            if len(parts) > self._limits.body:
                raise self._failed(f"{where} answered more than {self._limits.body} bytes", "too large", None)
        return bytes(parts)

    def _parse(self, content: bytes, response: httpx2.Response, where: str) -> Any:
        if not content.strip():
            return None
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            with suppress(ValueError):
                return json.loads(content)
        start = content[:80].decode("utf-8", "replace")
        if response.status_code >= 400:
            return start
        message = f"{where} answered HTTP {response.status_code} with {kind or 'no type'} that is not JSON: {start!r}"
        raise self._failed(message, "not JSON", response.status_code)

    def _failed(self, message: str, kind: Failure, status: int | None) -> NoAnswer:
        return NoAnswer(self._redact(message), kind=kind, status=status)

    @contextmanager
    def _translated(self, where: str) -> Iterator[None]:
        try:
            yield
        except _Late as error:
            raise self._failed(f"{where} was not answered within {self._limits.total:g} s", "timeout", None) from error
        except httpx2.TimeoutException as error:
            raise self._failed(f"{where} timed out ({type(error).__name__})", "timeout", None) from error
        except httpx2.HTTPError as error:
            raise self._failed(f"{where} failed: {str(error) or type(error).__name__}", "network", None) from error


def check_base_url(url: str) -> str:
    """Return ``scheme://host[:port]`` of a base URL without its trailing slash.

    >>> check_base_url("https://data.alpaca.markets/")
    'https://data.alpaca.markets'

    Raises
    ------
    ConfigError
        Not https (http: own machine only), no host, or a path, user, query or fragment.
    """
    parts = urlsplit(url)
    plain = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not plain or not parts.hostname:
        raise ConfigError(
            f"{Redactor()(url)!r} is not an https URL.",
            fix="Use https://HOST (http is allowed for localhost only); proxies are not used.",
        )
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"The base URL {Redactor()(url)!r} has more than a host.",
            fix=f"Write {parts.scheme}://{parts.netloc.rpartition('@')[2]} without user, path or query.",
        )
    return f"{parts.scheme}://{parts.netloc}"


class _Late(Exception):
    pass


class _Deadline:
    """Cuts the connection after a total time: a read time limit alone lets a slow drip go on for ever."""

    def __init__(self, seconds: float) -> None:
        self._socket: socket.socket | None = None
        self._passed = threading.Event()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._timer.cancel()
        if self._passed.is_set() and not isinstance(error, NoAnswer | KeyboardInterrupt):
            raise _Late from error

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the socket that a new connection got; called by httpx2 for each step of a request."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        self._passed.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
