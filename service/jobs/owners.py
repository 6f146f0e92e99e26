"""Names for workers that tell them apart for good, and whether one still lives."""

import os
from pathlib import Path


def owner_name() -> str:
    """Name this process, told apart across reboots, containers and reused pids."""
    return "/".join((_boot(), os.readlink("/proc/self/ns/pid"), str(os.getpid()), _started("self")))


def is_dead(owner: str) -> bool:
    """Whether the owner certainly lives no more. False when it cannot be seen from here."""
    boot, namespace, pid, started = owner.split("/")
    if namespace != os.readlink("/proc/self/ns/pid"):
        return False
    return boot != _boot() or _started(pid) != started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: str) -> str:
    """Start time of a process in clock ticks since boot (proc(5), field 22); empty when gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def short(owner: str) -> str:
    """An owner as the history of a job names it."""
    return f"worker {owner.split('/')[2]}"
