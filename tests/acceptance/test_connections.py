"""Sockets that misbehave, and answers that come before a request is complete."""

import contextlib
import functools
import json
import re
import socket
import time
from pathlib import Path

import pytest

from tests.acceptance.process import DEADLINE_SECONDS, Installation, Server, eventually

CREATE = b"POST /openapi/workbench/meetinginvite/create HTTP/1.1\r\nHost: x\r\n"
MEBIBYTE = b" " * (1 << 20)


@pytest.fixture
def impatient(embedded: Installation) -> Server:
    """A server that waits one second for silent bodies."""
    return embedded.serve(body_silence_seconds="1")


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS)


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        assert more, f"closed after {received!r}"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head.split(b" ")[1]), body


def seconds_until_closed(connection: socket.socket) -> float:
    start = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1) == b""
    return time.monotonic() - start


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"POST /openapi/workbench", id="head"),
        pytest.param(CREATE + b"Content-Length: 100\r\n\r\n{", id="body"),
        pytest.param(CREATE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", id="chunked"),
    ],
)
def test_a_request_that_falls_silent_loses_its_connection(impatient: Server, begun: bytes) -> None:
    with connect(impatient) as connection:
        connection.sendall(begun)
        assert 0.9 <= seconds_until_closed(connection) < 5


def held(server: Server, connection: socket.socket) -> bool:
    """Whether the server still has its end of the connection open."""
    ends = f":{server.port:04X} ", f":{connection.getsockname()[1]:04X} 01 "  # 01: established
    return any(all(end in line for end in ends) for line in Path("/proc/net/tcp").read_text().splitlines())


def test_who_reads_nothing_of_long_answers_loses_the_connection_and_who_reads_slowly_does_not(
    impatient: Server,
) -> None:
    asking = b"GET /openapi/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    with socket.socket() as nobody, connect(impatient) as slow:
        nobody.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        nobody.connect(("127.0.0.1", impatient.port))
        for one in (nobody, slow):
            one.sendall(asking)
            eventually(functools.partial(held, impatient, one), what="a connection")
        gone = time.monotonic() + 10
        while held(impatient, nobody):
            assert time.monotonic() < gone, "the one that reads nothing is still there"
            assert slow.recv(200_000), "the one that reads is closed"
            time.sleep(0.1)
        assert held(impatient, slow)
    assert "Exception" not in impatient.said, "who has gone is written to no more"


def test_a_slow_body_that_is_not_silent_is_answered(impatient: Server) -> None:
    with connect(impatient) as connection:
        connection.sendall(CREATE + b"Content-Length: 8\r\n\r\n")
        for byte in b"       {":
            time.sleep(0.4)
            connection.sendall(bytes([byte]))
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("kept", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_client_that_sends_100_mb_can_read_that_it_is_too_much(
    embedded: Installation, kept: bytes, chunked: bool
) -> None:
    size = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % (100 << 20)
    with connect(embedded.serve()) as connection:
        connection.sendall(CREATE + kept + size)
        for _ in range(100):
            connection.sendall(b"100000\r\n%b\r\n" % MEBIBYTE if chunked else MEBIBYTE)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        status, body = read_answer(connection)
        assert (status, json.loads(body)["status"]) == (413, 4600)
        if kept:
            assert connection.recv(1) == b""
        else:  # the connection is good for the next request
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(connection)[0] == 200


def test_what_is_sent_after_an_early_answer_is_not_waited_for_without_end(impatient: Server) -> None:
    with connect(impatient) as connection:
        connection.sendall(CREATE + b"Content-Length: %d\r\n\r\n" % (100 << 20))
        assert read_answer(connection)[0] == 413
        assert seconds_until_closed(connection) < 5


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"NONSENSE\r\n\r\n", 400, id="malformed"),
        pytest.param(CREATE + b"X-Long: " + b"x" * 200_000, 431, id="endless head"),
    ],
)
def test_what_is_no_http_request_gets_the_envelope_too(
    embedded: Installation, sent: bytes, status: int
) -> None:
    with connect(embedded.serve()) as connection:
        connection.sendall(sent)
        found, body = read_answer(connection)
        assert (found, json.loads(body)["status"]) == (status, -1)


def test_requests_sent_without_waiting_are_answered_in_order(embedded: Installation) -> None:
    with connect(embedded.serve()) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while more := connection.recv(65_536):
            received += more
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"404", b"200"]


def test_a_client_that_offers_http2_is_answered_in_http1_more_than_once(embedded: Installation) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    with connect(embedded.serve()) as connection:
        for _ in range(3):
            connection.sendall(CREATE + offer + b"Content-Length: 2\r\n\r\n{}")
            status, body = read_answer(connection)
            assert (status, json.loads(body)["status"]) == (200, 4008)


EXPECTING = CREATE + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"


def test_a_client_that_asks_before_sending_is_told_to_go_on_and_answered(embedded: Installation) -> None:
    with connect(embedded.serve()) as connection:
        for _ in range(2):
            connection.sendall(EXPECTING % 2)
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"{}")
            assert read_answer(connection)[0] == 200


def test_a_client_that_asks_before_sending_too_much_is_refused_at_once(embedded: Installation) -> None:
    with connect(embedded.serve()) as connection:
        connection.sendall(EXPECTING % (100 << 20))
        assert read_answer(connection)[0] == 413


def test_idle_kept_connections_do_not_hold_up_the_stop(embedded: Installation) -> None:
    server = embedded.serve()
    idle = [connect(server) for _ in range(20)]
    for one in idle[:10]:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(one)[0] == 200
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 5
    for one in idle:
        one.close()
