import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save

from core.columns import Category, Numeric
from core.errors import ModelInvalid
from core.files import MAX_HEADER, dump, load
from core.initializers import initialize
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.targets import fit_target

LINKS = {"regression": "identity", "binary": "sigmoid", "multiclass": "softmax"}
ROWS = [[1.5, "ü"], [None, "b"], [7, None]]


def trained(task="multiclass", dtype="float32", **changes):
    table = {
        "x": Numeric(np.array([0.1, 2.0, np.nan, 8.5])),
        "c": Category(np.array([0, 1, -1, 1], np.int32), ("ü", "b")),
        "regression": Numeric(np.array([0.1, 0.2, 0.7, 1.9])),
        "binary": Category(np.array([0, 1, 1, 1], np.int32), ("false", "true")),
        "multiclass": Numeric(np.array([1.0, 2.0, 3.0, 3.0])),
    }
    target, _ = fit_target(table[task], task)
    preprocessor = Preprocessor.fit(table, ["x", "c"])
    layers = (Layer(5, "relu"), Layer(4, "sigmoid"))
    network = Network(preprocessor.width, layers, target.outputs, LINKS[task])
    parts = {
        "task": task,
        "target_name": "größe",
        "preprocessor": preprocessor,
        "network": network,
        "theta": initialize(network, 3, dtype),
        "target": target,
        "metadata": {"metrics": {"accuracy": 0.1}, "a": [1, None, "é"]},
    }
    return Model(**(parts | changes))


@pytest.mark.parametrize("task", LINKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_brings_back_a_model_with_the_same_answers(task, dtype):
    model = trained(task, dtype)
    back = load(dump(model))
    assert back.theta.dtype == model.theta.dtype
    assert np.array_equal(back.theta, model.theta)
    assert (back.preprocessor, back.network, back.target, back.metadata) == (
        model.preprocessor,
        model.network,
        model.target,
        model.metadata,
    )
    assert back.signature() == model.signature()
    assert back.listed(back.predict_records(ROWS)) == model.listed(model.predict_records(ROWS))


def test_equal_models_have_equal_bytes():
    one = trained(metadata={"a": 1, "b": 2})
    other = trained(metadata={"b": 2, "a": 1})
    assert len({dump(model) for model in (one, other, load(dump(one)))}) == 1


def test_other_models_have_other_bytes():
    assert dump(trained()) != dump(trained(metadata={}))


def test_any_reader_of_safetensors_finds_the_layers():
    model = trained()
    found = read_tensors(dump(model))
    for layer, (weights, biases) in enumerate(model.network.views(model.theta)):
        assert np.array_equal(found[f"layers.{layer}.weight"], weights)
        assert np.array_equal(found[f"layers.{layer}.bias"], biases)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_refused_or_is_another_whole_model(data):
    content = bytearray(dump(trained()))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        model = load(bytes(content))
    except ModelInvalid:
        return
    assert dump(model) == content  # a weight or a name, which only a checksum can tell


def test_no_flipped_bit_of_the_header_is_anything_but_refused_or_readable():
    content = dump(trained())
    for bit in range(8 * (8 + int.from_bytes(content[:8], "little"))):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(ModelInvalid):
            assert dump(load(bytes(flipped))) == flipped


def test_a_header_too_long_to_parse_is_refused():
    def padded(length):
        return load(dump(trained(metadata={"text": "x" * length})))

    assert padded(MAX_HEADER - 4096)
    with pytest.raises(ModelInvalid):
        padded(MAX_HEADER)


def test_weights_in_any_memory_order_come_back():
    model = trained()
    assert dump(trained(theta=np.repeat(model.theta, 2)[::2])) == dump(model)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(share):
    content = dump(trained())
    with pytest.raises(ModelInvalid):
        load(content[: int(len(content) * share)])


def altered(change):
    content = dump(trained())
    length = int.from_bytes(content[:8], "little")
    description = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["sigmoid"])
    change(description)
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return save(read_tensors(content), metadata={"sigmoid": text})


def test_the_alteration_of_these_tests_is_not_what_is_refused():
    assert load(altered(lambda description: None))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format=2),
        lambda d: d.update(task="binary"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("metadata"),
        lambda d: d.update(network=None),
        lambda d: d["network"].update(inputs=4),
        lambda d: d["network"].update(link="identity"),
        lambda d: d["network"]["layers"][0].update(activation="unknown"),
        lambda d: d["network"]["layers"][0].update(units="5"),
        lambda d: d["network"]["layers"].pop(),
        lambda d: d["target"].update(labels=[1, 2, 2]),
        lambda d: d["target"].update(labels=[1, 2, "3"]),
        lambda d: d["preprocessor"].update(unseen="whatever"),
        lambda d: d["preprocessor"]["features"][0].update(scale=0.0),
        lambda d: d["preprocessor"]["features"][0].update(scale="1"),
        lambda d: d["preprocessor"]["features"][1].update(most_frequent=2),
        lambda d: d["preprocessor"]["features"][1].update(levels=["b", 1]),
        lambda d: d["preprocessor"]["features"].pop(),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change):
    with pytest.raises(ModelInvalid):
        load(altered(change))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff" * 100,
        save({"theta": np.zeros(3, np.float32)}),
        save({"theta": np.zeros(3, np.float32)}, metadata={"sigmoid": "[" * 100_000}),
        save({"theta": np.zeros(3, np.float32)}, metadata={"sigmoid": "[]"}),
    ],
)
def test_other_files_are_refused(content):
    with pytest.raises(ModelInvalid):
        load(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"theta": np.zeros(3, np.float32)},
        {"theta": np.full(trained().network.parameter_count, np.nan, np.float32)},
        {"theta": np.zeros(trained().network.parameter_count, np.float16)},
        {"metadata": {"loss": float("nan")}},
        {"metadata": {"when": object()}},
        {"target": trained("regression").target},
    ],
)
def test_a_model_that_could_not_come_back_is_not_written(changes):
    with pytest.raises(ModelInvalid):
        dump(trained(**changes))


def test_another_process_writes_the_same_bytes(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump(trained()))
    script = (
        "import sys, pathlib; from core.files import dump, load; "
        "content = pathlib.Path(sys.argv[1]).read_bytes(); sys.exit(dump(load(content)) != content)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0
