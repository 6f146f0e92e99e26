"""A run that stops and goes on comes to the bytes of one that did not."""

from pathlib import Path

import msgspec
import pytest

from service.datasets.generators import generate
from service.datasets.reading import write
from service.jobs.messages import Advanced, Assignment, Bounds, Message, Resume, Stopped, Trained
from service.worker import course, runner
from service.worker.nursery import _SPEC


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    table = generate("blobs", 300, 0.3, 0)
    write(table, tmp_path / "blobs.parquet")
    *features, target = table.column_names
    training = {**_SPEC["training"], "epochs": 400, "early_stopping": {"patience": 400}}
    spec = {**_SPEC, "features": features, "target": target, "training": training}
    return Assignment(
        spec,
        str(tmp_path / "blobs.parquet"),
        "",
        job_id="job_1",
        fence=1,
        checkpoints=str(tmp_path),
    )


def at_once() -> bool:
    return True


def resumed(assignment: Assignment, stopped: Message, **changes: object) -> Assignment:
    assert isinstance(stopped, Stopped)
    snapshot = stopped.snapshot
    assert snapshot is not None
    resume = Resume(
        snapshot.epoch, snapshot.seconds, snapshot.sha256, snapshot.state, snapshot.file
    )
    return msgspec.structs.replace(assignment, resume=msgspec.structs.replace(resume, **changes))


def ended(messages: list[Message]) -> Trained:
    assert isinstance(messages[-1], Trained)
    return messages[-1]


@pytest.mark.parametrize("inline", [1 << 18, 16], ids=["in the row", "in a file"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    assignment: Assignment, inline: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(runner.run(assignment))
    monkeypatch.setattr(course, "INLINE_BYTES", inline)

    first = list(runner.run(assignment, at_once))
    second = list(runner.run(resumed(assignment, first[-1])))

    assert ended(second).model == ended(whole).model
    epochs = [[p["epoch"] for m in part for p in m.points] for part in (first, second)]
    assert epochs[0]
    assert epochs[1][0] == epochs[0][-1] + 1  # not from the beginning
    points = [p for part in (first, second) for m in part for p in m.points]
    assert points == [p for m in whole for p in m.points]


@pytest.mark.parametrize("damage", [{"state": b"x"}, {"file": "gone", "state": None}])
def test_a_damaged_state_costs_time_and_not_the_result(
    assignment: Assignment, damage: dict[str, object]
) -> None:
    whole = list(runner.run(assignment))
    first = list(runner.run(assignment, at_once))

    again = list(runner.run(resumed(assignment, first[-1], **damage)))

    assert again[0].points[0]["epoch"] == 1
    assert ended(again).model == ended(whole).model


def test_checkpoints_stand_at_the_ends_of_epochs_where_epochs_are_short(
    assignment: Assignment,
) -> None:
    training = {**assignment.spec["training"], "epochs": 20_000, "early_stopping": None}
    often = msgspec.structs.replace(
        assignment,
        spec={**assignment.spec, "training": training},
        bounds=Bounds(checkpoint_seconds=1e-9),
    )

    found = [m.snapshot for m in runner.run(often) if isinstance(m, Advanced) and m.snapshot]

    assert found
    assert all(snapshot.epoch == int(snapshot.epoch) for snapshot in found)
    assert all(snapshot.validation_loss is not None for snapshot in found)


def test_a_checkpoint_that_finds_no_room_is_left_out(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "INLINE_BYTES", 0)
    nowhere = msgspec.structs.replace(assignment, checkpoints="/nowhere")

    assert ended(list(runner.run(nowhere))).snapshot is None
