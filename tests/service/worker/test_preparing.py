from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DataError
from service.worker.preparing import load

SPEC = {
    "target": "y",
    "task": "regression",
    "features": ["x"],
    "preprocessing": {},
    "training": {"loss": "mse", "validation": {"dataset": "ds_elsewhere"}},
    "seed": 1,
}


def test_a_judging_table_that_is_not_here_is_an_error_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1.0, None]}), path)
    with pytest.raises(DataError, match="not here"):
        load(SPEC, path, tmp_path / "None.parquet")
    data = load(SPEC, path, path)
    assert [part.tolist() for part in (data.splits()[0].train, data.splits()[0].validation)] == [
        [0],
        [0],
    ]
