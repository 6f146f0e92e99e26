"""Clients that are slow, silent or endless are cut off, and nobody else notices."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Service, running, wait_until

HEAD_SECONDS = 1.0
MOST = 40
GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(
        tmp_path_factory.mktemp("strict"),
        SIGMOID_MAX_HEADER_SECONDS=str(HEAD_SECONDS),
        SIGMOID_MIN_BODY_SECONDS="1",
        SIGMOID_MAX_STALL_SECONDS="1",
        SIGMOID_MAX_CONNECTIONS=str(MOST),
        SIGMOID_WORKERS="1",
    ) as service:
        yield service


def connect(service: Service) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port))
    connection.settimeout(15)
    return connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the service closes."""
    answer = b""
    while piece := connection.recv(1 << 16):
        answer += piece
    return answer


def check(answer: bytes, status: int, slug: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"connection: close" in head.lower()
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == f"/problems/{slug}"
    assert json.loads(body)["status"] == status


def drip(connection: socket.socket, rest: bytes) -> bytes:
    """Send byte by byte until the service has had enough."""
    for byte in rest:
        try:
            connection.sendall(bytes([byte]))
            connection.settimeout(0.1)
            if piece := connection.recv(1 << 16):
                connection.settimeout(15)
                return piece + all_of(connection)
            return b""
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("the service took it all")


def test_a_silent_connection_is_closed(strict: Service) -> None:
    start = time.monotonic()
    with connect(strict) as connection:
        assert all_of(connection) == b""
    assert HEAD_SECONDS * 0.9 < time.monotonic() - start < 10


def test_a_header_that_never_ends_is_a_timeout(strict: Service) -> None:
    with connect(strict) as connection:
        connection.sendall(GET)
        check(all_of(connection), 408, "request-timeout")
    with connect(strict) as connection:
        connection.sendall(GET)
        check(drip(connection, b"X-Slow: " + b"a" * 200), 408, "request-timeout")


def test_a_second_request_has_a_deadline_of_its_own(strict: Service) -> None:
    with connect(strict) as connection:
        connection.sendall(GET + b"\r\n")
        first = b""
        while not first.endswith(b"}"):  # head and body may come apart
            first += connection.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 200")
        connection.sendall(GET)
        check(all_of(connection), 408, "request-timeout")


def test_a_body_that_never_ends_is_a_timeout(strict: Service) -> None:
    with connect(strict) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        check(all_of(connection), 408, "request-timeout")
    with connect(strict) as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        check(drip(connection, b"x" * 999), 408, "request-timeout")


@pytest.mark.parametrize(
    ("head", "status", "slug"),
    [
        (GET + b"X-Large: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (GET + b"X-Endless: " + b"a" * 4_000_000, 431, "headers-too-large"),
        (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(120)) + b"\r\n", 431,
         "headers-too-large"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414, "url-too-long"),
        (GET + b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n", 400, "invalid-host"),
        (b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "invalid-host"),
    ],
    ids=["large", "endless", "many", "address", "twohosts", "nohost"],
)  # fmt: skip
def test_heads_beyond_their_bounds_are_refused(
    strict: Service, head: bytes, status: int, slug: str
) -> None:
    with connect(strict) as connection:
        with contextlib.suppress(OSError):  # it may be cut off while sending
            connection.sendall(head)
        try:
            answer = all_of(connection)
        except ConnectionResetError:
            assert len(head) > 1 << 20  # what is still on its way resets the connection
            return
    check(answer, status, slug)


def test_a_large_body_with_its_head_in_one_piece_is_no_large_head(strict: Service) -> None:
    body = b'{"rows": [' + b" " * 200_000
    with connect(strict) as connection:
        connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body)
        assert all_of(connection).startswith(b"HTTP/1.1 400")


def is_held(service: Service, port: int) -> bool:
    """Whether the service has an established connection with that port of a client (proc(5))."""
    ours, theirs, established = f":{service.port:04X}", f":{port:04X}", "01"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        line[1].endswith(ours) and line[2].endswith(theirs) and line[3] == established
        for line in lines
    )


def test_a_client_that_does_not_read_is_dropped(strict: Service) -> None:
    wait_until(lambda: httpx2.get(f"{strict.url}/livez", timeout=5).status_code == 200)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", strict.port))
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connection:
        connection.sendall(200 * request)  # some 60 MB of answers
        port = connection.getsockname()[1]
        assert is_held(strict, port)
        wait_until(lambda: not is_held(strict, port), 30)  # though nothing was read


def test_more_connections_than_places_are_told_so_and_the_rest_go_on(strict: Service) -> None:
    url = f"{strict.url}/livez"
    with httpx2.Client(timeout=10) as client:
        assert client.get(url).status_code == 200
        held = [connect(strict) for _ in range(MOST + 5)]
        for answer in [all_of(connection) for connection in held[-4:]]:
            check(answer, 503, "overloaded")
            assert b"retry-after: " in answer
        assert client.get(url).status_code == 200
        for connection in held:
            connection.close()


def test_slow_clients_do_not_slow_others(strict: Service) -> None:
    slow = [connect(strict) for _ in range(MOST - 10)]
    for connection in slow:
        connection.sendall(GET)
    with httpx2.Client(base_url=strict.url, timeout=10) as client:
        assert all(client.get("/livez").status_code == 200 for _ in range(50))
    for connection in slow:
        check(all_of(connection), 408, "request-timeout")
        connection.close()
