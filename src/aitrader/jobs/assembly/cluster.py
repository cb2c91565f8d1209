"""A Dask cluster that computes pieces of builds: found, refused if it would give other bits, and fed."""

import asyncio
import logging
import os
import pickle
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from aitrader.errors import ClusterError, UsageError
from aitrader.jobs.assembly.cluster_worker import Identity, identity, refuse_another, work
from aitrader.jobs.assembly.feature_pieces import Means
from aitrader.panel.pieces import Done, Piece
from aitrader.panel.program import Program
from aitrader.trace import elsewhere, spanned

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL: Final = "local"
"""The address that stands for workers on this machine, one per processor."""

ANSWER_SECONDS: Final = 10
"""How long a scheduler and its first worker may take to answer."""

CHECK_SECONDS: Final = 15
"""How often somebody who waits for a piece looks whether there still are workers; the second look in vain ends it."""

_RESTART: Final = "Start the scheduler and its workers again, then this command: finished parts are kept."


class Cluster:
    """Sends pieces to workers. A piece whose worker died is computed by another one, which Dask sees to."""

    def __init__(self, client: "Client") -> None:
        self._client: Final = client
        self._identity: Final = identity()
        self._packed: tuple[Program, bytes] | None = None
        self.workers: Final = self._found()

    @spanned("piece")
    def compute(self, program: Program, piece: Piece) -> Done:
        """Run a piece on some worker and return what it gives.

        Raises
        ------
        ClusterError
            The scheduler or all workers went away, a piece ended several workers, or one computes other bits.
        """
        from distributed import CancelledError, KilledWorker

        packed = pickle.dumps(piece, protocol=5)
        try:
            future = self._client.submit(work, self._program(program), packed, self._identity, pure=False)
            return self._result(future)
        except KilledWorker as error:
            raise ClusterError(
                f"A piece of {len(packed) >> 20} MB ended one worker after another.",
                fix="Give the workers more memory, or look into their logs.",
            ) from error
        except (CancelledError, OSError) as error:
            raise ClusterError("The scheduler of the cluster went away.", fix=_RESTART) from error
        except ImportError as error:
            raise ClusterError(f"A worker has no aitrader: {error}.", fix="Install aitrader on all workers.") from error

    def _result(self, future: "Future[Any]") -> Done:
        from distributed import TimeoutError as StillWaiting

        alone = 0
        while True:
            try:
                done: Done
                done, spent = future.result(timeout=CHECK_SECONDS)
                elsewhere(spent)
                return done
            except StillWaiting:
                alone = 0 if self._client.nthreads() else alone + 1
                if alone == 2:
                    raise ClusterError("The cluster has no workers any more.", fix=_RESTART) from None

    def _program(self, program: Program) -> bytes:
        """Return the program as bytes, made once for all its pieces."""
        known = self._packed
        if known is None or known[0] is not program:
            known = self._packed = (program, pickle.dumps(program, protocol=5))
        return known[1]

    def _found(self) -> int:
        """Return how many pieces the workers compute at the same time, once all are looked at."""
        from distributed import TimeoutError as TooLate

        try:
            self._client.wait_for_workers(1, timeout=ANSWER_SECONDS)
        except TooLate:
            raise ClusterError(
                f"The scheduler has no workers, nor did one come within {ANSWER_SECONDS} seconds.",
                fix="Start some: `dask worker ADDRESS --nthreads 1`.",
            ) from None
        answers: dict[str, Identity | Exception] = self._client.run(identity, on_error="return")
        for worker, answer in sorted(answers.items()):
            if isinstance(answer, Exception):
                raise ClusterError(
                    f"The worker {worker} cannot say what it is: {answer}.",
                    fix="Install the same aitrader there as here.",
                )
            refuse_another(worker, self._identity, answer)
        return sum(self._client.nthreads().values())


@contextmanager
def cluster_means(address: str) -> Iterator[Means]:
    """Yield what builds features on the cluster at ``address``; ``LOCAL`` starts one here, and ends it.

    Raises
    ------
    UsageError
        Dask is not installed, or ``address`` is none.
    ClusterError
        Nobody answers there, or the workers would give other bits.
    """
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--cluster needs the package {error.name}, which is not installed.",
            fix="Install the extra `cluster`: pip install 'aitrader[cluster]'.",
        ) from error
    with ExitStack() as stack:
        # A piece is meant to be large; without this Dask warns of each.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}))
        if address == LOCAL:
            client = distributed.Client(stack.enter_context(_workers_here()), set_as_default=False)
        else:
            client = _client(address)
        cluster = Cluster(stack.enter_context(client))
        threads = ThreadPoolExecutor(2 * cluster.workers, thread_name_prefix="sender")
        yield Means(stack.enter_context(threads), cluster.workers + 1, cluster)


def _workers_here() -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=os.cpu_count() or 1,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.ERROR,
    )


def _client(address: str) -> "Client":
    from distributed import Client

    try:
        if not address.strip():
            raise ValueError("it is empty")
        asyncio.run(_greeted(address))
        return Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except ValueError as error:
        raise UsageError(
            f"{address!r} is no address of a cluster: {error}.",
            fix="Write it like tcp://10.0.0.5:8786, as the scheduler tells it, or `local`.",
        ) from error
    except OSError as error:
        raise ClusterError(
            f"No scheduler answers at {address} within {ANSWER_SECONDS} seconds.",
            fix="Start one there with `dask scheduler`, or use `--cluster local`.",
        ) from error
    except (MemoryError, struct.error) as error:  # a greeting's length and parts, read from other words
        raise ClusterError(
            f"What answers at {address} is no scheduler.", fix="Look at its port: 8786, as a rule."
        ) from error


async def _greeted(address: str) -> None:
    """Raise ``OSError`` if nobody answers there in time: a client would wait for ever for who takes its call only."""
    from distributed import Security
    from distributed.comm.core import connect

    comm = await asyncio.wait_for(connect(address, **Security().get_connection_args("client")), ANSWER_SECONDS)
    comm.abort()
