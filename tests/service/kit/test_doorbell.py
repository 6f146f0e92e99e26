"""Doorbells wake others, and the dead do no harm."""

import select
from pathlib import Path

from service.kit.doorbell import EVERYTHING, Doorbell


def test_a_ring_wakes_all_others_with_its_word(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 50)  # longer than a socket's address may be
    bells = [Doorbell(folder) for _ in range(3)]

    bells[0].ring("job_1")

    for bell in bells[1:]:
        assert select.select([bell], [], [], 5)[0] == [bell]
        assert bell.heard() == {"job_1"}
    assert bells[0].heard() == set()
    for bell in bells:
        bell.close()


def test_a_dead_bell_is_taken_off_the_wall(tmp_path: Path) -> None:
    alive, dead = Doorbell(tmp_path), Doorbell(tmp_path)
    dead.socket.close()  # as a killed process leaves it

    alive.ring("x")

    assert [path.name for path in tmp_path.iterdir()] == [alive.name]
    alive.close()
    dead.close()


def test_ringing_never_blocks_when_nobody_listens(tmp_path: Path) -> None:
    ringer, sleeper = Doorbell(tmp_path), Doorbell(tmp_path)

    for _ in range(10_000):
        ringer.ring("x")

    assert sleeper.heard() == {"x", EVERYTHING}  # for other words may have found no room
    ringer.ring("y")
    assert sleeper.heard() == {"y"}
    ringer.close()
    sleeper.close()
