"""What a name means: read once, and forgotten when it changes, in this process or another."""

import hashlib
from collections import Counter

import pytest
from sqlalchemy import event

from service.kit.database import Database
from service.kit.problems import Problem
from service.models import aliases
from service.models.resolution import Names, bucket
from service.tables import ModelTraffic
from tests.conftest import wait_until
from tests.service.models.conftest import add_version


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database)


@pytest.fixture
def statements(database: Database) -> list[str]:
    """Every statement that reaches the database."""
    seen: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *given: seen.append(str(given[2]))
    )
    return seen


def point(database: Database, name: str, alias: str, version: int) -> None:
    with database.write() as session:
        aliases.point(session, name, alias, version)


def split(database: Database, name: str, *rows: tuple[int, int, bool]) -> None:
    with database.write() as session:
        aliases.changed(session, name)
        for version, percent, shadow in rows:
            session.add(ModelTraffic(model=name, version=version, percent=percent, shadow=shadow))


def test_a_version_an_alias_and_latest_are_found(database: Database, names: Names) -> None:
    add_version(database, "m")
    add_version(database, "m")
    point(database, "m", "champion", 1)

    assert names.find("m").version == 2
    assert names.find("m", "latest").version == 2
    assert names.find("m", "champion").version == 1
    assert names.find("m", 1).sha256 == f"{1:064x}"
    assert names.at_hand("m", "champion") == names.find("m", "champion")


@pytest.mark.parametrize(("name", "wanted"), [("no", None), ("m", 9), ("m", "nobody")])
def test_what_is_not_there_is_not_found(
    database: Database, names: Names, name: str, wanted: int | str | None
) -> None:
    add_version(database, "m")
    with pytest.raises(Problem) as caught:
        names.find(name, wanted)
    assert caught.value.slug == "not-found"


def test_what_did_not_change_is_never_read_again(
    database: Database, names: Names, statements: list[str]
) -> None:
    add_version(database, "still")
    add_version(database, "moving")
    names.find("still")
    names.refresh()
    names.find("still")
    names.find("moving")
    add_version(database, "moving")
    names.refresh()

    assert names.at_hand("moving") is None
    statements.clear()
    assert names.find("still").version == 1
    assert statements == []


def test_a_reading_older_than_a_change_is_not_remembered(
    database: Database, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.models import resolution

    add_version(database, "m")
    names.refresh()
    read = resolution.read_live

    def overtaken(session: object, name: str) -> object:
        live = read(session, name)  # type: ignore[arg-type]
        add_version(database, "m")
        names.refresh()
        return live

    monkeypatch.setattr(resolution, "read_live", overtaken)
    names.find("m")
    monkeypatch.setattr(resolution, "read_live", read)

    assert names.at_hand("m") is None
    assert names.find("m").version == 2


def test_nothing_stale_is_answered_between_ring_and_reading(
    database: Database, names: Names
) -> None:
    add_version(database, "m")
    names.refresh()
    names.find("m")
    add_version(database, "m")
    names.rung()

    assert names.at_hand("m") is None
    assert names.find("m").version == 2


def test_a_change_whose_bell_went_unheard_is_seen_within_a_second(
    database: Database, names: Names
) -> None:
    add_version(database, "m")
    names.start()
    names.find("m")
    add_version(database, "m")

    wait_until(lambda: names.find("m").version == 2, 1.0)
    names.stop()


def test_with_the_database_away_what_is_known_stays_in_use(
    database: Database, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(database, "m")
    names.refresh()
    names.find("m")

    def away() -> None:
        raise Problem("database-busy", "away")

    monkeypatch.setattr(database, "read", away)
    names.rung()

    assert names.find("m").version == 1


def test_a_key_sticks_to_its_version_and_shares_are_as_asked(
    database: Database, names: Names
) -> None:
    for _ in range(3):
        add_version(database, "m")
    split(database, "m", (1, 70, False), (3, 30, False), (2, 0, True))

    chosen = {f"user-{i}": names.find("m", None, f"user-{i}").version for i in range(2000)}

    assert all(names.find("m", None, key).version == version for key, version in chosen.items())
    shares = Counter(chosen.values())
    assert set(shares) == {1, 3}
    assert shares[3] / 2000 == pytest.approx(0.3, abs=0.04)  # 4 deviations
    without_key = Counter(names.find("m").version for _ in range(2000))
    assert without_key[3] / 2000 == pytest.approx(0.3, abs=0.05)
    assert [shadow.version for shadow in names.find("m").shadows] == [2]
    assert names.find("m", "latest").shadows == ()


def test_the_bucket_is_the_documented_hash() -> None:
    digest = hashlib.sha256(b"penguins:user-17").hexdigest()

    assert bucket("penguins", "user-17") == int(digest[:16], 16) % 100

    sent = "Größe".encode()
    digest = hashlib.sha256(b"penguins:" + sent).hexdigest()
    assert bucket("penguins", sent.decode("latin-1")) == int(digest[:16], 16) % 100
