"""What a job's process may do to its machine: die with its agent, nicely, within its memory."""

import contextlib
import ctypes
import faulthandler
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from service.jobs.messages import Bounds


def enter(stderr: Connection) -> None:
    """SIGKILL when the forkserver goes, which goes with its agent: no orphans (prctl(2))."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    os.set_blocking(stderr.fileno(), False)  # a full pipe loses words, it does not stop a job
    os.dup2(stderr.fileno(), 2)
    faulthandler.enable()
    gc.enable()


def bound(bounds: Bounds) -> None:
    """Lower the priority, so that predictions come first, and limit memory from here on.

    The limit is on private memory (setrlimit(2), RLIMIT_DATA): libraries and the pages shared
    with the nursery do not count, and an allocation beyond it is a MemoryError.
    """
    os.nice(bounds.niceness)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _private_bytes() + bounds.memory_bytes
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _private_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """Let an unexpected error end the process with its kind and place, without its message,
    which may hold values of somebody's table.
    """
    try:
        yield
    except BrokenPipeError:
        os._exit(1)  # the agent is gone
    except Exception as error:  # noqa: BLE001 - its kind is told, its message is not
        kind = "".join(c if c.isalpha() else " " for c in type(error).__name__)
        sys.stderr.write(f"Fatal Python error: {kind}\n")
        for frame in traceback.extract_tb(error.__traceback__)[-4:]:
            sys.stderr.write(f'  File "{frame.filename}", line {frame.lineno} in {frame.name}\n')
        sys.stderr.flush()
        os._exit(1)
