"""The processes of a service, by what they are, to be killed and stopped."""

import contextlib
import os
import signal
from pathlib import Path

from tests.conftest import Service


def processes(service: Service, module: str) -> list[int]:
    """Pids below the service's supervisor whose command line holds `module`."""
    assert service.process is not None
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [service.process.pid]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            waiting.append(pid)
            with contextlib.suppress(OSError):
                if module in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
    return found


def runs(service: Service) -> list[int]:
    """Processes that run, or are about to run, a job: children of the nursery."""
    return processes(service, "multiprocessing.forkserver")[1:]


def send(pids: list[int], how: int = signal.SIGKILL) -> None:
    """Send each the signal; those that are gone already do not mind."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def kill_everything(service: Service) -> None:
    """Kill the supervisor and all below it, at once."""
    assert service.process is not None
    everyone = processes(service, "service") + processes(service, "multiprocessing")
    service.process.kill()
    send(everyone)
    service.process.wait(30)
