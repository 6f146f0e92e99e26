import json

import pytest

from service.datasets.reading import read_rows

RECORDS = [
    {"n": 1, "t": "x", "b": True, "late": None},
    {"n": 2.5, "t": '}{\\"]', "b": None},
    {"n": -0.0, "t": "", "b": False, "late": "é"},
]


def as_lines(records):
    return "\n".join(json.dumps(record) for record in records)


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("json", json.dumps),
        ("json", lambda records: "\ufeff" + json.dumps(records, indent=3, ensure_ascii=False)),
        ("ndjson", as_lines),
        ("ndjson", lambda records: "\ufeff\n" + as_lines(records) + "\n\n"),
    ],
)
def test_records_come_back_as_they_were_sent(accept, stored, kind, write):
    ingested = accept(write(RECORDS), kind)
    assert [c.type for c in ingested.columns] == ["number", "category", "boolean", "category"]
    assert read_rows(stored, after=0, limit=5) == [
        {"n": 1.0, "t": "x", "b": True, "late": None},
        {"n": 2.5, "t": '}{\\"]', "b": None, "late": None},
        {"n": 0.0, "t": None, "b": False, "late": "é"},
    ]


@pytest.mark.parametrize(("kind", "write"), [("json", json.dumps), ("ndjson", as_lines)])
def test_a_column_may_first_appear_late(accept, stored, kind, write):
    records = [{"a": i} for i in range(10_000)] + [{"b": "x"}]
    ingested = accept(write(records), kind)
    assert [(c.name, c.missing) for c in ingested.columns] == [("a", 1), ("b", 10_000)]
    assert read_rows(stored, after=9_999, limit=9) == [
        {"a": 9_999, "b": None},
        {"a": None, "b": "x"},
    ]


def test_text_that_looks_like_a_number_or_missing_stays_text(accept, stored):
    accept('[{"a":"5","b":"NA"},{"a":"6","b":null}]', "json")
    assert read_rows(stored, after=0, limit=2) == [{"a": "5", "b": "NA"}, {"a": "6", "b": None}]


def test_large_integers_make_the_column_text_from_the_first_row(accept, stored):
    records = [{"a": i} for i in range(5_000)] + [{"a": 2**53 + 1}]
    ingested = accept(json.dumps(records), "json")
    assert ingested.warnings[0]["code"] == "large_integers"
    assert read_rows(stored, after=5_000, limit=1) == [{"a": "9007199254740993"}]
    assert read_rows(stored, after=0, limit=1) == [{"a": "0"}]


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        ("", "malformed_json", 0),
        ("{}", "malformed_json", 0),
        ("[]", "no_rows", None),
        ("[{}]", "no_rows", None),
        ('[{"a":1},]', "malformed_json", 1),
        ('[{"a":1}', "malformed_json", 0),
        ('[{"a":1}] 2', "malformed_json", 0),
        ('[{"a":1},{"a":NaN}]', "malformed_json", 1),
        ('[{"a":1},{"a":1e999}]', "not_finite", 1),
        ('[{"a":%s}]' % ("9" * 5000), "not_finite", 0),
        ('[{"a":"\\ud800"}]', "malformed_json", 0),
        ('[{"a":"\\u0000"}]', "nul", 0),
        (b'[{"a":"\xff"}]', "not_utf8", 0),
        ('[{"a":1},{"a":[1]}]', "nested_value", 1),
        ('[{"a":1},{"a":{"b":1}}]', "nested_value", 1),
        ("[1]", "not_a_record", 0),
        ("[" * 100_000, "not_a_record", 0),
        ('[{"a":' * 100_000, "nested_value", 0),
        ('[{"a":1},{"a":"x"}]', "mixed_types", 1),
        ('[{"a":true},{"a":1}]', "mixed_types", 1),
        ('[{"":1}]', "empty_name", None),
        ('[{"a":"%s"}]' % ("x" * 1025), "cell_too_long", 0),
    ],
    ids=lambda value: "long" if len(str(value)) > 50 else None,
)  # fmt: skip
def test_what_is_wrong_in_an_array_is_named_with_its_record(refuse, content, code, row):
    fault = refuse(content, "json")
    assert (fault.code, fault.row) == (code, row)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ('{"a":1}\n{"a":\n', "malformed_json", 2),
        ('{"a":1},{"a":2}\n', "malformed_json", None),
        ('{"a":1}\n[2]\n', "not_a_record", 2),
        ('{"a":1}\n{"a":[2]}\n', "nested_value", 2),
        ('{"a":"' + "x" * (5 << 20) + '"}\n', "line_too_long", 1),
    ],
    ids=lambda value: "long" if len(str(value)) > 50 else None,
)
def test_what_is_wrong_in_lines_is_named_with_its_line(refuse, content, code, line):
    fault = refuse(content, "ndjson")
    assert (fault.code, fault.line) == (code, line)


def test_limits_are_kept(refuse):
    records = [{"a": 1, "b": 2}] * 20
    assert refuse(as_lines(records), "ndjson", rows=10).code == "too_many_rows"
    assert refuse(json.dumps(records), "json", cells=10).code == "too_many_cells"
    assert refuse(json.dumps(records), "json", columns=1).code == "too_many_columns"
