"""Whole tables in every format: the predictions of their rows, in order, or where it went wrong."""

import gzip
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq
import pytest

from tests.service.predictions.conftest import LINKS, Answer, InProcess, deliver, made

CSV, NDJSON = "text/csv", "application/x-ndjson"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
ROWS = 500


def table(rows: int = ROWS) -> pa.Table:
    """Rows with missing values, unseen levels, ids, and a range beyond training."""
    random = np.random.default_rng(8)
    size = random.normal(5, 3, rows)
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "sold": pa.array([None if i % 17 == 0 else i % 2 == 0 for i in range(rows)]),
            "colour": pa.array([("red", "green", "mauve, ha", None)[i % 4] for i in range(rows)]),
            "size": pa.array(size, mask=random.random(rows) < 0.1),
            "weight / kg": pa.array(random.integers(900, 1100, rows)),
        }
    )  # fmt: skip


def written(found: pa.Table, kind: str) -> bytes:
    out = io.BytesIO()
    if kind == CSV:
        pa_csv.write_csv(found, out)
    elif kind == NDJSON:
        out.write("\n".join(json.dumps(row) for row in found.to_pylist()).encode())
    elif kind == ARROW:
        with pa_ipc.new_stream(out, found.schema) as writer:
            writer.write_table(found)
    else:
        pq.write_table(found, out)
    return out.getvalue()


def read(answer: Answer) -> list[dict[str, Any]]:
    kind = dict(answer.headers)[b"content-type"].split(b";")[0].decode()
    body = pa.BufferReader(answer.body)
    if kind == NDJSON:
        return [json.loads(line) for line in answer.body.splitlines()]
    if kind == CSV:
        found = pa_csv.read_csv(body)
    elif kind == ARROW:
        found = pa_ipc.open_stream(body).read_all()
    else:
        found = pq.read_table(body)
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def post(
    app: InProcess, task: str, body: bytes, kind: str, path: str = "", **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v1/models/{task}/predict{path}"
    return app.through_lane(path, body, {"content-type": kind, **named})


def expected(task: str) -> list[dict[str, Any]]:
    """The answers of single requests' own reader, which knows nothing of tables."""
    model = made(task)
    names = model.preprocessor.names
    rows = [[row[name] for name in names] for row in table().to_pylist()]
    return model.listed(model.predict_records(rows))


@pytest.mark.parametrize("task", LINKS)
@pytest.mark.parametrize(
    ("sent", "wanted"), [*itertools.product((CSV, NDJSON, ARROW, PARQUET), repeat=2)]
)
def test_every_format_in_and_out_has_every_row_in_order(
    in_process: InProcess, task: str, sent: str, wanted: str
) -> None:
    answer = post(in_process, task, written(table(), sent), sent, accept=wanted)

    assert answer.status == 200, answer.body
    rows = read(answer)
    assert len(rows) == ROWS == int(dict(answer.headers)[b"x-rows"])
    for row, truth in zip(rows, expected(task), strict=True):
        if "value" in truth:
            assert row["value"] == pytest.approx(truth["value"], rel=1e-5)
            continue
        chances = row.get("probabilities") or {
            name.removeprefix("probability_"): value
            for name, value in row.items()
            if name != "label"
        }
        assert row["label"] == truth["label"]
        assert chances == pytest.approx(truth["probabilities"], abs=1e-5)


def test_the_answer_has_the_body_s_own_format_without_a_wish(in_process: InProcess) -> None:
    for kind in (CSV, NDJSON, ARROW, PARQUET):
        answer = post(in_process, "binary", written(table(), kind), kind)
        assert dict(answer.headers)[b"content-type"].startswith(kind.encode())
    refused = post(in_process, "binary", written(table(), CSV), CSV, accept="text/html")
    assert refused.status == 406


def test_warnings_count_the_rows_of_all_blocks(in_process: InProcess) -> None:
    answer = post(in_process, "binary", written(table(), CSV), CSV)

    warnings = json.loads(dict(answer.headers)[b"x-prediction-warnings"])
    unseen = next(one for one in warnings if one["code"] == "unseen_level")
    assert unseen["count"] == ROWS // 4
    assert "mauve" not in str(warnings)


def test_compressed_tables_are_read(in_process: InProcess) -> None:
    body = gzip.compress(written(table(), CSV))

    answer = post(in_process, "binary", body, CSV, content_encoding="gzip")

    assert len(read(answer)) == ROWS


def test_a_threshold_decides_every_row(in_process: InProcess) -> None:
    body = written(table(), PARQUET)
    for threshold in (0, 0.5, 1):
        rows = read(post(in_process, "binary", body, PARQUET, f"?threshold={threshold}"))
        for row in rows:
            assert (row["label"] == "yes") == (row["probability_yes"] >= threshold)
    assert post(in_process, "multiclass", body, PARQUET, "?threshold=0.5").status == 422


BAD = {
    "a text for a number": (b"size,colour,sold,weight / kg\n1,red,true,1000\n"
                            b"x,red,true,1000\n", "/rows/1/size"),
    "an infinite number": (b"size,colour,sold,weight / kg\n1,red,true,1000\n"
                           b"1e300,red,true,1000\n", "/rows/1/size"),
    "a number for a boolean": (b"size,colour,sold,weight / kg\n1,red,,1\n1,red,7,1\n",
                               "/rows/1/sold"),
    "no such column": (b"size,colour,weight / kg\n1,red,1000\n", "/rows/sold"),
    "a ragged row": (b"size,colour,sold,weight / kg\n1,red,true,1\n1,red\n", "/1"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "pointer"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_named_by_row_and_column(
    in_process: InProcess, body: bytes, pointer: str
) -> None:
    answer = post(in_process, "binary", body, CSV)

    assert answer.status == 422, answer.body
    assert json.loads(answer.body)["errors"][0]["pointer"] == pointer


def test_a_bad_row_far_into_the_table_is_named(in_process: InProcess) -> None:
    row = b"5,red,true,1000\n"
    body = b"size,colour,sold,weight / kg\n" + row * 40_000 + b"5 kg,red,true,1000\n" + row

    answer = post(in_process, "binary", body, CSV)

    assert answer.status == 422
    assert json.loads(answer.body)["errors"][0]["pointer"] == "/rows/40000/size"
    assert b"5 kg" not in answer.body


def test_levels_that_look_like_numbers_are_levels(in_process: InProcess) -> None:
    body = b"size,colour,sold,weight / kg\n5,1,true,1000\n5,2,false,1000\n"

    answer = post(in_process, "binary", body, CSV)

    assert answer.status == 200, answer.body
    assert len(read(answer)) == 2


def test_a_column_of_nothing_is_missing_everywhere(in_process: InProcess) -> None:
    for sent in (CSV, NDJSON, PARQUET):
        nothing = pa.table(
            {name: pa.nulls(3) for name in ("colour", "sold", "size")} | {"weight / kg": [1, 2, 3]}
        )
        answer = post(in_process, "binary", written(nothing, sent), sent)
        assert answer.status == 200, answer.body
        assert len(read(answer)) == 3


def test_a_million_rows_go_through_in_bounded_memory(in_process: InProcess) -> None:
    block = "".join(f"{i / 999:.3f},red,true,{i}\n" for i in range(1000)).encode()
    body = itertools.chain([b"size,colour,sold,weight / kg\n"], itertools.repeat(block, 1000))
    post(in_process, "binary", written(table(), CSV), CSV)  # libraries and threads are there now
    statuses, lines = [], 0

    def count(message: dict[str, Any]) -> None:
        nonlocal lines
        statuses.append(message.get("status"))
        lines += message.get("body", b"").count(b"\n")

    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak counts from here
    before = memory("VmRSS")
    in_process.run(
        deliver(in_process.lane, "/v1/models/binary/predict", {"content-type": CSV}, body, count)
    )

    assert statuses[0] == 200
    assert lines == 1_000_001
    assert memory("VmHWM") - before < 100 << 10  # kB; the rows alone are 16 MB, typed 32 MB


def memory(what: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(what))
