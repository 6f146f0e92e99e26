"""A disk that fills up: clear refusals, nothing half-written, and all goes on with room."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.chaos.work import Work
from tests.conftest import running, wait_until

SIZE = "48m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of our own with little room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk. Mounting needs root: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    """Take what room there is, to the last byte."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    for size in (1 << 20, 1 << 12, 1):
        with contextlib.suppress(OSError):
            while os.write(descriptor, b"\0" * size):
                pass
    os.close(descriptor)


def test_a_full_disk_refuses_clearly_and_harms_nothing(small_disk: Path) -> None:
    with running(
        small_disk / "data", SIGMOID_CHECKPOINT_SECONDS="0.05", SIGMOID_MIN_FREE_BYTES="4096"
    ) as service:
        work = Work(service, seeds=1)
        work.prepare()
        running_job = work.post("0", 0)
        wait_until(lambda: work.get(running_job)["state"] == "running")
        fill(small_disk / "filler")

        csv = "x,y\n" + "\n".join(f"{i},{i * 2}" for i in range(50_000))
        upload = httpx2.post(
            f"{service.url}/v1/datasets", content=csv, headers={"Content-Type": "text/csv"},
            timeout=60,
        )  # fmt: skip
        assert upload.status_code == 507
        assert upload.json()["type"] == "/problems/storage-full"
        refused: list[httpx2.Response] = []

        def submission_is_refused() -> bool:  # until then what is left of the log takes it
            body = {"dataset": work.dataset, "target": "species", "model": "m",
                    "training": {"epochs": 1}, "tags": {"number": "extra"}}  # fmt: skip
            refused.append(httpx2.post(f"{service.url}/v1/jobs", json=body, timeout=60))
            return refused[-1].status_code != 202

        wait_until(submission_is_refused, 60)
        assert refused[-1].status_code == 507
        assert httpx2.get(f"{service.url}/livez", timeout=30).status_code == 200
        assert work.get(running_job)["id"] == running_job

        (small_disk / "filler").unlink()
        work.submit(1)
        database = work.database()
        database.close()
        work.wait([found for found, _, _ in work.numbered()], 60)
        everything = httpx2.get(f"{service.url}/v1/jobs?limit=100", timeout=30).json()["data"]
        work.wait([found["id"] for found in everything], 60)
        work.judge(2)
        assert not list((service.data_dir / "models").glob(".*"))
