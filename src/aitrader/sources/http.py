"""Reads that may be repeated: GET requests with a budget of patience, through one strict session."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import stamina
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from aitrader.domain.clock import Clock
from aitrader.errors import DataFetchError
from aitrader.trace import spanned
from aitrader.transport.pacing import Pacer
from aitrader.transport.session import Answer, NoAnswer, Session

# By default stamina reports retries through structlog, which prints to stdout: there stands the command's result.
set_on_retry_hooks([LoggingOnRetryHook])

Result = TypeVar("Result")

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOST_PAGES: Final = 10_000


def patiently(
    call: Callable[[], Result], again: Callable[[Exception], bool | float], *, attempts: int, max_wait: float
) -> Result:
    """Return what ``call`` returns, trying again where ``again`` says so (True, or the seconds to wait).

    Pauses grow from half a second to 15 seconds, with jitter; no new try begins after ``max_wait`` seconds. The last
    exception is raised.
    """
    for attempt in stamina.retry_context(
        on=again, attempts=attempts, timeout=max_wait, wait_initial=0.5, wait_max=15.0
    ):
        with attempt:
            return call()
    raise AssertionError("stamina ends by returning or raising")


class RefusedByVendor(DataFetchError):
    """The vendor answered that it will not: bad keys, a bad symbol, a plan that does not allow it."""

    def __init__(self, message: str, *, status: int, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.status = status


class _Later(Exception):
    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Http:
    """GET requests to one vendor; what is worth a second try gets it, within ``max_wait`` seconds of waiting in all.

    Timeouts, broken connections, 408, 425, 429 and 5xx are tried again with growing pauses and jitter, or after
    the pause that ``Retry-After`` or ``X-RateLimit-Reset`` asks for; ``pacer`` then holds all other callers too.
    """

    def __init__(
        self, session: Session, *, clock: Clock, pacer: Pacer | None = None, max_wait: float = 60.0, attempts: int = 5
    ) -> None:
        self._session = session
        self._clock = clock
        self._pacer = pacer
        self._max_wait = max_wait
        self._attempts = attempts

    def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Return the JSON object at ``path``.

        Raises
        ------
        RefusedByVendor
            Another 4xx: repeating it would not help.
        DataFetchError
            No usable answer within the attempts and the budget of waiting.
        """
        left = self._max_wait

        def again(error: Exception) -> bool | float:
            nonlocal left
            if not isinstance(error, _Later):
                return False
            if error.wait is None:
                return True
            if error.wait > left:
                return False
            left -= error.wait
            if self._pacer:
                self._pacer.hold(error.wait)
            return error.wait

        try:
            return patiently(lambda: self._once(path, params), again, attempts=self._attempts, max_wait=self._max_wait)
        except _Later as error:
            fix = "Run again later: what was fetched so far is kept."
            raise DataFetchError(f"{error} (tried until {self._max_wait:g} s of waiting).", fix=fix) from error

    def pages(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield every page of ``path``, following ``next_page_token``.

        Raises
        ------
        DataFetchError
            A token is empty or came before: the vendor would be asked for ever, or rows would be missing.
        """
        seen: set[str] = set()
        token: object = None
        for _ in range(_MOST_PAGES):
            page = self.get(path, {**params, "page_token": str(token)} if token else params)
            yield page
            token = page.get("next_page_token")
            if token is None:
                return
            if not isinstance(token, str) or not token or token in seen:
                raise DataFetchError(
                    f"{path}: the page token {token!r:.60} is empty or came before, so pages are missing.",
                    fix="Run again; if it stays, the vendor is at fault.",
                )
            seen.add(token)
        raise DataFetchError(f"{path} has more than {_MOST_PAGES} pages.", fix="Ask for fewer symbols or sessions.")

    @spanned("ask")
    def _once(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = self._session.request("GET", path, params=params)
        except NoAnswer as error:
            # A redirect or an answer that is far too large is a wrong address, not a bad moment.
            if error.kind in {"redirect", "too large"}:
                raise DataFetchError(f"{error}.", fix="Check the base URL of the source.") from error
            raise _Later(str(error)) from error
        if answer.status in _BUSY:
            raise _Later(f"GET {path} answered HTTP {answer.status} {_text(answer)}", self._pause(answer))
        if answer.status >= 400:
            raise _refused(path, answer)
        if not isinstance(answer.body, dict):
            raise _Later(f"GET {path} answered HTTP {answer.status} without a JSON object")
        return answer.body

    def _pause(self, answer: Answer) -> float | None:
        after = answer.headers.get("retry-after", "")
        if after.isdigit():
            return float(after)
        now = self._clock()
        try:
            if after:
                return max(0.0, (parsedate_to_datetime(after).astimezone(UTC) - now).total_seconds())
            if answer.status == 429 and (reset := answer.headers.get("x-ratelimit-reset")):
                return max(0.0, (datetime.fromtimestamp(float(reset), UTC) - now).total_seconds())
        except (ValueError, OverflowError, OSError):
            return None
        return None


def _refused(path: str, answer: Answer) -> RefusedByVendor:
    fixes = {401: "Check the keys: they are missing, wrong or reset.", 403: "Check the keys and what your plan allows."}
    return RefusedByVendor(
        f"GET {path} was refused: HTTP {answer.status} {_text(answer)}".rstrip() + ".",
        status=answer.status,
        fix=fixes.get(answer.status, "Check the symbols and the settings of the source."),
    )


def _text(answer: Answer) -> str:
    body = answer.body
    return str(body.get("message", body))[:160] if isinstance(body, dict) else str(body or "")[:160]
