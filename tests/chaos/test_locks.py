"""Many readers and writers on one SQLite file: nobody hears of a lock."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx2
from sqlalchemy import func, select

from service.tables import Event
from tests.chaos.work import Work
from tests.conftest import running

WRITERS, WRITES, PREDICTIONS, CONNECTIONS = 4, 250, 1000, 50


async def predict(url: str, body: dict[str, object]) -> list[int]:
    """The statuses of all predictions, sent over many connections at once."""
    limits = httpx2.Limits(max_connections=CONNECTIONS)
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        answers = [client.post("/v1/models/m/predict", json=body) for _ in range(PREDICTIONS)]
        return [answer.status_code for answer in await asyncio.gather(*answers)]


def test_no_lock_reaches_anyone(tmp_path: Path) -> None:
    with running(tmp_path / "data", SIGMOID_WORKERS="2") as service:
        work = Work(service, seeds=1)
        work.prepare()
        job = next(iter(work.hashes()))
        rows = httpx2.get(f"{service.url}/v1/datasets/{work.dataset}/rows?limit=1").json()["data"]
        row = {name: value for name, value in rows[0].items() if name != "species"}
        url = f"sqlite:///{service.data_dir / 'sigmoid.db'}"
        command = [sys.executable, "-m", "tests.chaos.writer", url, job, str(WRITES)]
        writers = [subprocess.Popen(command) for _ in range(WRITERS)]
        for number in range(4):
            work.submit(number)

        statuses = asyncio.run(predict(service.url, {"rows": [row]}))

        assert [writer.wait(60) for writer in writers] == [0] * WRITERS
        assert set(statuses) == {200}
        work.wait([found for found, _, _ in work.numbered()], 60)
        database = work.database()
        with database.read() as session:
            noise = select(func.count()).where(Event.type == "noise")
            assert session.scalar(noise) == WRITERS * WRITES
        database.close()
        work.judge(4)
