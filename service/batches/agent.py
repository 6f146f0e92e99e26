"""Runs batches in the worker: one at a time, each in a process of its own.

A thread beside the agent of training jobs, which it neither waits for nor keeps waiting. A batch
that is interrupted starts over, to the same bytes.
"""

import contextlib
import logging
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from service.batches import store
from service.batches.messages import Assignment, Done, Message, Refused, decode
from service.batches.store import Lease, result_path
from service.kit.attendant import Attendant
from service.kit.problems import Problem
from service.models.registry import file_of, sync_folder
from service.settings import Settings

_log = logging.getLogger("sigmoid.worker")


class BatchAgent(Attendant):
    """Claims batches and sees them through; at its stop it hands a running one back."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "batches", word="batches")

    def step(self) -> bool:
        """Run the next batch; False when none waits."""
        with self.database.read() as session:
            if not store.has_waiting(session):
                return False
        with self.database.write() as session:
            lease = store.claim(session, self.settings.lease_seconds)
        if lease is None:
            return False
        self.doorbell.ring(lease.id)
        part = self.settings.folder("tmp") / f"{lease.id}.{lease.fence}.part"
        for left in part.parent.glob(f"{lease.id}.*.part"):  # by a worker that died
            left.unlink(missing_ok=True)
        process = self._spawn(lease, part)
        try:
            self._see_through(lease, process, part)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            part.unlink(missing_ok=True)
        self.doorbell.ring(lease.id)
        return True

    def _spawn(self, lease: Lease, part: Path) -> "subprocess.Popen[bytes]":
        assignment = Assignment(
            str(file_of(self.settings.folder("models"), lease.model_sha256)),
            str(self.settings.folder("datasets") / f"{lease.dataset_sha256}.parquet"),
            str(part),
            lease.format,  # type: ignore[arg-type]  # checked when it was submitted
            lease.threshold,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "service.batches.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # a child that died at once is seen as a crash
            process.stdin.write(msgspec.json.encode(assignment))
            process.stdin.close()
        return process

    def _see_through(self, lease: Lease, process: "subprocess.Popen[bytes]", part: Path) -> None:
        end = self._listen(lease, process)
        if isinstance(end, Done):
            result = {"rows": end.rows, "bytes": end.bytes, "sha256": end.sha256}
            with self.database.write() as session:
                if store.succeed(session, lease, result, end.warnings):
                    # Inside, so that no deletion can come between the record and its file.
                    path = result_path(self.settings, lease.id, lease.format)
                    part.rename(path)
                    sync_folder(path.parent)
        elif isinstance(end, Refused):
            with self.database.write() as session:
                store.fail(session, lease, msgspec.to_builtins(end))
        elif self.stopping:
            with self.database.write() as session:
                store.give_back(session, lease, crashes=lease.crashes)
        elif process.poll() is not None:
            self._crashed(lease, process.returncode)

    def _listen(self, lease: Lease, process: "subprocess.Popen[bytes]") -> Message | None:
        """The child's last word; None when it died, the batch was cancelled, or we stop."""
        assert process.stdout is not None
        done, beaten, rest = 0, time.monotonic(), b""
        pause = min(self.settings.beat_seconds, self.settings.lease_seconds / 3)
        while not self.stopping:
            bell, voice = self.doorbell.fileno(), process.stdout.fileno()
            ready, _, _ = select.select([bell, voice], [], [], pause)
            if bell in ready:
                self.doorbell.heard()
            if voice in ready:
                said = os.read(voice, 1 << 16)
                if not said:
                    process.wait()
                    return None
                *lines, rest = (rest + said).split(b"\n")
                for message in map(decode, lines):
                    if isinstance(message, Done | Refused):
                        return message
                    done = message.rows
            if time.monotonic() - beaten >= pause:
                beaten = time.monotonic()
                if not self._beat(lease, done):
                    return None
        return None

    def _beat(self, lease: Lease, done: int) -> bool:
        try:
            with self.database.write() as session:
                return store.beat(session, lease, self.settings.lease_seconds, done)
        except Problem:  # the child works on; the lease outlives a short absence
            return True

    def _crashed(self, lease: Lease, status: int) -> None:
        crashes = lease.crashes + 1
        _log.warning("batch %s: process died, status %s", lease.id, status)
        with self.database.write() as session:
            if crashes < self.settings.max_crashes:
                store.give_back(session, lease, crashes=crashes)
            else:
                message = f"Its process died {crashes} times, the last with status {status}."
                store.fail(session, lease, msgspec.to_builtins(Refused("poison", message)))
