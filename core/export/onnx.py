"""An ONNX graph, preprocessing and labels inside: one input a column, opset 17.

Numbers and booleans come as double, NaN where missing; text as string, empty where missing.
`onnx` is imported when a graph is written, for nothing else here needs it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.export.plan import NotExportable, Plan
from core.export.titles import title_lines

OPSET, IR, ML_OPSET = 17, 8, 3


@dataclass
class Graph:
    """Nodes and constants under way. Every method gives the name of what it adds."""

    prefix: str = ""  # of names made here, which no column's name begins with
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        from onnx import helper

        name = f"{self.prefix}t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        )
        return name

    def constant(self, value: Any, dtype: Any) -> str:
        """A constant tensor."""
        from onnx import numpy_helper

        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def encode(self, text: str, keys: Sequence[str], values: Sequence[Any], other: Any) -> str:
        """Each string as a number; `other` where it is none of the keys."""
        kind = "floats" if isinstance(other, float) else "int64s"
        default = {f"default_{kind[:-1]}": other}
        return self.add(
            "LabelEncoder", text, domain="ai.onnx.ml", keys_strings=list(keys),
            **{f"values_{kind}": list(values)}, **default,
        )  # fmt: skip


def write_onnx(plan: Plan) -> bytes:
    """The model's bytes. Raises NotExportable for dates, whose text ONNX cannot read."""
    import onnx
    from onnx import TensorProto, helper

    columns = [feature["name"] for feature in plan["features"]]
    graph, inputs, parts = Graph(_unused_prefix(columns)), [], []
    for feature in plan["features"]:
        if feature["kind"] not in KINDS:
            raise NotExportable("A model with columns of dates cannot be an ONNX graph.")
        is_text = feature["kind"] in ("one_hot", "lookup")
        kind = TensorProto.STRING if is_text else TensorProto.DOUBLE
        inputs.append(helper.make_tensor_value_info(feature["name"], kind, ["rows", 1]))
        parts += KINDS[feature["kind"]](graph, feature)
    sums = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    for layer in plan["layers"]:
        weights = graph.constant(layer["weights"], np.float32)
        biases = graph.constant(layer["biases"], np.float32)
        sums = graph.add("Gemm", sums, weights, biases)
        sums = ACTIVATIONS[layer["activation"]](graph, sums, layer["alpha"])
    outputs = _answered(graph, plan, sums, columns)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "sigmoid", inputs, outputs, graph.constants),
        producer_name="sigmoid",
        ir_version=IR,
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", ML_OPSET),
        ],
        doc_string="\n".join(title_lines(plan)),
    )
    facts = {"task": plan["task"], "labels": plan["target"].get("names", []),
             "outputs": plan["target"].get("columns", plan["target"].get("quantiles", [])),
             "sha256": plan.get("sha256", "")}  # fmt: skip
    helper.set_model_props(model, {"sigmoid": json.dumps(facts, sort_keys=True)})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _unused_prefix(columns: Sequence[str]) -> str:
    prefix = "_"
    while any(column.startswith(prefix) for column in columns):
        prefix += "_"
    return prefix


def _output(name: str, columns: Sequence[str]) -> str:
    """The output's name; one that a column has already is preceded by `predicted_`."""
    while name in columns:
        name = f"predicted_{name}"
    return name


def _answered(graph: Graph, plan: Plan, sums: str, columns: Sequence[str]) -> list[Any]:
    from onnx import TensorProto, helper

    target = plan["target"]
    if "columns" in target and plan["link"] == "sigmoid":
        return _labels(graph, len(target["columns"]), sums, columns)
    if "labels" not in target:
        return _values(graph, plan, sums, columns)
    if plan["link"] == "sigmoid":
        second = graph.add("Sigmoid", sums)
        first = graph.add("Sub", graph.constant(1.0, np.float32), second)
        shares = graph.add("Concat", first, second, axis=1)
    else:
        shares = graph.add("Softmax", sums, axis=1)
    best = graph.add("ArgMax", shares, axis=1, keepdims=0)
    labels = target["labels"]
    keys = list(range(len(labels)))
    if target["kind"] == "boolean":
        kind, label = TensorProto.BOOL, graph.add("Cast", best, to=TensorProto.BOOL)
    elif target["kind"] == "number":
        kind, label = TensorProto.INT64, graph.add("Gather", graph.constant(labels, np.int64), best)
    else:
        kind = TensorProto.STRING
        label = graph.add(
            "LabelEncoder", best, domain="ai.onnx.ml", keys_int64s=keys, values_strings=labels
        )
    names = _output("label", columns), _output("probabilities", columns)
    graph.nodes.append(helper.make_node("Identity", [label], [names[0]]))
    graph.nodes.append(helper.make_node("Identity", [shares], [names[1]]))
    return [
        helper.make_tensor_value_info(names[0], kind, ["rows"]),
        helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["rows", len(labels)]),
    ]


def _values(graph: Graph, plan: Plan, sums: str, columns: Sequence[str]) -> list[Any]:
    """One number, several or quantiles: `value`, `values` or `quantiles`, (rows, numbers)."""
    from onnx import TensorProto, helper

    target = plan["target"]
    parts, name, width = target.get("parts", [target]), "value", 1
    if "columns" in target:
        name, width = "values", len(parts)
    if "quantiles" in target:
        name, width = "quantiles", len(target["quantiles"])
        ordered = [f"{graph.prefix}ordered", f"{graph.prefix}places"]
        count = graph.constant([width], np.int64)
        graph.nodes.append(
            helper.make_node("TopK", [sums, count], ordered, axis=1, largest=0, sorted=1)
        )
        sums = ordered[0]
    value = graph.add("Cast", sums, to=TensorProto.DOUBLE)
    if plan["link"] == "exp":
        value = graph.add("Exp", graph.add("Min", value, graph.constant(30.0, np.float64)))
    for operator, figure in (("Mul", "scale"), ("Add", "mean")):
        numbers = graph.constant([[part[figure] for part in parts]], np.float64)
        value = graph.add(operator, value, numbers)
    if parts[0]["curve"] == "log1p":  # of one job's targets all or none
        one = graph.constant(1.0, np.float64)
        size = graph.add("Sub", graph.add("Exp", graph.add("Abs", value)), one)
        value = graph.add("Mul", size, graph.add("Sign", value))
    name = _output(name, columns)
    graph.nodes.append(helper.make_node("Identity", [value], [name]))
    return [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", width])]


def _labels(graph: Graph, count: int, sums: str, columns: Sequence[str]) -> list[Any]:
    """Of several targets of two labels each the place of the label, 0 or 1, and the probability
    of the second: both (rows, targets).
    """
    from onnx import TensorProto, helper

    shares = graph.add("Sigmoid", sums)
    half = graph.constant(0.5, np.float32)
    places = graph.add("Cast", graph.add("Greater", shares, half), to=TensorProto.INT64)
    names = _output("labels", columns), _output("probabilities", columns)
    graph.nodes.append(helper.make_node("Identity", [places], [names[0]]))
    graph.nodes.append(helper.make_node("Identity", [shares], [names[1]]))
    return [
        helper.make_tensor_value_info(names[0], TensorProto.INT64, ["rows", count]),
        helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["rows", count]),
    ]


def _number(graph: Graph, feature: dict[str, Any]) -> list[str]:
    missing = graph.add("IsNaN", feature["name"])
    filled = graph.add(
        "Where", missing, graph.constant(feature["fill"], np.float64), feature["name"]
    )
    bent = CURVES[feature["curve"]["name"]](graph, feature["curve"], filled)
    shifted = graph.add("Sub", bent, graph.constant(feature["offset"], np.float64))
    scaled = graph.add("Div", shifted, graph.constant(feature["scale"], np.float64))
    return [_single(graph, scaled), *_indicator(graph, feature, missing)]


def _boolean(graph: Graph, feature: dict[str, Any]) -> list[str]:
    missing = graph.add("IsNaN", feature["name"])
    fill = graph.constant(float(feature["fill"]), np.float64)
    filled = graph.add("Where", missing, fill, feature["name"])
    return [_single(graph, filled), *_indicator(graph, feature, missing)]


def _one_hot(graph: Graph, feature: dict[str, Any]) -> list[str]:
    keys = [*feature["levels"], ""]
    found = graph.encode(
        feature["name"], keys, [*range(len(feature["levels"])), feature["fill"]], -1
    )
    places = graph.constant([list(range(len(feature["levels"])))], np.int64)
    return [_single(graph, graph.add("Equal", found, places)), *_absent(graph, feature)]


def _lookup(graph: Graph, feature: dict[str, Any]) -> list[str]:
    values = [float(value) for value in feature["values"]]
    keys, values = [*feature["levels"], ""], [*values, values[feature["fill"]]]
    found = graph.encode(feature["name"], keys, values, float(feature["other"]))
    return [found, *_absent(graph, feature)]


def _absent(graph: Graph, feature: dict[str, Any]) -> list[str]:
    if not feature["indicator"]:
        return []
    return [graph.encode(feature["name"], [""], [1.0], 0.0)]


def _indicator(graph: Graph, feature: dict[str, Any], missing: str) -> list[str]:
    return [_single(graph, missing)] if feature["indicator"] else []


def _single(graph: Graph, tensor: str) -> str:
    from onnx import TensorProto

    return graph.add("Cast", tensor, to=TensorProto.FLOAT)


def _log1p(graph: Graph, curve: dict[str, Any], x: str) -> str:
    one = graph.constant(1.0, np.float64)
    return graph.add(
        "Mul", graph.add("Log", graph.add("Add", graph.add("Abs", x), one)), graph.add("Sign", x)
    )


def _interpolation(graph: Graph, curve: dict[str, Any], x: str) -> str:
    """The first height, and each line's slope times how much of it lies below x."""
    knots, heights = np.array(curve["knots"]), np.array(curve["values"])
    if len(knots) == 1:
        nothing = graph.constant(0.0, np.float64)
        return graph.add("Add", graph.add("Mul", x, nothing), graph.constant(heights, np.float64))
    widths = np.diff(knots)
    past = graph.add("Sub", x, graph.constant(knots[None, :-1], np.float64))
    past = graph.add("Max", past, graph.constant(0.0, np.float64))
    past = graph.add("Min", past, graph.constant(widths[None], np.float64))
    slopes = graph.constant((np.diff(heights) / widths)[:, None], np.float64)
    return graph.add(
        "Add", graph.add("MatMul", past, slopes), graph.constant(heights[0], np.float64)
    )


CURVES: dict[str, Callable[[Graph, dict[str, Any], str], str]] = {
    "identity": lambda graph, curve, x: x,
    "log1p": _log1p,
    "interpolation": _interpolation,
}
KINDS: dict[str, Callable[[Graph, dict[str, Any]], list[str]]] = {
    "number": _number, "boolean": _boolean, "one_hot": _one_hot, "lookup": _lookup,
}  # fmt: skip


def _gelu(graph: Graph, z: str, alpha: float) -> str:
    def single(value: float) -> str:
        return graph.constant(value, np.float32)

    near = graph.add("Clip", z, single(-30.0), single(30.0))
    cube = graph.add("Mul", graph.add("Mul", near, near), near)
    bent = graph.add("Add", near, graph.add("Mul", cube, single(0.044715)))
    share = graph.add("Sigmoid", graph.add("Mul", bent, single(1.5957691216057308)))
    return graph.add("Mul", z, share)


def _plain(operator: str, **attributes: Any) -> Callable[[Graph, str, float], str]:
    return lambda graph, z, alpha: graph.add(operator, z, **attributes)


ACTIVATIONS: dict[str, Callable[[Graph, str, float], str]] = {
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "relu": _plain("Relu"),
    "leaky_relu": lambda graph, z, alpha: graph.add("LeakyRelu", z, alpha=alpha),
    "elu": lambda graph, z, alpha: graph.add("Elu", z, alpha=alpha),
    "selu": _plain("Selu", alpha=1.6732632423543772, gamma=1.0507009873554805),
    "gelu": _gelu,
    "silu": lambda graph, z, alpha: graph.add("Mul", z, graph.add("Sigmoid", z)),
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "hard_sigmoid": _plain("HardSigmoid", alpha=1 / 6, beta=0.5),
    "identity": lambda graph, z, alpha: z,
}
