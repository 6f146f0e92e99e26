"""The process tree of one machine: a small parent that keeps APIs and an agent alive.

The parent opens the listening sockets and hands them down, so a restarted API loses no connection
that waits in the backlog. Several APIs have a socket each on the same port (SO_REUSEPORT): the
kernel then spreads connections over them, which it does not over waiters on one socket.
"""

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from service.kit import lifeline
from service.kit.database import Database
from service.kit.keys import KeysInvalid, keyring
from service.kit.migrations import NewerSchema, migrate
from service.kit.problems import Problem
from service.settings import Settings

_log = logging.getLogger("sigmoid")
GRACE_SECONDS = 20.0
FIRM_SECONDS = 5.0  # a process that lived this long has started
MAX_STILLBIRTHS = 3
_CHILD_ENVIRONMENT = {
    # One core a job; sums in one order, so equal jobs give equal bytes.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # glibc otherwise keeps an arena a thread and gives nothing back.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "100000",
}


class StartError(Exception):
    """The service cannot start; the message says why and what to do, in one line."""


class Part:
    """One supervised process, started again when it dies, more slowly each time."""

    def __init__(
        self,
        name: str,
        command: list[str],
        descriptors: tuple[int, ...],
        environment: dict[str, str],
    ) -> None:
        self.name = name
        self._command = command
        self._descriptors = descriptors
        self._environment = environment
        self._deaths = 0
        self.stillbirths = 0
        self._started = 0.0
        self._start_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start it if it does not run; notice when it has died."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            lived = time.monotonic() - self._started
            killed = self.process.returncode == -signal.SIGKILL  # from outside: not its fault
            self.stillbirths = 0 if lived > FIRM_SECONDS or killed else self.stillbirths + 1
            self._deaths = 1 if lived > 60 else self._deaths + 1
            pause = min(0.5 if killed else 30.0, 0.1 * 2 ** (self._deaths - 1))
            _log.warning(
                "%s died (%s); starting it again in %.1f s",
                self.name,
                self.process.returncode,
                pause,
            )
            self._start_at = time.monotonic() + pause
            self.process = None
        if time.monotonic() >= self._start_at:
            self._started = time.monotonic()
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                self._command,
                pass_fds=self._descriptors,
                env=self._environment,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def join(self, deadline: float) -> None:
        """Wait for its end, and force it at the deadline."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(
    settings: Settings,
    *,
    api: bool = True,
    workers: bool = True,
    on_ready: Callable[[str], None] | None = None,
) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status. Raises StartError."""
    if api:
        check_keys(settings)
    prepare(settings)
    parts = []
    listeners = listen(settings) if api else []
    environment = {
        **os.environ,
        **_CHILD_ENVIRONMENT,
        **exported(settings),
        lifeline.VARIABLE: str(os.getpid()),
    }
    for number, listener in enumerate(listeners, 1):
        descriptor = listener.fileno()
        command = [sys.executable, "-m", "service.server", str(descriptor)]
        name = "api" if len(listeners) == 1 else f"api {number}"
        parts.append(Part(name, command, (descriptor,), environment))
    if workers:
        parts.append(Part("worker", [sys.executable, "-m", "service.worker"], (), environment))
    stopping = _Stop()
    for part in parts:
        part.tend()
    if on_ready is not None:
        on_ready(address(settings, listeners))
    failed = _tend(parts, stopping)
    for part in parts:
        part.stop()
    deadline = time.monotonic() + GRACE_SECONDS
    for part in parts:
        part.join(deadline)
    for listener in listeners:
        listener.close()
    if failed is not None:
        raise StartError(f"The {failed.name} process ends as soon as it starts; its log says why.")
    return 0


def _tend(parts: list[Part], stopping: "_Stop") -> Part | None:
    """Keep all parts alive until a signal comes; returns early with one that never starts."""
    while not stopping.wait(0.25):
        for part in parts:
            part.tend()
            if part.stillbirths >= MAX_STILLBIRTHS:
                return part
    return None


class _Stop:
    """Remembers SIGINT and SIGTERM, and wakes whoever waits for them or for a dead child."""

    def __init__(self) -> None:
        self._stopped = False
        self._near, far = socket.socketpair()
        self._near.setblocking(False)
        far.setblocking(False)
        self._far = far
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def wait(self, seconds: float) -> bool:
        """True once a signal has come; False after the seconds, or a child's death."""
        if not self._stopped:
            import select

            select.select([self._near], [], [], seconds)
            with contextlib.suppress(BlockingIOError):
                self._near.recv(4096)
        return self._stopped


def check_keys(settings: Settings) -> None:
    """Raise StartError for keys that cannot be read, and for an open port without any."""
    try:
        keys = keyring(settings.api_keys.get_secret_value())
    except KeysInvalid as error:
        raise StartError(f"SIGMOID_API_KEYS: {error}.") from None
    if not keys and not settings.allow_open and not _is_loopback(settings.host):
        raise StartError(
            f"{settings.host} is reached by others, and there are no keys: everybody could do "
            "everything. Set SIGMOID_API_KEYS (`sigmoid key` makes one), or, where something else "
            "guards the port, SIGMOID_ALLOW_OPEN=true."
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def prepare(settings: Settings) -> None:
    """Make the data folder and the schema. Raises StartError."""
    folder = settings.data_dir.resolve()
    try:
        for name in ("datasets", "models", "run", "tmp"):
            settings.folder(name)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartError(f"Cannot write to the data folder {folder}: {error.strerror}.") from error
    database = Database(settings.url)
    try:
        if not database.wal_is_safe:
            _log.warning(
                "SQLite %s has the WAL-reset defect; checkpoints are guarded. pysqlite3 "
                "brings a repaired one where a wheel exists.",
                database.sqlite.sqlite_version,
            )
        migrate(database)
    except NewerSchema as error:
        raise StartError(str(error)) from error
    except Problem as problem:
        raise StartError(f"Cannot open the database: {problem.detail}") from problem
    finally:
        database.close()


def listen(settings: Settings) -> list[socket.socket]:
    """A listening socket for each API process. Raises StartError when the port is taken."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Alone first: sockets that share a port would not notice another service on it.
        alone = _bound(family, place, shared=False)
        if settings.api_processes == 1:
            listeners = [alone]
        else:
            place = alone.getsockname()
            alone.close()
            count = settings.api_processes
            listeners = [_bound(family, place, shared=True) for _ in range(count)]
        for listener in listeners:
            listener.listen(512)
            listener.set_inheritable(True)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise StartError(
            f"Cannot listen on {where}: {error.strerror}. Choose another --port."
        ) from error
    return listeners


def _bound(family: int, place: Any, *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(place)
    except OSError:
        listener.close()
        raise
    return listener


def address(settings: Settings, listeners: Sequence[socket.socket]) -> str:
    """The URL to open in a browser on this machine."""
    if not listeners:
        return ""
    host, port = listeners[0].getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def exported(settings: Settings) -> dict[str, str]:
    """The settings as environment, so that children see what the command line said."""
    import json

    out = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, list):
            value = json.dumps(value)
        elif isinstance(value, Path):
            value = value.resolve()
        out[f"SIGMOID_{name.upper()}"] = str(value)
    return out
