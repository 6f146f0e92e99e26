import pytest

from service.cli.exits import CommandError, ExitCode
from service.cli.values import hidden_layers, rows_of, typed_row

FEATURES = [
    {"name": "length", "type": "number"},
    {"name": "island", "type": "category"},
    {"name": "wild", "type": "boolean"},
]


def test_layers_are_read_in_order_and_sigmoid_unless_said():
    assert hidden_layers("16:tanh, 8") == [
        {"units": 16, "activation": "tanh"},
        {"units": 8, "activation": "sigmoid"},
    ]


def test_no_layers_is_a_linear_model():
    assert hidden_layers("none") == []


@pytest.mark.parametrize("text", ["", "x:tanh", "16:tanh,", "-4:relu", "1.5", "١٦"])
def test_layers_that_are_none_are_refused(text):
    with pytest.raises(CommandError) as refusal:
        hidden_layers(text)

    assert refusal.value.code is ExitCode.USAGE


def test_cells_take_the_types_of_the_signature():
    row = typed_row("length=46.5, island=Biscoe, wild=TRUE", FEATURES)

    assert row == {"length": 46.5, "island": "Biscoe", "wild": True}


def test_a_level_that_looks_like_a_number_stays_text():
    assert typed_row("island=0042", FEATURES) == {"island": "0042"}


def test_quotes_keep_commas_together_and_values_may_hold_equals_signs():
    assert typed_row('"island=a,b=c",length=1', FEATURES) == {"island": "a,b=c", "length": 1}


@pytest.mark.parametrize("token", ["", "NA", "NaN", "null"])
def test_missing_tokens_are_missing(token):
    assert typed_row(f"length={token}", FEATURES) == {"length": None}


@pytest.mark.parametrize("row", ["length", "length=long", "wild=maybe"])
def test_a_row_that_does_not_fit_is_refused_before_anything_is_sent(row):
    with pytest.raises(CommandError) as refusal:
        typed_row(row, FEATURES)

    assert refusal.value.code is ExitCode.USAGE


def test_csv_rows_leave_out_columns_the_model_does_not_use(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("\ufefflength,species,island\n1,Adelie,Dream\n,Gentoo,Biscoe\n", "utf-8")

    assert rows_of(file, FEATURES) == [
        {"length": 1, "island": "Dream"},
        {"length": None, "island": "Biscoe"},
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.json", '[{"length": 1}]'),
        ("rows.json", '{"rows": [{"length": 1}]}'),
        ("rows.ndjson", '{"length": 1}\n\n'),
        ("rows.tsv", "length\n1\n"),
    ],
)
def test_the_same_row_comes_from_every_format(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)

    assert rows_of(file, FEATURES) == [{"length": 1}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b'[{"length": NaN}]'),
        ("rows.json", b"[1]"),
        ("rows.json", b"3"),
        ("rows.json", b"{"),
        ("rows.csv", b"length\nlong\n"),
        ("rows.csv", b"\xff\xfe"),
        ("rows.xlsx", b""),
    ],
)
def test_a_file_without_rows_is_refused_by_name(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(CommandError, match="rows") as refusal:
        rows_of(file, FEATURES)

    assert refusal.value.code is ExitCode.USAGE
