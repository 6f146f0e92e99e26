import numpy as np
import pytest

from service.datasets.generators import GENERATORS, generate
from service.datasets.reading import Limits, ingest, read_rows, read_table, write
from service.datasets.samples import SAMPLES


def test_read_table_gives_the_core_numbers_and_codes(accept, stored):
    accept("n,b,t\n1.5,true,z\n,,\n3,no,é\n4,yes,a\n")
    table = read_table(stored, ["t", "n", "b"])
    assert list(table) == ["t", "n", "b"]
    np.testing.assert_array_equal(table["n"].values, [1.5, np.nan, 3, 4])
    assert table["n"].values.dtype == np.float64
    assert table["b"].levels == ("false", "true")
    assert table["b"].codes.tolist() == [1, -1, 0, 1]
    assert table["t"].levels == ("a", "z", "é")
    assert table["t"].codes.tolist() == [1, -1, 2, 0]
    assert table["t"].codes.dtype == table["b"].codes.dtype == np.int32


def test_levels_agree_across_row_groups(accept, stored):
    texts = [f"level {i % 7} {'x' * 900}" for i in range(30_000)]
    accept("t,n\n" + "".join(f"{text},{i}\n" for i, text in enumerate(texts)))
    column = read_table(stored, ["t"])["t"]
    assert [column.levels[code] for code in column.codes] == texts
    assert len(column.levels) == 7


@pytest.mark.parametrize(("after", "limit"), [(0, 5), (49_999, 3), (131_071, 100), (199_999, 5)])
def test_rows_are_found_in_every_row_group(accept, stored, after, limit):
    rows = 200_000
    accept("i,j,k,l,m,n\n" + "".join(f"{i},0,0,0,0,0.5\n" for i in range(rows)))
    found = read_rows(stored, after=after, limit=limit)
    assert [row["i"] for row in found] == list(range(rows))[after : after + limit]
    assert all(isinstance(row["i"], int) and row["n"] == 0.5 for row in found)
    assert read_rows(stored, after=rows, limit=limit) == []


@pytest.mark.parametrize("kind", GENERATORS)
def test_generated_tables_depend_on_their_arguments_alone(kind, tmp_path):
    first = write(generate(kind, 300, 0.1, 7), tmp_path / "a")
    again = write(generate(kind, 300, 0.1, 7), tmp_path / "b")
    other = write(generate(kind, 300, 0.1, 8), tmp_path / "c")
    assert first.sha256 == again.sha256 != other.sha256
    assert first.rows == 300
    assert all(column.missing == 0 for column in first.columns)


def test_linear_is_two_x_plus_one():
    table = generate("linear", 5_000, 0.25, 1)
    x, y = (table.column(name).to_numpy() for name in ("x", "y"))
    np.testing.assert_allclose(np.polyfit(x, y, 1), [2, 1], atol=0.02)
    assert np.std(y - 2 * x - 1) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [("xor", 2), ("circles", 2), ("moons", 2), ("spirals", 2), ("blobs", 3)],
)
def test_classes_are_balanced_and_far_apart_without_noise(kind, labels):
    table = generate(kind, 600, 0.0, 3)
    points = np.stack([table.column(name).to_numpy() for name in ("x1", "x2")], axis=1)
    label = np.array(table.column("label").to_pylist())
    names, counts = np.unique(label, return_counts=True)
    assert len(names) == labels
    assert counts.min() > 0.4 * counts.max()
    # The nearest other point shares the label nearly always: there is something to learn.
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = (distance + np.eye(600) * 9).argmin(axis=1)
    assert np.mean(label[nearest] == label) > 0.93


def test_the_penguins_are_the_published_ones(tmp_path):
    sample = SAMPLES["penguins"]
    destination = tmp_path / "stored"
    ingested = ingest(sample.path, format="csv", destination=destination, limits=Limits())
    assert (ingested.rows, ingested.warnings, sample.licence) == (344, [], "CC0-1.0")
    columns = {column.name: column for column in ingested.columns}
    assert {level.value: level.count for level in columns["species"].levels} == {
        "Adelie": 152,
        "Gentoo": 124,
        "Chinstrap": 68,
    }
    assert sum(column.missing for column in ingested.columns) == 19
    assert columns["body_mass_g"].mean == pytest.approx(4201.754, abs=1e-3)
    assert columns["body_mass_g"].integer
    assert columns[sample.target].type == "category"
