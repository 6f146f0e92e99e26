"""Loaded models: what was used last stays, within a bound of bytes."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.files import dump
from service.kit.database import Database
from service.kit.problems import Problem
from service.models import removal
from service.models.registry import keep
from service.models.resolution import Names
from service.models.shelf import OVERHEAD_BYTES, Shelf
from tests.service.models.conftest import add_version
from tests.service.models.test_shadows import line

ROOM = 2 * (OVERHEAD_BYTES + 10_000)  # for two small models


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database)


def publish(database: Database, folder: Path, name: str, slope: float) -> str:
    """A version of its own file: its sha256."""
    file = keep(folder, dump(line(slope)))
    add_version(database, name, file.sha256)
    return file.sha256


def test_the_model_used_last_stays(database: Database, names: Names, tmp_path: Path) -> None:
    shelf = Shelf(names, tmp_path, ROOM)
    for at, name in enumerate("abc"):
        publish(database, tmp_path, name, float(at))
    shelf.fetch("a")
    shelf.fetch("b")
    assert shelf.at_hand("a") is not None, "and so b is the one used longest ago"

    shelf.fetch("c")

    assert shelf.at_hand("a") is not None
    assert shelf.at_hand("b") is None
    assert shelf.fetch("b").model.predict_records([[1.0]]).values == pytest.approx([1.0])
    assert shelf.bytes <= ROOM


def test_a_model_larger_than_the_bound_is_served_all_the_same(
    database: Database, names: Names, tmp_path: Path
) -> None:
    shelf = Shelf(names, tmp_path, 1)
    for at, name in enumerate("ab"):
        publish(database, tmp_path, name, float(at))
        shelf.fetch(name)

    assert shelf.at_hand("b") is not None
    assert shelf.at_hand("a") is None


def test_a_version_deleted_between_is_not_found(
    database: Database, names: Names, tmp_path: Path
) -> None:
    shelf = Shelf(names, tmp_path, ROOM)
    publish(database, tmp_path, "m", 1.0)
    names.refresh()
    names.find("m")
    with database.write() as session:
        files = removal.remove_model(session, "m")
    removal.discard(database, tmp_path, files)

    with pytest.raises(Problem) as caught:
        shelf.fetch("m")

    assert caught.value.slug == "not-found"


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_file_is_told_and_not_served(
    database: Database, names: Names, tmp_path: Path, damage: str
) -> None:
    shelf = Shelf(names, tmp_path, ROOM)
    sha256 = publish(database, tmp_path, "m", 1.0)
    path = tmp_path / f"{sha256}.safetensors"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(dump(line(2.0)))

    with pytest.raises(Problem) as caught:
        shelf.fetch("m")

    assert caught.value.slug == "model-unreadable"


def test_a_cold_model_is_there_in_a_moment(
    database: Database, names: Names, tmp_path: Path
) -> None:
    shelf = Shelf(names, tmp_path, 1 << 30)
    took = []
    for number in range(20):
        model = line(1.0)
        name = f"m{number}"
        theta = np.array([number, 0.0], np.float32)
        file = keep(tmp_path, dump(replace(model, theta=theta)))
        add_version(database, name, file.sha256)
        started = time.process_time()
        shelf.fetch(name).model.predict_records([[1.0]])
        took.append(time.process_time() - started)

    assert sorted(took)[10] < 0.02
