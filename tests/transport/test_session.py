"""What the one HTTP session accepts as an answer, and what it refuses to believe."""

import socket
import threading
import time

import httpx2
import pytest
from pydantic import SecretStr

from aitrader.errors import ConfigError
from aitrader.transport.redact import Redactor
from aitrader.transport.session import Limits, NoAnswer, Session, check_base_url


def session(handler, **options):
    return Session("https://vendor.test", transport=httpx2.MockTransport(handler), **options)


def refused(handler, **options):
    with pytest.raises(NoAnswer) as caught:
        session(handler, **options).request("GET", "/x")
    return caught.value


def test_a_json_answer_comes_with_status_and_headers():
    answer = session(lambda _: httpx2.Response(200, json={"a": 1}, headers={"X-Rate": "7"})).request("GET", "/x")

    assert (answer.status, answer.body, answer.headers["x-rate"]) == (200, {"a": 1}, "7")


def test_the_request_carries_its_parameters_body_and_headers():
    seen = {}

    def handler(request):
        seen.update(url=str(request.url), body=request.content, key=request.headers["X-Key"])
        return httpx2.Response(200, json={})

    session(handler, headers={"X-Key": "k"}).request("POST", "/x", params={"a": "1,2"}, body={"q": "1"})

    assert seen == {"url": "https://vendor.test/x?a=1%2C2", "body": b'{"q":"1"}', "key": "k"}


def test_an_error_status_is_an_answer_with_its_body():
    answer = session(lambda _: httpx2.Response(403, json={"message": "forbidden."})).request("GET", "/x")

    assert (answer.status, answer.body) == (403, {"message": "forbidden."})


def test_an_html_error_page_is_an_answer_with_its_beginning():
    answer = session(lambda _: httpx2.Response(502, html="<h1>Bad</h1>")).request("GET", "/x")

    assert (answer.status, answer.body) == (502, "<h1>Bad</h1>")


def test_an_empty_redirect_is_no_answer():
    error = refused(lambda _: httpx2.Response(302, headers={"location": "https://elsewhere.test"}))

    assert (error.kind, error.status) == ("redirect", 302)
    assert "elsewhere.test" in str(error)


@pytest.mark.parametrize("content", [b"{broken", b"<html>"])
def test_a_success_that_is_not_json_is_no_answer(content):
    error = refused(lambda _: httpx2.Response(200, content=content, headers={"content-type": "application/json"}))

    assert error.kind == "not JSON"


def test_json_under_another_type_is_no_answer():
    assert refused(lambda _: httpx2.Response(200, text="{}")).kind == "not JSON"


def test_an_empty_success_has_no_body():
    assert session(lambda _: httpx2.Response(204)).request("DELETE", "/x").body is None


def test_a_body_above_the_cap_is_no_answer():
    error = refused(lambda _: httpx2.Response(200, json="x" * 100), limits=Limits(body=50))

    assert error.kind == "too large"


@pytest.mark.parametrize(
    ("raised", "kind"), [(httpx2.ConnectError("refused"), "network"), (httpx2.ReadTimeout("slow"), "timeout")]
)
def test_a_broken_connection_is_no_answer(raised, kind):
    def handler(_):
        raise raised

    assert refused(handler).kind == kind


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_request_that_fails_is_not_sent_again(method):
    """A second POST might be a second order: whoever asks decides whether to ask again."""
    sent = []

    def handler(request):
        sent.append(request.method)
        raise httpx2.ReadError("reset")

    with pytest.raises(NoAnswer):
        session(handler).request(method, "/orders")

    assert sent == [method]


def test_a_key_in_a_failure_is_hidden():
    def handler(_):
        raise httpx2.ConnectError("proxy said PKSECRET")

    error = refused(handler, redact=Redactor((SecretStr("PKSECRET"),)))

    assert "PKSECRET" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://data.alpaca.markets",
        "https://data.alpaca.markets/v2",
        "https://user:key@data.alpaca.markets",
        "https://x.test?a=1",
        "ftp://x.test",
        "data.alpaca.markets",
        "https://",
    ],
)
def test_a_base_url_that_is_not_a_plain_https_host_is_refused(url):
    with pytest.raises(ConfigError):
        check_base_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"])
def test_plain_http_is_for_the_own_machine(url):
    assert check_base_url(url) == url


@pytest.fixture
def drip(socket_enabled):
    """A server that answers one byte of a header at a time and never ends."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    stop.set()
    thread.join(5)
    server.close()


def test_a_slow_drip_ends_at_the_total_deadline(drip):
    slow = Session(f"http://127.0.0.1:{drip}", limits=Limits(total=0.3))
    start = time.monotonic()

    with pytest.raises(NoAnswer) as caught:
        slow.request("GET", "/x")

    assert caught.value.kind == "timeout"
    assert time.monotonic() - start < 5


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert session(lambda _: httpx2.Response(200, json=[])).request("GET", "/x").body == []
