"""Logs and metrics: JSON lines on standard error, and what /metrics shows to Prometheus.

No secret, token, query string, name, text or number is ever given to either.
"""

import contextlib
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, Final, TextIO, cast

import msgspec
import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from structlog.typing import EventDict, WrappedLogger

_SHOWN: Final = re.compile(r"[\n(<]")  # where asyncio's own words end
METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
# Set before this module is imported where several processes answer as one (see huiyao.server).
SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"

CALLS = Counter("huiyao_calls", "Calls answered, by name and return code.", ["call", "status"])
CALL_SECONDS = Histogram(
    "huiyao_call_seconds",
    "From the head of a request to its answer.",
    ["call"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
TASKS = Counter("huiyao_dispatch_tasks", "Due tasks done.")
MESSAGES = Counter("huiyao_dispatch_messages", "Messages written into inboxes.")
LATENESS_SECONDS = Histogram(
    "huiyao_lateness_seconds",
    "From the moment something was due until it was in the inbox, or the gateway took it.",
    ["channel", "kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400),
)
BEHIND_SECONDS = Gauge(
    "huiyao_dispatch_behind_seconds",
    "How long the earliest task still waiting has been due.",
    multiprocess_mode="livemax",
)
TASKS_PUT_OFF = Counter(
    "huiyao_dispatch_tasks_put_off", "Due tasks that could not be told, to be tried again."
)
QUEUE_DEPTH = Gauge(
    "huiyao_queue_depth",
    "What waits: tasks that are due, texts that have not gone out.",
    ["channel", "kind"],
    multiprocess_mode="livemax",
)
QUEUE_AGE_SECONDS = Gauge(
    "huiyao_queue_age_seconds",
    "How long the oldest of what waits has waited.",
    ["channel", "kind"],
    multiprocess_mode="livemax",
)
DELIVERIES = Counter(
    "huiyao_deliveries",
    "What became of deliveries: sent, delivered, failed, skipped; pending: to be tried again.",
    ["channel", "kind", "state", "reason"],
)
CIRCUIT_OPEN = Gauge(
    "huiyao_circuit_open",
    "1 while a channel's gateway is down and left in peace.",
    ["channel"],
    multiprocess_mode="livemax",
)
EVENTS = Counter(
    "huiyao_events",
    "What became of events for apps: delivered, failed, skipped; pending: to be tried again.",
    ["type", "state", "outcome"],
)
CALLBACK_CIRCUIT_OPEN = Gauge(
    "huiyao_callback_circuit_open",
    "1 while an app's receiver is down and left in peace.",
    ["app_id"],
    multiprocess_mode="livemax",
)
LIVE_STREAMS = Gauge(
    "huiyao_live_streams", "Pages that are open and told of news.", multiprocess_mode="livesum"
)
INBOUND = Counter("huiyao_inbound_texts", "Texts that came in, by what became of them.", ["outcome"])
DISPATCH_FAILURES = Counter(
    "huiyao_dispatch_failures", "Rounds of a dispatcher or sender that failed and were tried again."
)


def log_to_stderr(level: str, stream: TextIO = sys.stderr) -> None:
    """Set up structlog; what libraries say through `logging` (warnings and worse) becomes such lines too."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Lossy(stream))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def logger() -> structlog.typing.FilteringBoundLogger:
    """A logger; it takes an event and facts as keyword arguments."""
    found: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return found


def metrics() -> bytes:
    """What /metrics answers: of all processes of this `serve` where there are several."""
    if SHARED_METRICS not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def frames(failure: BaseException) -> str:
    """Where it happened and of what type, causes included, without any message: those can quote a request."""
    return "\n".join(_chain(failure))


def _chain(failure: BaseException | None) -> Iterator[str]:
    while failure is not None:
        yield type(failure).__qualname__
        yield from (line.rstrip() for line in traceback.format_tb(failure.__traceback__))
        failure = failure.__cause__ or failure.__context__


class _Lossy:
    """A stream where what cannot be written is lost: a full disk, or a reader that has gone, must end no loop."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Forward(logging.Handler):
    """Hands a library's record to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        facts = {"error": frames(failure)} if failure else {}
        said = record.getMessage()
        if record.name == "asyncio":  # it goes on with what a task or callback was given, and failed with
            said = _SHOWN.split(said, maxsplit=1)[0].rstrip()
        logger().log(record.levelno, said, source=record.name, **facts)


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["at"] = time.time_ns() // 1_000_000
    return event


def _json(event: Any, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()
