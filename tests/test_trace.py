"""Spans are measured only while somebody records, and laid out as Chrome's trace-event format says."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from aitrader.trace import Elsewhere, Recorder, elsewhere, lap, recording, span, spanned


@pytest.fixture
def recorder():
    """A recorder whose clock goes on by a microsecond whenever it is read."""
    ticks = count(0, 1000)
    return Recorder(lambda: next(ticks))


def spans(recorder):
    events = json.loads(recorder.to_json("test"))["traceEvents"]
    return [event for event in events if event["ph"] == "X"]


def test_a_span_has_a_beginning_a_length_and_what_was_said_of_it(recorder):
    with recording(recorder), span("load", symbols=3):
        pass

    (event,) = spans(recorder)

    assert event == {"ph": "X", "name": "load", "pid": 1, "tid": 0, "ts": 1.0, "dur": 1.0, "args": {"symbols": 3}}


def test_spans_nest_and_the_outer_comes_first(recorder):
    with recording(recorder), span("outer"), span("inner"):
        pass

    outer, inner = spans(recorder)

    assert (outer["name"], inner["name"]) == ("outer", "inner")
    assert outer["ts"] < inner["ts"]
    assert inner["ts"] + inner["dur"] < outer["ts"] + outer["dur"]


def test_a_span_that_fails_is_measured_too(recorder):
    with recording(recorder), pytest.raises(KeyError), span("fails"):
        raise KeyError

    assert [event["name"] for event in spans(recorder)] == ["fails"]


def test_threads_are_tracks_with_their_names(recorder):
    with recording(recorder), ThreadPoolExecutor(1, thread_name_prefix="worker") as pool:
        assert pool.submit(spanned("block")(abs), -3).result() == 3
        with span("main"):
            pass

    events = json.loads(recorder.to_json("features ls"))["traceEvents"]
    names = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    tracks = {event["name"]: event["tid"] for event in events if event["ph"] == "X"}

    assert names["aitrader features ls"] == 0
    assert (tracks["main"], tracks["block"]) == (names["MainThread"], names["worker_0"])


def test_parts_of_a_job_are_a_track_of_their_own(recorder):
    with recording(recorder):
        for done in range(3):
            lap("folds", done, 2)

    first, second = spans(recorder)

    assert (first["name"], second["name"]) == ("folds 1/2", "folds 2/2")
    assert first["ts"] + first["dur"] == second["ts"]
    assert first["tid"] == second["tid"] == 1


def test_other_processes_are_processes_of_the_profile(recorder):
    done = Elsewhere("worker 7", "first", {"unpack": 1000, "compute": 2000})
    with recording(recorder), span("wait"):
        elsewhere(done)

    events = json.loads(recorder.to_json("test"))["traceEvents"]
    unpack, compute, wait = (
        next(event for event in events if event["name"] == name) for name in ("unpack", "compute", "wait")
    )
    names = {
        (event["pid"], event["name"], event["tid"]): event["args"]["name"] for event in events if event["ph"] == "M"
    }

    assert (unpack["ts"] + unpack["dur"], compute["dur"]) == (compute["ts"], 2.0)
    assert compute["ts"] + compute["dur"] == wait["ts"] + wait["dur"] - 1
    assert wait["pid"] == 1
    assert names[compute["pid"], "process_name", 0] == "worker 7"
    assert names[compute["pid"], "thread_name", compute["tid"]] == "first"


def test_one_thread_of_another_process_does_one_thing_at_a_time(recorder):
    with recording(recorder):
        elsewhere(Elsewhere("worker 7", "first", {"compute": 1000}))
        elsewhere(Elsewhere("worker 7", "first", {"compute": 9000}))

    first, second = spans(recorder)

    assert second["ts"] == first["ts"] + first["dur"]


def test_nothing_is_measured_unless_somebody_records(recorder):
    with recording(recorder):
        pass
    with span("after"):
        lap("after", 1, 1)
        elsewhere(Elsewhere("worker 7", "first", {"compute": 1}))

    assert spans(recorder) == []
    assert span("one") is span("another")


def test_a_measured_function_stays_itself():
    def double(number: int) -> int:
        """Twice the number."""
        return 2 * number

    measured = spanned("double")(double)

    assert (measured(4), measured.__name__, measured.__doc__) == (8, "double", "Twice the number.")
