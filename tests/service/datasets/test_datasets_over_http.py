"""Tables on their way in and out, as callers send them."""

import gzip
import io
import json

import httpx2
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

CSV = "id,grade,ok,code\n{salt},1.5,yes,00501\n2,,no,00502\n3,2.5,yes,00503\n"


def table(salt: int) -> bytes:
    return CSV.format(salt=salt).encode()


def upload(
    client: httpx2.Client, content: bytes, kind: str = "text/csv", **headers: str
) -> httpx2.Response:
    return client.post("/v1/datasets", content=content, headers={"Content-Type": kind, **headers})


def test_a_csv_is_typed_and_profiled(client: httpx2.Client) -> None:
    answer = upload(client, table(100))

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/datasets/{answer.json()['id']}"
    columns = {column["name"]: column for column in answer.json()["columns"]}
    assert columns["grade"]["type"] == "number"
    assert columns["grade"]["missing"] == 1
    assert columns["grade"]["mean"] == pytest.approx(2.0)
    assert columns["ok"]["type"] == "boolean"
    assert columns["code"]["type"] == "category"


def test_the_same_content_twice_is_one_dataset(client: httpx2.Client) -> None:
    first, second = upload(client, table(101)), upload(client, table(101))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_rows_come_back_as_sent(client: httpx2.Client) -> None:
    dataset = upload(client, table(102)).json()["id"]

    page = client.get(f"/v1/datasets/{dataset}/rows?limit=2").json()
    rest = client.get(f"/v1/datasets/{dataset}/rows?after=2").json()

    assert page["data"][0] == {"id": 102, "grade": 1.5, "ok": True, "code": "00501"}
    assert page["data"][1]["grade"] is None
    assert page["has_more"]
    assert len(rest["data"]) == 1
    assert not rest["has_more"]


@pytest.mark.parametrize("way", ["gzip", "multipart", "tsv", "ndjson", "json", "parquet", "arrow"])
def test_every_format_gives_the_same_columns(client: httpx2.Client, way: str) -> None:
    records = [{"a": index + 0.5, "b": f"{way}-{index % 3}"} for index in range(12)]
    text = "a,b\n" + "".join(f"{row['a']},{row['b']}\n" for row in records)
    arrow = pa.Table.from_pylist(records)
    if way == "gzip":
        answer = upload(client, gzip.compress(text.encode()), **{"Content-Encoding": "gzip"})
    elif way == "multipart":
        files = {"file": ("../../etc/x.csv", text.encode(), "text/csv")}
        answer = client.post("/v1/datasets", files=files)
        assert answer.json()["name"] == "x.csv"
    elif way == "tsv":
        answer = upload(client, text.replace(",", "\t").encode(), "text/tab-separated-values")
    elif way == "ndjson":
        lines = "\n".join(json.dumps(row) for row in records)
        answer = upload(client, lines.encode(), "application/x-ndjson")
    elif way == "json":
        answer = upload(client, json.dumps(records).encode(), "application/json")
    elif way == "parquet":
        sink = io.BytesIO()
        pq.write_table(arrow, sink)
        answer = upload(client, sink.getvalue(), "application/vnd.apache.parquet")
    else:
        sink = io.BytesIO()
        with pyarrow.ipc.new_stream(sink, arrow.schema) as writer:
            writer.write_table(arrow)
        answer = upload(client, sink.getvalue(), "application/vnd.apache.arrow.stream")

    assert answer.status_code == 201, answer.text
    found = [(column["name"], column["type"]) for column in answer.json()["columns"]]
    assert found == [("a", "number"), ("b", "category")]
    assert answer.json()["rows"] == 12


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n", b"a,b\n1,2\n3\n", b"a,a\n1,2\n", b"a,b\n1,\"2\n", b"a;b\n1;2\n",
     b"a,b\n1,\xff\n", b"\xff\xfea\x00", b"a,b\n1,\x00\n"],
    ids=["nothing", "header", "ragged", "twins", "quote", "semicolon", "utf8", "utf16", "nul"],
)  # fmt: skip
def test_a_table_that_cannot_be_read_says_where_and_leaves_nothing(
    client: httpx2.Client, content: bytes
) -> None:
    before = client.get("/v1/datasets?limit=100").json()["data"]

    answer = upload(client, content)

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/dataset-invalid"
    assert answer.json()["errors"]
    assert client.get("/v1/datasets?limit=100").json()["data"] == before


def test_a_bomb_and_a_foreign_encoding_are_refused(client: httpx2.Client) -> None:
    bomb = gzip.compress(b"a\n" + b"1\n" * 20_000_000)

    assert upload(client, bomb, **{"Content-Encoding": "gzip"}).status_code in (413, 422)
    assert upload(client, b"a\n1\n", **{"Content-Encoding": "br"}).status_code == 415
    assert upload(client, b"PK\x03\x04").status_code == 415
    assert upload(client, b"a\n1\n", "application/xml").status_code == 415


def test_a_declared_length_past_the_limit_is_refused_at_once(client: httpx2.Client) -> None:
    def endless():  # type: ignore[no-untyped-def]
        for _ in range(70):
            yield b"1" * (1 << 20)

    answer = client.post("/v1/datasets", content=endless(), headers={"Content-Type": "text/csv"})

    assert answer.status_code == 413


def test_a_multipart_without_the_field_is_named(client: httpx2.Client) -> None:
    answer = client.post("/v1/datasets", files={"data": ("x.csv", b"a\n1\n", "text/csv")})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/file"


@pytest.mark.parametrize(
    "kind", ["linear", "xor", "circles", "moons", "spirals", "blobs", "friedman"]
)
def test_generators_give_equal_bytes_for_equal_requests(client: httpx2.Client, kind: str) -> None:
    body = {"kind": kind, "rows": 50, "noise": 0.2, "seed": 9}

    first = client.post("/v1/datasets/generate", json=body).json()
    second = client.post("/v1/datasets/generate", json=body)

    assert second.status_code == 200
    assert second.json()["sha256"] == first["sha256"]


def test_the_sample_tells_its_licence(client: httpx2.Client, penguins: str) -> None:
    source = client.get(f"/v1/datasets/{penguins}").json()["source"]

    assert source["licence"] == "CC0-1.0"
    assert source["source"]


def test_a_deleted_dataset_is_gone_and_may_come_again(client: httpx2.Client) -> None:
    dataset = upload(client, table(103)).json()["id"]

    assert client.delete(f"/v1/datasets/{dataset}").status_code == 204
    assert client.get(f"/v1/datasets/{dataset}").status_code == 404
    assert upload(client, table(103)).status_code == 201
