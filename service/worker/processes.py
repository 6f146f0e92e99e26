"""Processes of jobs, as their agent sees them: started, listened to, killed, mourned."""

import contextlib
import multiprocessing
import os
import re
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from service.worker import child as entry

NURSERY = multiprocessing.get_context("forkserver")
_PAGE = os.sysconf("SC_PAGESIZE")
# What a dying process may be quoted with: kinds of errors and places in code, never a message,
# which may hold values of somebody's table.
_QUOTABLE = re.compile(r'Fatal Python error: [A-Za-z ]+|  File ".*", line \d+ in \S+')


MAX_JOBS = 100  # of one process; then what they left behind goes with it
MAX_LEFT_BYTES = 64 << 20


@dataclass
class Child:
    """A process, the pipe to it, and what it writes to stderr."""

    process: BaseProcess
    pipe: Connection
    words: Connection
    base: int = 0  # bytes it had when it was forked
    jobs: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it may run another job: few so far, and they left little behind. Its pages are
        its own by then, so that runs twice as fast as in a fork of the nursery.
        """
        return (
            self.jobs < MAX_JOBS
            and self.process.is_alive()
            and self.memory() - self.base < MAX_LEFT_BYTES
        )

    def kill(self) -> None:
        """End it now, whatever it does."""
        self.process.kill()
        self.process.join(5.0)

    def close(self) -> None:
        """Let go of it."""
        self.pipe.close()
        self.words.close()
        self.process.join(0)

    def memory(self) -> int:
        """Bytes of memory that no file backs; 0 when it is gone (proc(5), statm)."""
        try:
            _, resident, shared, *_ = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        except OSError:
            return 0
        return (int(resident) - int(shared)) * _PAGE

    def death(self) -> str:
        """How it ended."""
        self.process.join(1.0)
        code = self.process.exitcode
        if code is None:
            return "it stopped talking"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def last_words(self, count: int = 5) -> list[str]:
        """The last lines of its stderr that cannot hold values of a table."""
        os.set_blocking(self.words.fileno(), False)
        heard = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(self.words.fileno(), 1 << 16):
                heard = (heard + chunk)[-(1 << 16) :]
        lines = heard.decode(errors="replace").splitlines()
        return [_shortened(line) for line in lines if _QUOTABLE.fullmatch(line)][-count:]


def _shortened(line: str) -> str:
    return re.sub(r'  File ".*?([^/"]+)", line (\d+)', r"\1:\2", line)


def spawn() -> Child:
    """A process that waits for its assignment, forked from the warm nursery."""
    ours, theirs = NURSERY.Pipe()
    words, stderr = NURSERY.Pipe(duplex=False)
    process = NURSERY.Process(target=entry.main, args=(theirs, stderr), daemon=True)
    process.start()
    theirs.close()
    stderr.close()
    child = Child(process, ours, words)
    child.base = child.memory()
    return child
