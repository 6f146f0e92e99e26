"""The typing rules of docs/data.md, and every way a CSV file can be wrong."""

import csv
import io
from pathlib import Path

import pytest

from service.datasets.reading import read_rows

MISSING = [
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null"),
    *("None", "<NA>", "#N/A", "?"),
]


def kinds(ingested):
    return {column.name: column.type for column in ingested.columns}


def cells(stored: Path, name: str):
    return [row[name] for row in read_rows(stored, after=0, limit=1000)]


def codes(ingested):
    return [(found["code"], found["column"]) for found in ingested.warnings]


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "-1",
        "+1",
        "1.5",
        ".5",
        "5.",
        "1e5",
        "1E-05",
        "+.5e+3",
        "0",
        "-0",
        "0.5",
        "1e308",
        " 7 ",
    ],
)
def test_cells_of_the_number_grammar_are_the_numbers_python_reads(accept, stored, text):
    assert kinds(accept(f"a,b\n{text},x\n2,y\n")) == {"a": "number", "b": "category"}
    assert cells(stored, "a")[0] == float(text)


@pytest.mark.parametrize(
    "text", ["1_000", "١٢", "0x10", "1e", "--1", "1.5.2", "1 2", "$5", "e5", "."]
)
def test_cells_outside_the_number_grammar_make_the_column_text(accept, stored, text):
    assert kinds(accept(f"a\n{text}\n2\n")) == {"a": "category"}
    assert cells(stored, "a") == [text, "2"]


@pytest.mark.parametrize(
    "token",
    [*MISSING, '"NA"', " NA ", '""'],
)
def test_missing_tokens_are_missing_in_columns_of_every_type(accept, stored, token):
    ingested = accept(f"n,b,t\n1,true,x\n{token},{token},{token}\n")
    assert kinds(ingested) == {"n": "number", "b": "boolean", "t": "category"}
    assert [column.missing for column in ingested.columns] == [1, 1, 1]
    assert read_rows(stored, after=1, limit=1) == [{"n": None, "b": None, "t": None}]


def test_booleans_are_words_and_zero_and_one_stay_numbers(accept, stored):
    ingested = accept("a,b,c\nTrue,yes,0\nFALSE,No,1\n")
    assert kinds(ingested) == {"a": "boolean", "b": "boolean", "c": "number"}
    assert read_rows(stored, after=0, limit=2) == [
        {"a": True, "b": True, "c": 0},
        {"a": False, "b": False, "c": 1},
    ]


def test_leading_zeros_make_codes_that_stay_text(accept, stored):
    ingested = accept("zip,n\n00501,1\n10001,2\n")
    assert kinds(ingested) == {"zip": "category", "n": "number"}
    assert cells(stored, "zip") == ["00501", "10001"]
    assert codes(ingested) == [("leading_zeros", "zip")]


def test_integers_that_float64_cannot_hold_stay_text(accept, stored):
    ingested = accept(f"id,n\n{2**53 + 1},{2**53 - 1}\n7,1\n")
    assert kinds(ingested) == {"id": "category", "n": "number"}
    assert cells(stored, "id") == [str(2**53 + 1), "7"]
    assert cells(stored, "n") == [2**53 - 1, 1]
    assert codes(ingested) == [("large_integers", "id")]


@pytest.mark.parametrize("date", ["2020-01-31", "2020-01-31 10:00:00", "31.01.2020", "1/31/20"])
def test_dates_stay_text_with_a_warning(accept, stored, date):
    ingested = accept(f"d,n\n{date},1\n,2\n")
    assert codes(ingested) == [("date_as_text", "d")]
    assert cells(stored, "d") == [date, None]


def test_mostly_numbers_are_text_and_the_warning_names_the_line(accept):
    ingested = accept("a,b\n" + "1,2\n" * 40 + "oops,2\n")
    assert kinds(ingested)["a"] == "category"
    assert codes(ingested) == [("mostly_numbers", "a")]
    assert "line 42" in ingested.warnings[0]["message"]
    assert "oops" not in str(ingested.warnings)


def test_lines_are_named_rightly_after_blank_lines_and_cells_of_two_lines(accept):
    ingested = accept('a,b\n\n1,"x\ny"\n' + "1,z\n" * 40 + "oops,z\n")
    assert "line 45" in ingested.warnings[0]["message"]


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400", "+nan"])
def test_numbers_that_are_not_finite_are_refused(refuse, cell):
    fault = refuse(f"a,b\n1,2\n{cell},3\n")
    assert (fault.code, fault.line, fault.row, fault.column) == ("not_finite", 3, 1, "a")


@pytest.mark.parametrize("cell", ["1,5", "1,234,567", "1,234.5", ",5"])
def test_commas_in_numbers_are_refused_with_a_hint(refuse, cell):
    fault = refuse(f'a,b\n1,2\n"{cell}",3\n')
    assert (fault.code, fault.line, fault.column) == ("decimal_comma", 3, "a")
    assert "decimal point" in fault.expected


def test_a_type_that_a_late_row_contradicts_is_corrected_in_all_rows(accept, stored):
    rows = 150_000
    ingested = accept("a,b,c\n" + "1,true,\n" * rows + "x,7,late\n")
    assert ingested.rows == rows + 1
    assert kinds(ingested) == {"a": "category", "b": "category", "c": "category"}
    assert read_rows(stored, after=0, limit=1) == [{"a": "1", "b": "true", "c": None}]
    assert read_rows(stored, after=rows, limit=5) == [{"a": "x", "b": "7", "c": "late"}]


def test_text_agrees_with_the_csv_module(accept, stored):
    texts = ["plain", "with,comma", 'with "quote"', "two\nlines", "é漢😀", "trailing\\"]
    file = io.StringIO()
    csv.writer(file).writerows([["a", "b"], *([text, "x"] for text in texts)])
    accept(file.getvalue())
    assert cells(stored, "a") == texts


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_line_ends_and_a_byte_order_mark_are_read(accept, stored, end):
    accept(("\ufeff" + end.join(["a,b", "1,x", "2,y"])).encode())
    assert read_rows(stored, after=0, limit=3) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_tabs_separate_only_where_the_sender_says_so(accept, refuse, stored):
    assert kinds(accept("a\tb\n1\tx,y\n", "tsv")) == {"a": "number", "b": "category"}
    stored.unlink()
    assert "tab-separated" in refuse("a\tb\n1\t2\n").detail
    assert refuse("a;b\n1;2\n").code == "separator"


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("", "empty", 1),
        ("\n \n", "empty", 1),
        ("a,b\n", "no_rows", 2),
        ("a,b", "no_rows", 2),
        ("a,a\n1,2\n", "duplicate_name", 1),
        ("a, a \n1,2\n", "duplicate_name", 1),
        (",b\n1,2\n", "empty_name", 1),
        ("a\x07,b\n1,2\n", "control_character", 1),
        ('"a\nb",c\n1,2\n', "control_character", 2),
        ("a" * 129 + ",b\n1,2\n", "name_too_long", 1),
        ('"a,b\n1,2\n', "stray_quote", 1),
        ("a,b\n1,2\n3\n", "ragged", 3),
        ("a,b\n1,2\n\n3,4,5\n", "ragged", 4),
        ('a,b\n1,2\n3,"4\n5,6\n', "unclosed_quote", 3),
        ('a,b\n5" pipe,2\n3,"4\n5,6\n', "unclosed_quote", 3),
        (b"a,b\n1,\x00\n", "nul", 2),
        (b"a,b\n1,2\n3,\xe9\n", "not_utf8", 3),
        (b"a,\xe9\n1,2\n", "not_utf8", 1),
        ("a,b\n1,2\n".encode("utf-16"), "not_utf8", 1),
        ("a,b\n1,2\n".encode("utf-16-be"), "not_utf8", 1),
        ("a,b\n1,2\n3," + "x" * 1025 + "\n", "cell_too_long", 3),
        ("a,b\n1," + "x" * (1 << 20) + "\n", "cell_too_long", 2),
        ('a,b\n1,"' + "3,4\n" * (1 << 20), "cell_too_long", 2),
    ],
    ids=lambda value: "long" if len(str(value)) > 50 else None,
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(refuse, content, code, line):
    fault = refuse(content)
    assert (fault.code, fault.line) == (code, line)


def test_a_cell_may_have_1024_characters_of_any_script(accept):
    assert accept("a,b\n1," + "漢" * 1024 + "\n").rows == 1


def test_a_thousand_columns_of_the_longest_cells_are_read(accept):
    header = ",".join(f"c{i}" for i in range(1000))
    row = ",".join(["é" * 1024] * 1000)
    assert accept(f"{header}\n{row}\n{row}\n").rows == 2


def test_limits_are_kept(refuse):
    assert refuse("a\n" + "1\n" * 11, rows=10).code == "too_many_rows"
    assert refuse("a,b\n" + "1,2\n" * 6, cells=10).code == "too_many_cells"
    assert refuse("a,b,c\n1,2,3\n", columns=2).code == "too_many_columns"
    assert refuse("a\n" + "1\n" * 100, decompressed_bytes=100).code == "too_large"


def test_names_that_are_numbers_earn_a_warning(accept):
    assert codes(accept("1,2.5\n3,4\n")) == [("numeric_header", None)]
