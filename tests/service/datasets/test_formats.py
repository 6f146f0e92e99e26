import pytest

from service.datasets.reading import UnsupportedMedia, format_of


@pytest.mark.parametrize(
    ("content_type", "filename", "head", "expected"),
    [
        ("text/csv; charset=utf-8", None, b"a,b\n", "csv"),
        ("TEXT/CSV", "x.json", b"a,b\n", "csv"),
        ("text/tab-separated-values", None, b"a\tb\n", "tsv"),
        ("application/x-ndjson", None, b'{"a":1}', "ndjson"),
        ("application/json", None, b"[]", "json"),
        ("application/vnd.apache.parquet", None, b"PAR1", "parquet"),
        ("application/vnd.apache.arrow.stream", None, b"\xff\xff\xff\xff", "arrow"),
        (None, "table.TSV", b"a\tb", "tsv"),
        ("application/octet-stream", "table.csv.gz", b"\x1f\x8b\x08\x00", "csv"),
        ("text/plain", "rows.jsonl", b"{}", "ndjson"),
        (None, None, b"PAR1", "parquet"),
        (None, None, b"ARROW1\0\0", "arrow"),
        (None, None, b' \n[{"a":1}]', "json"),
        (None, None, b'{"a":1}', "ndjson"),
        (None, None, b"a,b\n", "csv"),
        (None, None, b"", "csv"),
    ],
)
def test_the_format_is_told_by_type_then_name_then_content(content_type, filename, head, expected):
    assert format_of(content_type, filename, head) == expected


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        ("text/csv", b"PK\x03\x04\x14\x00"),
        ("text/csv", b"PAR1\x15\x04"),
        ("application/json", b"ARROW1\0\0"),
        ("text/csv", b"\x89PNG\r\n"),
        ("image/png", b"a,b\n"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
    ],
)
def test_what_is_no_table_is_refused(content_type, head):
    with pytest.raises(UnsupportedMedia):
        format_of(content_type, None, head)
