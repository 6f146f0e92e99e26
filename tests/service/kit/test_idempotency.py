"""A creating POST with an Idempotency-Key creates once, however often it is sent."""

import contextlib
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from service.kit import migrations
from service.kit.database import Database
from service.kit.idempotency import KeyLock, Once, Replayed, parse_key
from service.kit.problems import Problem
from service.models.schemas import Response
from tests.conftest import running
from tests.service.test_problems import check

JOB = {"target": "species", "model": "once", "training": {"epochs": 2}}


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def jobs(client: httpx2.Client, tag: str) -> list[str]:
    found = client.get("/v1/jobs", params={"tag.twin": tag, "limit": 100}).json()["data"]
    return [job["id"] for job in found]


def test_the_same_request_gets_the_same_answer(client: httpx2.Client, penguins: str) -> None:
    headers, tag = key(), uuid.uuid4().hex
    body = {**JOB, "dataset": penguins, "tags": {"twin": tag}}
    first = client.post("/v1/jobs", json=body, headers=headers)
    assert first.status_code == 202
    assert "idempotent-replayed" not in first.headers

    again = client.post("/v1/jobs", json=dict(reversed(body.items())), headers=headers)
    quoted = client.post(
        "/v1/jobs", json=body, headers={"Idempotency-Key": f'"{headers["Idempotency-Key"]}"'}
    )

    for answer in (again, quoted):
        assert answer.status_code == 202
        assert answer.content == first.content
        assert answer.headers["location"] == first.headers["location"]
        assert answer.headers["idempotent-replayed"] == "true"
    assert jobs(client, tag) == [first.json()["id"]]


def test_another_request_with_the_key_is_refused(client: httpx2.Client, penguins: str) -> None:
    headers = key()
    body = {**JOB, "dataset": penguins}
    client.post("/v1/jobs", json=body, headers=headers)

    other = client.post("/v1/jobs", json={**body, "seed": 3}, headers=headers)

    check(other, 422, "idempotency-key-reused")


def test_a_refused_request_leaves_its_key_free(client: httpx2.Client, penguins: str) -> None:
    headers = key()
    check(
        client.post("/v1/jobs", json={**JOB, "dataset": "ds_none"}, headers=headers),
        404,
        "not-found",
    )

    answer = client.post("/v1/jobs", json={**JOB, "dataset": penguins}, headers=headers)

    assert answer.status_code == 202


def test_data_sets_by_upload_generator_and_sample_replay(client: httpx2.Client) -> None:
    csv = {"Content-Type": "text/csv"}
    table = f"a,b\n1,{uuid.uuid4().int % 10**6}\n2,5\n"
    for send in (
        lambda headers: client.post("/v1/datasets?name=t", content=table, headers=csv | headers),
        lambda headers: client.post(
            "/v1/datasets", files={"file": ("t.csv", table, "text/csv")}, headers=headers
        ),
        lambda headers: client.post(
            "/v1/datasets/generate", json={"kind": "moons", "seed": 11}, headers=headers
        ),
        lambda headers: client.post("/v1/datasets/samples/penguins", headers=headers),
    ):
        headers = key()
        first, again = send(headers), send(headers)
        assert first.status_code in (200, 201), first.text
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotent-replayed"] == "true"
    headers = key()
    client.post("/v1/datasets?name=t", content=table, headers=csv | headers)
    changed = client.post("/v1/datasets?name=t", content=table + "3,4\n", headers=csv | headers)
    check(changed, 422, "idempotency-key-reused")


def test_keys_of_different_routes_do_not_meet(client: httpx2.Client, penguins: str) -> None:
    headers = key()
    client.post("/v1/datasets/samples/penguins", headers=headers)

    answer = client.post("/v1/jobs", json={**JOB, "dataset": penguins}, headers=headers)

    assert answer.status_code == 202
    assert "idempotent-replayed" not in answer.headers


def test_twenty_twins_over_two_processes_make_one_job_that_a_kill_does_not_forget(
    tmp_path: Path,
) -> None:
    with running(tmp_path, SIGMOID_API_PROCESSES="2") as service:
        httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30)
        body = {**JOB, "dataset": "ds_sample_penguins"}
        headers = key()

        def post(_: int) -> httpx2.Response:
            return httpx2.post(f"{service.url}/v1/jobs", json=body, headers=headers, timeout=30)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(post, range(20)))

        accepted = [answer for answer in answers if answer.status_code == 202]
        assert accepted
        assert {answer.status_code for answer in answers} <= {202, 409}
        for answer in answers:
            if answer.status_code == 409:
                check(answer, 409, "idempotency-in-progress")
                assert answer.headers["retry-after"]
        assert len({answer.content for answer in accepted}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in accepted) == 1
        assert len(httpx2.get(f"{service.url}/v1/jobs", timeout=30).json()["data"]) == 1

        service.stop(signal.SIGKILL)
        service.start()

        replayed = post(0)
        assert replayed.content == accepted[0].content
        assert replayed.headers["idempotent-replayed"] == "true"
        assert len(httpx2.get(f"{service.url}/v1/jobs", timeout=30).json()["data"]) == 1


@pytest.mark.parametrize(
    "value", ["", '"', '"a', "a b", "k" * 256, '"' + "k" * 256 + '"', "\u00e9", '"a"b']
)
def test_what_is_no_key_is_a_bad_request(client: httpx2.Client, penguins: str, value: str) -> None:
    headers = {"Idempotency-Key": value.encode("latin-1")}
    check(
        client.post("/v1/jobs", json={**JOB, "dataset": penguins}, headers=headers),
        400,
        "malformed-request",
    )


def test_a_key_is_read_quoted_or_bare() -> None:
    assert parse_key([]) is None
    assert parse_key([" abc "]) == parse_key(['"abc"']) == "abc"
    assert parse_key([r'"a \"b\" \\c"']) == r'a "b" \c'
    assert parse_key(["k" * 255]) == "k" * 255
    with pytest.raises(Problem, match="one value"):
        parse_key(["a", "b"])


class Shown(Response):
    n: int


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/test.db")
    migrations.migrate(database)
    yield database
    database.close()


def test_a_twin_waits_for_the_first_unless_it_has_been_answered(
    tmp_path: Path, database: Database
) -> None:
    locks = [KeyLock(tmp_path) for _ in range(2)]
    first, twin = (Once(database, lock, "ab" * 32, 60.0) for lock in locks)
    first.compare(1)

    with pytest.raises(Problem) as caught:
        twin.compare(1)
    assert caught.value.slug == "idempotency-in-progress"

    with contextlib.suppress(ZeroDivisionError), database.write() as session:
        first.keep(session, 201, Shown(n=1))
        raise ZeroDivisionError
    with pytest.raises(Problem):
        twin.compare(1)  # what was rolled back was never answered

    with database.write() as session:
        first.keep(session, 201, Shown(n=1))
    with pytest.raises(Replayed) as replayed:
        twin.compare(1)
    assert replayed.value.answer.body == b'{"n":1}'
    for lock in locks:
        lock.close()


def test_a_key_is_forgotten_after_its_time(tmp_path: Path, database: Database) -> None:
    for n in (1, 2):
        lock = KeyLock(tmp_path)
        once = Once(database, lock, "ab" * 32, 60.0)
        once.compare(n)
        with database.write() as session:
            once.keep(session, 201, Shown(n=n))
            session.execute(text("UPDATE idempotency_keys SET created_at = created_at - 61"))
        lock.close()
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM idempotency_keys")).scalar() == 1


def test_expired_keys_make_room(tmp_path: Path, database: Database) -> None:
    for n in range(12):
        lock = KeyLock(tmp_path)
        once = Once(database, lock, f"{n:064x}", 60.0)
        once.compare(n)
        with database.write() as session:
            once.keep(session, 201, Shown(n=n))
            if n < 6:
                session.execute(text("UPDATE idempotency_keys SET created_at = 0"))
        lock.close()
    with database.read() as session:
        kept = session.execute(text("SELECT min(created_at), count(*) FROM idempotency_keys"))
        oldest, count = kept.one()
        assert (oldest > 0, count) == (True, 6)
