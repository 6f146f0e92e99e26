"""The queue's moves, on a real database."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.jobs import queue, store
from service.jobs.owners import is_dead, owner_name
from service.jobs.states import State
from service.jobs.transitions import history, timings
from service.kit import migrations
from service.kit.database import Database
from service.kit.problems import Problem
from service.tables import Dataset

TTL = 10.0
ME = owner_name()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/test.db")
    migrations.migrate(database)
    with database.write() as session:
        session.add(
            Dataset(id="ds_1", name="x", created_at=datetime.now(UTC), sha256="0", format="csv",
                    rows=1, bytes=1, columns=[], warnings=[])
        )  # fmt: skip
    yield database
    database.close()


def submit(database: Database, priority: int = 0, max_queued: int = 1000, share: str = "") -> str:
    with database.write() as session:
        return store.submit(
            session, dataset_id="ds_1", model="m", spec={"target": "y"}, warnings=[], tags={},
            priority=priority, max_queued=max_queued, share=share,
        ).id  # fmt: skip


def claim(database: Database, ttl: float = TTL) -> queue.Lease | None:
    with database.write() as session:
        return queue.claim(session, ME, ttl)


def state(database: Database, job_id: str) -> str:
    with database.read() as session:
        return store.get(session, job_id).state


def test_claims_go_by_priority_then_age(database: Database) -> None:
    old, young, urgent = submit(database), submit(database), submit(database, priority=5)

    claimed = [claim(database) for _ in range(4)]

    assert [lease and lease.job_id for lease in claimed] == [urgent, old, young, None]


def test_shares_with_fewest_running_jobs_are_next_among_equal_priorities(
    database: Database,
) -> None:
    greedy = [submit(database, share="a") for _ in range(3)]
    modest = [submit(database, share="b") for _ in range(2)]
    urgent = submit(database, share="a", priority=1)

    claimed = []
    for _ in range(6):
        with database.write() as session:
            lease = queue.claim(session, ME, TTL, fair=True)
        assert lease is not None
        claimed.append(lease.job_id)

    assert claimed == [urgent, modest[0], greedy[0], modest[1], greedy[1], greedy[2]]


def test_every_change_of_state_says_when_why_and_by_whom(database: Database) -> None:
    job_id = submit(database)
    lease = claim(database)
    assert lease is not None
    with database.write() as session:
        store.pause(session, job_id)
        queue.set_aside(session, lease, "x")
        store.resume(session, job_id)

    with database.read() as session:
        told = history(store.get(session, job_id))

    assert [line.state for line in told] == ["queued", "running", "pausing", "paused", "queued"]
    worker = f"worker {ME.split('/')[2]}"
    assert [line.actor for line in told] == ["client", worker, "client", worker, "client"]
    assert all(line.cause for line in told)
    spent = timings(told, told[-1].time + 1.0)
    assert spent["queued"] == pytest.approx(told[1].time - told[0].time + 1.0, abs=1e-5)
    assert sum(spent.values()) == pytest.approx(told[-1].time + 1.0 - told[0].time, abs=1e-5)


def test_a_cancel_that_was_answered_wins_over_a_run_that_ends(database: Database) -> None:
    job_id = submit(database)
    lease = claim(database)
    assert lease is not None
    with database.write() as session:
        store.cancel(session, job_id)

    with database.write() as session:
        assert not queue.settle(session, lease, State.SUCCEEDED, result={})
        assert queue.set_aside(session, lease, "x") == State.CANCELLED

    assert state(database, job_id) == "cancelled"


def test_a_pause_gives_way_to_the_end_of_its_run(database: Database) -> None:
    job_id = submit(database)
    lease = claim(database)
    assert lease is not None
    with database.write() as session:
        store.pause(session, job_id)
        assert queue.settle(session, lease, State.SUCCEEDED, result={})

    assert state(database, job_id) == "succeeded"


def test_many_claimers_get_each_job_once(database: Database) -> None:
    jobs = {submit(database) for _ in range(60)}
    claimed: list[str] = []

    def work() -> None:
        while (lease := claim(database)) is not None:
            claimed.append(lease.job_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed) == sorted(jobs)


def test_a_lost_lease_writes_nothing(database: Database) -> None:
    job_id = submit(database)
    zombie = claim(database, ttl=-1.0)
    assert zombie is not None
    with database.write() as session:
        assert queue.reap(session) == [job_id]
    heir = claim(database)
    assert heir is not None

    with database.write() as session:
        assert queue.beat(session, zombie, TTL, [{"epoch": 9}], epoch=9.0) is None
        assert not queue.settle(session, zombie, State.FAILED, error={"message": "x"})
        assert queue.set_aside(session, zombie, "x") is None
        assert queue.crashed(session, zombie, "x", [], limit=3) is None
        assert queue.wishes(session, [zombie]) == {job_id: None}
        assert queue.wishes(session, [heir]) == {job_id: State.RUNNING}

    assert state(database, job_id) == "running"
    with database.read() as session:
        assert store.epochs(session, job_id) == []


def test_the_job_of_a_dead_worker_is_queued_at_once_and_that_of_a_live_one_is_not(
    database: Database,
) -> None:
    dead, alive = submit(database), submit(database)
    for owner in ("/".join([*ME.split("/")[:2], "999999", "1"]), ME):
        with database.write() as session:
            queue.claim(session, owner, TTL)

    with database.write() as session:
        assert queue.reap(session) == [dead]

    assert (state(database, dead), state(database, alive)) == ("interrupted", "running")


def test_a_job_that_kills_its_process_three_times_is_poison(database: Database) -> None:
    job_id = submit(database)
    for _ in range(3):
        lease = claim(database)
        assert lease is not None
        with database.write() as session:
            queue.crashed(session, lease, "killed by SIGKILL", ["x.py:1 in f"], limit=3)

    with database.read() as session:
        job = store.get(session, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["code"] == "poison"
    assert "SIGKILL" in job.error["message"]
    assert "x.py:1 in f" in job.error["message"]
    assert claim(database) is None


def test_being_interrupted_by_a_stop_counts_for_nothing(database: Database) -> None:
    submit(database)
    for _ in range(10):
        lease = claim(database)
        assert lease is not None
        with database.write() as session:
            queue.set_aside(session, lease, "the service stopped")

    assert claim(database) is not None


def test_a_waiting_job_is_cancelled_at_once_and_twice_is_once(database: Database) -> None:
    job_id = submit(database)

    for _ in range(2):
        with database.write() as session:
            store.cancel(session, job_id)

    assert state(database, job_id) == "cancelled"
    assert claim(database) is None


def test_a_cancelled_job_of_a_dead_worker_ends_cancelled(database: Database) -> None:
    job_id = submit(database)
    claim(database, ttl=-1.0)
    with database.write() as session:
        store.cancel(session, job_id)
        queue.reap(session)

    assert state(database, job_id) == "cancelled"


def test_a_full_queue_refuses_with_retry_after(database: Database) -> None:
    submit(database, max_queued=1)

    with pytest.raises(Problem) as caught:
        submit(database, max_queued=1)

    assert caught.value.slug == "queue-full"
    assert int(caught.value.headers["Retry-After"]) > 0


def test_epochs_written_twice_are_there_once(database: Database) -> None:
    job_id = submit(database)
    for _ in range(2):
        with database.write() as session:
            queue.write_epochs(session, job_id, [{"epoch": 1, "train_loss": 0.5}])

    with database.read() as session:
        assert store.epochs(session, job_id) == [{"epoch": 1, "train_loss": 0.5}]


def test_the_owner_is_alive_while_it_runs() -> None:
    assert not is_dead(ME)
