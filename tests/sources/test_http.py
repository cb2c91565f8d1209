"""Reads are repeated when that can help, for as long as somebody is willing to wait."""

from datetime import UTC, datetime

import httpx2
import pytest
import stamina

from aitrader.domain.clock import fixed_clock
from aitrader.errors import DataFetchError
from aitrader.sources.http import Http, RefusedByVendor
from aitrader.transport.session import Session

NOW = datetime(2024, 6, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def without_waiting():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


class Holding:
    """A pacer that only notes for how long everybody was held."""

    def __init__(self):
        self.held = []

    def wait(self):
        return 0.0

    def hold(self, seconds):
        self.held.append(seconds)


@pytest.fixture
def vendor():
    """Makes an Http whose vendor gives the prepared answers in turn; ``calls`` holds the requests."""

    def make(*answers, **options):
        calls = []
        queue = list(answers)

        def handler(request):
            calls.append(request)
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        session = Session("https://vendor.test", transport=httpx2.MockTransport(handler))
        return Http(session, clock=fixed_clock(NOW), **options), calls

    return make


@pytest.mark.parametrize(
    "bad",
    [
        httpx2.Response(503),
        httpx2.Response(429, json={"message": "too many requests."}),
        httpx2.Response(500, html="<h1>oops</h1>"),
        httpx2.Response(200, content=b"{cut", headers={"content-type": "application/json"}),
        httpx2.Response(200),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
    ],
)
def test_a_bad_moment_gets_a_second_try(vendor, bad):
    http, calls = vendor(bad, httpx2.Response(200, json={"bars": {}}))

    assert http.get("/x", {}) == {"bars": {}}
    assert len(calls) == 2


def test_it_ends_after_the_attempts_with_the_last_reason(vendor):
    http, calls = vendor(httpx2.Response(503, json={"message": "closed"}), attempts=3)

    with pytest.raises(DataFetchError, match="HTTP 503 closed"):
        http.get("/x", {})

    assert len(calls) == 3


@pytest.mark.parametrize(("status", "hint"), [(401, "keys"), (403, "plan"), (422, "settings")])
def test_a_refusal_is_not_repeated(vendor, status, hint):
    http, calls = vendor(httpx2.Response(status, json={"message": "no."}))

    with pytest.raises(RefusedByVendor) as caught:
        http.get("/x", {})

    assert (len(calls), caught.value.status) == (1, status)
    assert hint in caught.value.fix


def test_a_redirect_is_not_repeated(vendor):
    http, calls = vendor(httpx2.Response(302, headers={"location": "https://login.test"}))

    with pytest.raises(DataFetchError, match=r"login\.test"):
        http.get("/x", {})

    assert len(calls) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": "Fri, 14 Jun 2024 12:00:07 GMT"},
        {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 7)},
    ],
)
def test_a_pause_that_the_vendor_asks_for_holds_everybody(vendor, headers):
    pacer = Holding()
    http, _ = vendor(httpx2.Response(429, headers=headers), httpx2.Response(200, json={}), pacer=pacer)

    http.get("/x", {})

    assert pacer.held == [7.0]


def test_a_pause_beyond_the_budget_is_not_waited_for(vendor):
    http, calls = vendor(httpx2.Response(429, headers={"Retry-After": "3600"}), max_wait=60)

    with pytest.raises(DataFetchError):
        http.get("/x", {})

    assert len(calls) == 1


def test_pages_follow_the_token_to_the_end(vendor):
    http, calls = vendor(
        httpx2.Response(200, json={"n": 1, "next_page_token": "a"}),
        httpx2.Response(200, json={"n": 2, "next_page_token": "b"}),
        httpx2.Response(200, json={"n": 3, "next_page_token": None}),
    )

    pages = [page["n"] for page in http.pages("/x", {"symbols": "A"})]

    assert pages == [1, 2, 3]
    assert [request.url.params.get("page_token") for request in calls] == [None, "a", "b"]


@pytest.mark.parametrize("token", ["a", "", 7])
def test_a_repeated_or_empty_token_ends_the_loop_with_an_error(vendor, token):
    http, calls = vendor(
        httpx2.Response(200, json={"next_page_token": "a"}), httpx2.Response(200, json={"next_page_token": token})
    )

    with pytest.raises(DataFetchError, match="page token"):
        list(http.pages("/x", {}))

    assert len(calls) == 2


def test_retries_are_never_reported_on_stdout(vendor, capsys):
    http, _ = vendor(httpx2.Response(503), httpx2.Response(200, json={}))

    http.get("/x", {})

    assert capsys.readouterr().out == ""
