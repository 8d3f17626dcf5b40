"""The tasks of a run on the workers of a Dask scheduler, on this machine or others."""

from __future__ import annotations

import hashlib
import logging
import pickle
import socket
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from socialfinance.core.errors import InputError, RunError
from socialfinance.engine.accumulate import Block
from socialfinance.engine.cases import DealCases
from socialfinance.engine.executors import LESS, LOSSES, Done, Task, Work, differences, installed

PATIENCE = 10.0
"""Seconds within which a scheduler answers, and has a first worker."""
DESERTED = 60.0
"""Seconds for which a run waits for a worker after the last is gone."""
LOOKS = 1.0
"""Seconds between two looks at whether the scheduler and any worker are still there."""
IN_FLIGHT = 3
"""Tasks for each worker that are with the scheduler at once: in work, ready to begin, to be fetched."""
ADDRESS = "tcp://HOST:PORT of a Dask scheduler, or local"
LOGGERS = (
    "asyncio", "distributed", "distributed.client", "distributed.core", "tornado", "tornado.application",
)  # fmt: skip
"""What may speak on stderr of a connection that is lost."""
GREETING = b"compression"
"""Stands in the first message of all that speaks Dask's protocol: what compression it knows."""
WORKS = 2
"""Works that a worker holds ready at once."""


class OnDask:
    """Does tasks on the workers of a scheduler; ``client`` is connected to it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, work: Work, tasks: Sequence[Task], done: Done) -> None:
        """Do every task on some worker; a worker that is lost costs the tasks that it had."""
        with _in_words(self._client):
            flight = _Flight(self._client, work, tasks)
        try:
            while flight.more():
                with _in_words(self._client):
                    given = flight.next()
                done(given)
        finally:
            flight.recall()


class _Flight:
    """The tasks of one run: which wait here, which are with the scheduler.

    Only a few are with the scheduler at once, and what comes back is let go as soon as it is taken, so that
    results pile up neither here nor there.
    """

    def __init__(self, client: Any, work: Work, tasks: Sequence[Task]) -> None:
        self._client, self._waiting = client, deque(enumerate(tasks))
        packed = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        self._digest, self._run = hashlib.sha256(packed).hexdigest(), uuid4().hex
        # As a task, not as data: if all workers that hold it are lost, the scheduler makes it again.
        self._work = client.submit(_as_it_is, packed, key=f"socialfinance-work-{self._run}")
        self._flying: set[Any] = set()
        self._back: SimpleQueue[Any] = SimpleQueue()
        self._seen = time.monotonic()

    def more(self) -> bool:
        """Whether anything is still to come."""
        return bool(self._waiting or self._flying)

    def next(self) -> Block | DealCases:
        """What the next task that is back gave; the scheduler has been given as many as there is room for."""
        self._send()
        while True:
            try:
                future = self._back.get(timeout=LOOKS)
                break
            except Empty:
                self._look()
        given = self._fetched(future)
        self._flying.discard(future)
        future.release()
        self._seen = time.monotonic()
        return given

    def _fetched(self, future: Any) -> Block | DealCases:
        """What a task gave; its worker may be gone with it, and nobody left to do it again."""
        patience = LOOKS
        while True:
            try:
                given: Block | DealCases = future.result(timeout=patience)
                return given
            except TimeoutError:
                if future.status == "error":  # what the task itself raised
                    raise
                self._look()
                patience *= 2  # a large block on a slow line is fetched from its start each time

    def _send(self) -> None:
        room = IN_FLIGHT * max(len(self._client.nthreads()), 1)
        while self._waiting and len(self._flying) < room:
            number, task = self._waiting.popleft()
            future = self._client.submit(
                _do_one, self._work, self._digest, dict(installed()), task,
                key=f"socialfinance-task-{self._run}-{number}", retries=LOSSES - 1,
            )  # fmt: skip
            self._flying.add(future)
            future.add_done_callback(self._back.put)

    def _look(self) -> None:
        if self._client.status != "running":
            raise _gone(self._client)
        if self._client.nthreads():
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > DESERTED:
            raise RunError(f"no worker is left at {_where(self._client)}, and none came for {DESERTED:g} s")

    def recall(self) -> None:
        """Let go of all that is there; after an error nobody waits for it."""
        with suppress(OSError):  # whoever is gone holds nothing
            if self._client.status == "running":
                if self._flying:
                    self._client.cancel(list(self._flying), force=True)
                for future in (*self._flying, self._work):
                    future.release()
        self._flying.clear()


# --- the worker's side ----------------------------------------------------------------------------

_ready: OrderedDict[str, Work] = OrderedDict()
_alone = Lock()
"""One task at a time in a process: threads would gain nothing, and share what is made ready."""


def _as_it_is(packed: bytes) -> bytes:
    return packed


def _do_one(packed: bytes, digest: str, wanted: Mapping[str, str], task: Task) -> Block | DealCases:
    """What a task gives, on a worker that may have come after the run began."""
    if dict(wanted) != dict(installed()):
        raise RunError("a worker has another installation than the one that the run began with")
    with _alone, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers too large: a figure's status says so
        if digest not in _ready:
            _ready[digest] = pickle.loads(packed)
            while len(_ready) > WORKS:
                _ready.popitem(last=False)
        return _ready[digest].do(task)


def _question() -> Callable[[], Any]:
    """What a worker is asked first. A function inside one travels as it is, with no import of this module."""

    def ask() -> Any:
        try:
            from socialfinance.engine.executors import installed
        except ImportError as error:
            return f"cannot import socialfinance: {error}"
        return dict(installed())

    return ask


# --- the connection -------------------------------------------------------------------------------


@contextmanager
def connected(scheduler: Any, workers: int) -> Iterator[OnDask]:
    """An executor on a scheduler, found as :func:`socialfinance.engine.executors.elsewhere` says."""
    distributed = _distributed()
    if isinstance(scheduler, distributed.Client):
        _check(scheduler)
        yield OnDask(scheduler)
    elif not isinstance(scheduler, str):
        raise InputError("is no scheduler", field="scheduler", given=scheduler, allowed=ADDRESS)
    elif scheduler == "local":
        from socialfinance.engine.executors_cluster import local_cluster

        with local_cluster(workers) as address, _client(distributed, address) as client:
            _check(client)
            yield OnDask(client)
    else:
        address = _address(scheduler)
        _reached(scheduler, address)
        with _client(distributed, address) as client:
            _check(client)
            yield OnDask(client)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            "needs Dask, which is not installed: pip install 'socialfinance[dask]'", field="scheduler"
        ) from None
    return distributed


def _address(scheduler: str) -> str:
    """With the scheme that Dask takes where none is given."""
    address = scheduler if "://" in scheduler else f"tcp://{scheduler}"
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        known = False
    if not known:
        raise InputError("is no address", field="scheduler", given=scheduler, allowed=ADDRESS)
    return address


def _reached(scheduler: str, address: str) -> None:
    """Say at once that nobody listens, or somebody else: Dask itself would try on, or wait for ever."""
    parts = urlsplit(address)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE) as line:
            line.settimeout(PATIENCE)
            greeting = GREETING if parts.scheme == "tls" else line.recv(256)  # under TLS the client begins
    except TimeoutError:
        greeting = b""
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be reached: {why}", field="scheduler", given=scheduler) from None
    if GREETING not in greeting:
        raise InputError("is no Dask scheduler that answers", field="scheduler", given=scheduler)


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    """A client that is closed with the context, and says nothing of its own on stderr."""
    with _quiet():
        try:
            with warnings.catch_warnings():  # `_check` says which versions differ, where it matters
                warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
                client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except Exception as error:
            raise InputError(
                f"does not answer as a Dask scheduler of a version that fits: {_brief(error)}",
                field="scheduler", given=address,
            ) from None  # fmt: skip
        try:
            yield client
        finally:
            client.close(timeout=PATIENCE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what Dask logs: what matters of it is raised as an error."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(one, one.handlers[:], one.propagate) for one in loggers]
    for one in loggers:
        one.handlers, one.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        for one, handlers, propagate in before:
            one.handlers, one.propagate = handlers, propagate


def _check(client: Any) -> None:
    """Refuse a scheduler without workers, and workers that would give other bits."""
    if getattr(client, "asynchronous", False):
        raise InputError("is an asynchronous client", field="scheduler", allowed="a synchronous one")
    where = _where(client)
    with _in_words(client):
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"has no workers: start some with dask worker {where}", field="scheduler", given=where
            ) from None
        told = client.run(_question(), on_error="return")
    for worker, answer in sorted(told.items()):
        if isinstance(
            answer, OSError
        ):  # gone since; whoever comes in its place is asked with its first block
            continue
        wrong = differences(answer) if isinstance(answer, dict) else answer
        if isinstance(answer, BaseException):
            wrong = f"cannot be asked: {_brief(answer)}"
        if wrong:
            raise InputError(f"worker {worker}: {wrong}", field="scheduler", given=where)


def _where(client: Any) -> str:
    return str(client.scheduler.address) if client.scheduler is not None else "the Dask scheduler"


def _gone(client: Any) -> RunError:
    return RunError(f"the connection to {_where(client)} was lost: the scheduler is gone or out of reach")


@contextmanager
def _in_words(client: Any) -> Iterator[None]:
    """Turn what Dask raises into an error of the run; what a task itself raised stays what it is."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        yield
    except KilledWorker:
        raise RunError(f"the workers that took a block of paths died one after the other, {LESS}") from None
    except (CancelledError, OSError):  # of a connection that is lost: some of Dask are of no nearer kind
        raise _gone(client) from None
    except ImportError as error:
        raise RunError(f"a worker cannot import what a task needs: {error}") from None


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
