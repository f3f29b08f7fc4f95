"""Several processes on one listening socket: started, replaced when they die, stopped together."""

import multiprocessing
import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from prometheus_client.multiprocess import mark_process_dead

from huiyao import telemetry
from huiyao.errors import OperatorError
from huiyao.server.process import HANDSHAKE_SECONDS, SIGNALS, turn_away

LOOK_SECONDS: Final = 0.2
STOP_SECONDS: Final = 30.0  # longer than a worker's own way out
SETTLED_SECONDS: Final = 10.0  # a worker that lived this long did not fail at its start
LONGEST_PAUSE_SECONDS: Final = 10.0
HOPELESS: Final = 78  # exit code (EX_CONFIG of sysexits.h) of a worker that no other could do better than


def supervise(work: Callable[..., None], *arguments: Any, count: int, listener: socket.socket) -> None:
    """Run `work(listener, *arguments)` in `count` processes until SIGTERM or SIGINT, then stop them all.

    `work` is a function of a module, since it runs in a fresh interpreter; it ends on SIGTERM. Raises OperatorError
    where one ends with the exit code HOPELESS.
    """
    with tempfile.TemporaryDirectory(prefix="huiyao-metrics-") as metrics:
        # Set before the workers import the metrics: they share them through files there.
        os.environ[telemetry.SHARED_METRICS] = metrics
        _Supervisor(work, (listener, *arguments), count=count).run(listener)


def follow_parent() -> None:
    """In a worker: end like on SIGTERM when the supervisor is gone, or the port stays taken for good."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True, name="follow-parent").start()


class _Supervisor:
    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], *, count: int) -> None:
        self._work = work
        self._arguments = arguments
        self._count = count
        self._stopping = False
        self._hopeless = False
        self._workers: dict[SpawnProcess, float] = {}  # when each was started, monotonic
        self._failures = 0
        self._start_at = 0.0
        self._log = telemetry.logger()

    def run(self, listener: socket.socket) -> None:
        for one in SIGNALS:
            signal.signal(one, self._stop)
        while not self._stopping:
            self._fill()
            wait([one.sentinel for one in self._workers], timeout=LOOK_SECONDS)
            self._bury()
        turn_away(listener)
        time.sleep(HANDSHAKE_SECONDS)
        listener.close()  # or the kernel would go on accepting when the last worker has closed it
        self._stop_all()
        if self._hopeless:
            raise OperatorError("No worker can go on; each has said why.")

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _fill(self) -> None:
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < self._count and time.monotonic() >= self._start_at and not self._stopping:
            worker = context.Process(target=self._work, args=self._arguments)
            worker.start()
            self._workers[worker] = time.monotonic()

    def _bury(self) -> None:
        now = time.monotonic()
        for worker, started_at in list(self._workers.items()):
            if worker.exitcode is None:
                continue
            del self._workers[worker]
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
            if self._stopping:
                continue
            if worker.exitcode == HOPELESS:
                self._hopeless = self._stopping = True
                continue
            self._log.error("worker died", pid=worker.pid, exit_code=worker.exitcode)
            self._failures = 0 if now - started_at >= SETTLED_SECONDS else self._failures + 1
            longest = min(LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(self._failures, 10))
            self._start_at = now + longest * random.uniform(0.5, 1)  # noqa: S311

    def _stop_all(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
            if worker.exitcode is None:
                self._log.error("worker does not stop", pid=worker.pid)
                worker.kill()
                worker.join()
