"""Asked for more than it can do, the service does what it can and refuses the rest at once."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import pytest

from service.jobs.drain import UNKNOWN_SECONDS, seconds_until_room
from service.kit.admission import Kind, Room, kind_of
from service.kit.disk import has_room
from service.settings import Settings
from tests.conftest import Service, running, wait_until
from tests.service.test_problems import check

OVERLOAD_SECONDS = 4.0
TIMES = 10
WORK = {"kind": "moons", "rows": 20_000, "noise": 0.1}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with few places."""
    with running(
        tmp_path_factory.mktemp("small"),
        SIGMOID_MAX_CONTROL_REQUESTS="2",
        SIGMOID_MAX_WAITING_REQUESTS="4",
        SIGMOID_MAX_STREAMS="2",
        SIGMOID_MAX_QUEUED="1",
        SIGMOID_WORKERS="1",
    ) as service:
        httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30)
        yield service


@dataclass
class Answer:
    status: int
    seconds: float
    retry_after: str | None


async def post(port: int, path: str, body: bytes, intended: float) -> Answer:
    """One request on a connection of its own; time counts from when it should have been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    tail = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write((head + tail).encode() + body)
    answer = await reader.read()
    writer.close()
    headers = answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    after = [line.split(": ")[1] for line in headers if line.startswith("retry-after")]
    seconds = time.perf_counter() - intended
    return Answer(int(headers[0].split()[1]), seconds, after[0] if after else None)


async def open_loop(port: int, rate: float, seconds: float) -> list[Answer]:
    """Send at a steady rate, whatever comes back."""
    start, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        intended = start + number / rate
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        body = json.dumps({**WORK, "seed": number}).encode()
        tasks.append(asyncio.create_task(post(port, "/v1/datasets/generate", body, intended)))
    return await asyncio.gather(*tasks)


def capacity(service: Service) -> float:
    """Requests a second of as many callers as there are places."""
    end = time.perf_counter() + 1.5

    def ask(first: int) -> int:
        count = 0
        with httpx2.Client(base_url=service.url, timeout=30) as client:
            while time.perf_counter() < end:
                body = {**WORK, "seed": first + count}
                assert client.post("/v1/datasets/generate", json=body).status_code in (200, 201)
                count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(ask, (10**6, 2 * 10**6))) / 1.5


def resident(service: Service) -> int:
    """Bytes of the API process."""
    assert service.process is not None
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if b"service.server" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(Path(f"/proc/{child}/statm").read_text().split()[1]) * 4096
    raise AssertionError("no API process")


def test_ten_times_the_capacity_is_shed_and_forgotten(small: Service) -> None:
    able = capacity(small)
    before = resident(small)

    answers = asyncio.run(open_loop(small.port, TIMES * able, OVERLOAD_SECONDS))

    after = resident(small)
    accepted = [one for one in answers if one.status in (200, 201)]
    refused = [one for one in answers if one.status not in (200, 201)]
    assert {one.status for one in refused} <= {429, 503}
    assert all(one.retry_after and 1 <= int(one.retry_after) <= 60 for one in refused)
    assert len(refused) > len(accepted)
    assert len(accepted) >= 0.2 * able * OVERLOAD_SECONDS  # the load itself takes half the machine
    p99 = float(np.percentile([one.seconds for one in accepted], 99))
    assert p99 < 4.0, p99
    assert after - before < 64 << 20, (before, after)

    start = time.monotonic()
    wait_until(lambda: httpx2.get(f"{small.url}/v1/jobs", timeout=5).status_code == 200, 5.0)
    assert time.monotonic() - start < 5.0


def test_health_is_answered_while_everything_else_is_refused(small: Service) -> None:
    async def ask() -> tuple[list[Answer], list[int]]:
        load = asyncio.create_task(open_loop(small.port, 60.0, 1.5))
        async with httpx2.AsyncClient(base_url=small.url, timeout=10) as client:
            health = [(await client.get("/livez")).status_code for _ in range(20)]
        return await load, health

    load, health = asyncio.run(ask())
    assert set(health) == {200}
    assert {one.status for one in load} <= {200, 201, 503}


def test_streams_beyond_their_places_are_told_to_come_back(small: Service) -> None:
    long = {"dataset": "ds_sample_penguins", "target": "species", "model": "long",
            "training": {"epochs": 100_000, "early_stopping": None}}  # fmt: skip
    with httpx2.Client(base_url=small.url, timeout=30) as client, contextlib.ExitStack() as open_:
        job = client.post("/v1/jobs", json=long).json()["id"]
        for _ in range(2):
            stream = open_.enter_context(client.stream("GET", f"/v1/jobs/{job}/stream"))
            assert stream.status_code == 200
        refused = client.get(f"/v1/jobs/{job}/stream")
        check(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "5"

        wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running")
        client.post("/v1/jobs", json=long)
        full = client.post("/v1/jobs", json=long)
        check(full, 429, "queue-full")
        assert 1 <= int(full.headers["retry-after"]) <= 60
        for one in client.get("/v1/jobs").json()["data"]:
            client.post(f"/v1/jobs/{one['id']}/cancel")


def test_a_full_disk_refuses_writes_pauses_jobs_and_serves_reads(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30)
    with (
        running(tmp_path, SIGMOID_MIN_FREE_BYTES=str(1 << 62)) as service,
        httpx2.Client(base_url=service.url, timeout=30) as client,
    ):
        job = {"dataset": "ds_sample_penguins", "target": "species"}
        csv = {"Content-Type": "text/csv"}
        for answer in (
            client.post("/v1/jobs", json=job),
            client.post("/v1/datasets", content=b"a,b\n1,2\n", headers=csv),
            client.post("/v1/datasets/generate", json={"kind": "xor"}),
        ):
            check(answer, 507, "storage-full")
            assert answer.headers["retry-after"]
        assert client.get("/v1/datasets").status_code == 200
        assert client.get("/v1/limits").json()["min_free_bytes"] == 1 << 62
    assert not has_room(Settings(data_dir=tmp_path, min_free_bytes=1 << 62))
    assert has_room(Settings(data_dir=tmp_path, min_free_bytes=0))


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [("GET", "/livez", None), ("GET", "/metrics", None), ("GET", "/v1/jobs/j/stream", Kind.STREAM),
     ("POST", "/v1/models/m/predict", Kind.PREDICT), ("POST", "/v2/models/m/infer", Kind.PREDICT),
     ("POST", "/v1/datasets", Kind.UPLOAD), ("GET", "/v1/datasets", Kind.CONTROL),
     ("POST", "/v1/models/m/import", Kind.UPLOAD), ("DELETE", "/nowhere", Kind.CONTROL)],
)  # fmt: skip
def test_requests_are_told_apart_by_method_and_path(
    method: str, path: str, kind: Kind | None
) -> None:
    assert kind_of({"method": method, "path": path, "headers": []}) is kind


def test_a_place_goes_to_the_longest_waiting() -> None:
    async def scene() -> list[object]:
        room, seen = Room(1, 2, 5.0), list[object]()
        assert await room.enter()

        async def come(name: str) -> None:
            seen.append((name, await room.enter()))

        tasks = [asyncio.create_task(come(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        room.leave()
        await tasks[1]
        room.leave()
        assert room.taken == 0
        assert not room.waiting
        return seen

    assert asyncio.run(scene()) == [("c", False), ("b", True)]


def test_retry_after_follows_the_rate_of_the_last_minute() -> None:
    assert seconds_until_room(0) == UNKNOWN_SECONDS
    assert seconds_until_room(1) == 60
    assert seconds_until_room(7) == 9
    assert seconds_until_room(6000) == 1
