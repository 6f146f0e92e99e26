"""Load on one HTTP/1.1 address, from a process of its own: `python -m benchmarks.load`.

Plain sockets and epoll, so that the measuring costs less than the measured. A closed loop keeps
every connection busy; with a rate, requests leave at fixed times whether or not answers came, and
an answer's time counts from when its request was due (no coordinated omission).
"""

import collections
import json
import select
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

CONNECTIONS = 16
SECONDS = 3.0


@dataclass(frozen=True)
class Result:
    """Answers, answers a second, and percentiles of the times they took, in milliseconds."""

    answers: int
    rate: float
    p50: float
    p99: float


def request(port: int, path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a POST of JSON, unless the headers say otherwise."""
    named = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """A socket with one request under way at most."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.missing = 0  # bytes of the answer still to come

    def ask(self, message: bytes, due: float) -> None:
        self.due = due
        self.missing = -1
        self.socket.sendall(message)

    def is_answered(self) -> bool:
        """Take what has come; True once the answer is whole. Raises for any but a 200."""
        data = self.socket.recv(1 << 20)
        if self.missing == -1:
            if not data.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(data.decode("latin-1") or "the server hung up")
            head, _, rest = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.missing = int(length) - len(rest)
        else:
            self.missing -= len(data)
        return self.missing == 0


def run(port: int, message: bytes, *, rate: float | None, seconds: float) -> Result:
    """Put the load on. rate: requests a second, None for as many as are answered."""
    connections = {}
    poll = select.epoll()
    for _ in range(CONNECTIONS if rate is None else 4 * CONNECTIONS):
        connection = Connection(port)
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
    free = collections.deque(connections.values())
    times: list[float] = []
    start = time.perf_counter()
    sent, end = 0, start + seconds
    while (now := time.perf_counter()) < end:
        while free and (rate is None or start + sent / rate <= now):
            free.popleft().ask(message, now if rate is None else start + sent / rate)
            sent += 1
        pause = end - now if rate is None else max(0.0, start + sent / rate - now)
        for number, _ in poll.poll(min(pause, 0.001) if free else end - now):
            connection = connections[number]
            if connection.is_answered():
                times.append(time.perf_counter() - connection.due)
                free.append(connection)
    times.sort()
    taken = time.perf_counter() - start
    p50, p99 = (times[int(len(times) * share)] * 1e3 for share in (0.5, 0.99))
    return Result(len(times), len(times) / taken, p50, p99)


def measure(
    port: int, message: bytes, *, rate: float | None = None, seconds: float = SECONDS, core: int = 1
) -> Result:
    """`run` in a process pinned to a core of its own."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "benchmarks.load", str(port),
               str(rate or 0), str(seconds)]  # fmt: skip
    done = subprocess.run(command, input=message, capture_output=True, timeout=seconds + 60)
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-500:])
    return Result(**json.loads(done.stdout))


def main() -> None:
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    found = run(port, sys.stdin.buffer.read(), rate=rate or None, seconds=seconds)
    print(json.dumps(vars(found)))


if __name__ == "__main__":
    main()
