"""Features that a cluster computed are those of this process, also when a worker dies."""

import json
import os
import signal
import socket
import sys
import threading
from datetime import UTC, datetime

import pytest

from aitrader.domain.clock import fixed_clock
from aitrader.errors import ClusterError
from aitrader.jobs.assembly import cluster as sending
from aitrader.jobs.assembly import feature_builds
from aitrader.jobs.assembly.cluster_worker import identity, refuse_another
from aitrader.lake.store import Lake
from aitrader.panel import pieces

SETTINGS = """
universe: {min_history: 0, groups: sectors.csv}
features:
  min_names: 3
  custom:
    twice: "(close / close.shift(3)).rank_across().mean(5).zscore_across()"
    slow_week: "weekly(close.ema(4)) / close"
    inside: "(close / close.shift(3)).demean_across(by=sector).mean(5)"
  sets: {mine: [momentum, momentum_rank, ema, twice, slow_week, volatility, inside, sector_beta]}
  compute: [mine]
"""


@pytest.fixture
def roots(tmp_path, made_bars, store_bars):
    """Two roots with the same bars."""
    found = []
    for name in ("here", "there"):
        root = tmp_path / name
        for folder in ("config", "data_lake", "logs", "state"):
            (root / folder).mkdir(parents=True)
        (root / "config" / "aitrader.yaml").write_text(SETTINGS)
        (root / "sectors.csv").write_text("symbol,sector\n" + "".join(f"S{n:02d},{'ab'[n % 2]}\n" for n in range(8)))
        store_bars(root, made_bars())
        found.append(root)
    return found


@pytest.fixture
def two_workers(socket_enabled):
    """A scheduler and two worker processes on this machine."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def small_pieces(monkeypatch):
    """One symbol a piece, so that there are many."""
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 20_000)


def _hash(root):
    with Lake.open(root / "data_lake", clock=fixed_clock(datetime(2014, 1, 2, tzinfo=UTC))) as lake:
        return lake.snapshot().content_hash("features/1d")


def test_a_worker_killed_in_the_middle_changes_no_bit(run_cli, roots, two_workers, small_pieces, monkeypatch):
    here, there = roots
    assert run_cli("calculate-features", root=here).code == 0
    compute, done, killed = sending.Cluster.compute, [], []

    def compute_and_kill(cluster, program, piece):
        values = compute(cluster, program, piece)
        done.append(piece)
        if len(done) == 1:
            address, process = min(cluster._client.run(os.getpid).items())
            os.kill(process, signal.SIGKILL)
            killed.append(address)
        return values

    monkeypatch.setattr(sending.Cluster, "compute", compute_and_kill)
    ran = run_cli("calculate-features", "--cluster", two_workers.scheduler_address, "--json", root=there)

    assert ran.code == 0, ran.err
    assert not set(killed) & set(two_workers.scheduler.workers)
    assert len(done) > 40
    assert _hash(there) == _hash(here)
    receipt = json.loads(next((there / "data_lake" / "receipts").iterdir()).read_text())
    assert receipt["arguments"]["cluster"] == two_workers.scheduler_address


def test_local_workers_give_the_same_values_and_end_with_the_command(run_cli, roots, socket_enabled, monkeypatch):
    here, there = roots
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert run_cli("calculate-features", root=here).code == 0

    ran = run_cli("calculate-features", "--cluster", "local", "--trace", str(there / "profile.json"), root=there)

    assert ran.code == 0, ran.err
    assert _hash(there) == _hash(here)
    events = json.loads((there / "profile.json").read_text())["traceEvents"]
    processes = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert processes.pop(1) == "aitrader calculate-features"
    assert all(name.startswith("worker ") for name in processes.values())
    assert {event["pid"] for event in events if event["name"] == "compute"} == set(processes) != set()


def test_a_fresh_lake_needs_no_cluster(run_cli, roots):
    root = roots[0]
    assert run_cli("calculate-features", root=root).code == 0

    assert run_cli("calculate-features", "--cluster", "tcp://127.0.0.1:1", root=root).code == 0


def test_an_address_where_nobody_answers_is_told(run_cli, roots, socket_enabled, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and never answers
        ran = run_cli("calculate-features", "--cluster", f"127.0.0.1:{silent.getsockname()[1]}", root=roots[0])

    assert ran.code == 3
    assert ran.err.splitlines()[0].startswith("error: No scheduler answers at 127.0.0.1:")
    assert "dask scheduler" in ran.err.splitlines()[1]


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01" + bytes(63)])
def test_an_address_where_something_else_answers_is_told(run_cli, roots, socket_enabled, words):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            taken, _ = other.accept()
            with taken:
                taken.sendall(words)
                taken.recv(1 << 16)
                taken.recv(1 << 16)

        threading.Thread(target=answer, daemon=True).start()
        ran = run_cli("calculate-features", "--cluster", f"127.0.0.1:{other.getsockname()[1]}", root=roots[0])

    assert ran.code == 3
    assert ran.err.splitlines()[0].endswith(" is no scheduler.")


def test_a_scheduler_without_workers_is_told(run_cli, roots, socket_enabled, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(sending, "ANSWER_SECONDS", 1)
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        ran = run_cli("calculate-features", "--cluster", cluster.scheduler_address, root=roots[0])

    assert ran.code == 3
    assert ran.err.splitlines()[0] == "error: The scheduler has no workers, nor did one come within 1 seconds."


@pytest.mark.parametrize("address", ["ftp://somewhere", "", " "])
def test_what_is_no_address_is_a_wrong_argument(run_cli, roots, socket_enabled, address):
    ran = run_cli("calculate-features", "--cluster", address, root=roots[0])

    assert ran.code == 2
    assert f"{address!r} is no address of a cluster" in ran.err


def test_without_its_extra_the_option_names_it(run_cli, roots, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    ran = run_cli("calculate-features", "--cluster", "local", root=roots[0])

    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: --cluster needs the package distributed, which is not installed.",
        "fix: Install the extra `cluster`: pip install 'aitrader[cluster]'.",
    ]


@pytest.mark.parametrize("name", ["aitrader", "numpy", "numba", "sources", "arithmetic"])
def test_a_worker_that_would_compute_other_bits_is_refused(name):
    with pytest.raises(ClusterError, match=f"tcp://there:1 would compute other bits: its {name} is other, here "):
        refuse_another("tcp://there:1", identity(), {**identity(), name: "other"})
