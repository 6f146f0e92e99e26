"""One C99 header that predicts on a microcontroller: no allocation, constant weights, floats."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from core.export.plan import NotExportable, Plan
from core.export.titles import plain, title_lines

# Of z and ALPHA, as float expressions.
ACTIVATIONS = {
    "sigmoid": "0.5f + 0.5f * tanhf(0.5f * z)",
    "tanh": "tanhf(z)",
    "relu": "z > 0.0f ? z : 0.0f",
    "leaky_relu": "z > 0.0f ? z : ALPHA * z",
    "elu": "z > 0.0f ? z : ALPHA * expm1f(z)",
    "selu": "1.05070099f * (z > 0.0f ? z : 1.67326324f * expm1f(z))",
    "gelu": "z * sigmoid_share(sigmoid_bent(z))",
    "silu": "z * sigmoid_share(z)",
    "softplus": "(z > 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z)))",
    "softsign": "z / (1.0f + fabsf(z))",
    "hard_sigmoid": "z > -3.0f ? (z < 3.0f ? z / 6.0f + 0.5f : 1.0f) : 0.0f",
    "identity": "z",
}
_SHARE = """\
static inline float sigmoid_share(float z) {
  const float e = expf(-fabsf(z));
  return (z > 0.0f ? 1.0f : e) / (1.0f + e);
}
"""
_BENT = """\
static inline float sigmoid_bent(float z) {
  const float near = z < 30.0f ? (z > -30.0f ? z : -30.0f) : 30.0f;
  return 1.59576912f * (near + 0.044715f * near * near * near);
}
"""
_SHARED = """\
#ifndef SIGMOID_MODEL_H
#define SIGMOID_MODEL_H

#include <math.h>
#include <stddef.h>
#include <string.h>

/* What sigmoid_predict returns instead of a class when a cell cannot be used: minus 1 minus the
   position of its column. */
"""
_POSITION = """\
static inline int sigmoid_position(const char *text, const char *const *levels, int count) {
  int at;
  for (at = 0; at < count; at++)
    if (strcmp(text, levels[at]) == 0) return at;
  return -1;
}
"""
_CURVE = """\
static inline double sigmoid_line(double x, const double *knots, const double *values, int count) {
  int low = 0, high = count - 1;
  if (x <= knots[0]) return values[0];
  if (x >= knots[high]) return values[high];
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (knots[middle] <= x) low = middle; else high = middle;
  }
  return values[low] +
         (values[high] - values[low]) / (knots[high] - knots[low]) * (x - knots[low]);
}
"""


def write_c(plan: Plan) -> bytes:
    """A header; include it once and call sigmoid_predict. Raises NotExportable for dates."""
    header = "".join(f"   {line}\n" for line in title_lines(plan))
    return "".join(["/*", header[2:-1], " */\n", _SHARED, *_row(plan), *_parts(plan)]).encode()


def _row(plan: Plan) -> Iterator[str]:
    features, target = plan["features"], plan["target"]
    if any("\0" in str(level) for feature in features for level in feature.get("levels", ())):
        raise NotExportable("A level with a NUL character cannot be a string in C.")
    yield "typedef struct {\n"
    for at, feature in enumerate(features):
        yield f"  {_type(feature)}column_{at}; /* {plain(feature['name'])}{_missing(feature)} */\n"
    yield "} sigmoid_row;\n\n"
    labels, several = target.get("labels"), target.get("columns", target.get("quantiles"))
    count = len(several or labels or (1,))
    yield f"#define SIGMOID_COLUMNS {len(features)}\n"
    yield f"#define SIGMOID_OUTPUTS {count}\n"
    yield f"#define SIGMOID_IS_CLASSIFIER {int(labels is not None)}\n\n"
    if several is not None:
        yield _array("const char *const sigmoid_outputs", [f"  {quoted(name)}" for name in several])
    if labels is not None:
        names = [f"  {quoted(name)}" for name in target["names"]]
        yield _array("const char *const sigmoid_labels", names)


def _type(feature: dict[str, Any]) -> str:
    if feature["kind"] == "date":
        raise NotExportable("A model with columns of dates cannot be a C header.")
    return "const char *" if feature["kind"] in ("one_hot", "lookup") else "double "


def _missing(feature: dict[str, Any]) -> str:
    kinds = {"boolean": ": 0, 1, NAN where missing", "number": ": NAN where missing"}
    return kinds.get(feature["kind"], ": UTF-8, NULL where missing")


def _parts(plan: Plan) -> Iterator[str]:
    used = {layer["activation"] for layer in plan["layers"]}
    kinds = {feature["kind"] for feature in plan["features"]}
    curves = {feature["curve"]["name"] for feature in plan["features"] if "curve" in feature}
    yield _SHARE if used & {"gelu", "silu"} else ""
    yield _BENT if "gelu" in used else ""
    yield _POSITION if kinds & {"one_hot", "lookup"} else ""
    yield _CURVE if "interpolation" in curves else ""
    width = 0
    lines: list[str] = []
    for at, feature in enumerate(plan["features"]):
        yield from _tables(at, feature)
        found, inputs = _encoded(at, feature, width)
        lines += found
        width += inputs
    for at, layer in enumerate(plan["layers"]):
        cells = [_float(cell) for row in layer["weights"] for cell in row]
        yield _array(f"const float sigmoid_weights_{at}", cells)
        yield _array(f"const float sigmoid_biases_{at}", [_float(b) for b in layer["biases"]])
    yield from _predict(plan, width, lines)


def _tables(at: int, feature: dict[str, Any]) -> Iterator[str]:
    if feature["kind"] in ("one_hot", "lookup"):
        levels = [quoted(level) for level in feature["levels"]]
        yield _array(f"const char *const sigmoid_levels_{at}", levels)
    if feature["kind"] == "lookup":
        yield _array(f"const double sigmoid_values_{at}", map(_double, feature["values"]))
    if feature.get("curve", {}).get("name") == "interpolation":
        for part in ("knots", "values"):
            cells = map(_double, feature["curve"][part])
            yield _array(f"const double sigmoid_{part}_{at}", cells)


def _encoded(at: int, feature: dict[str, Any], first: int) -> tuple[list[str], int]:
    """Statements that write the column's inputs, and how many those are."""
    cell, failure = f"row->column_{at}", f"return {-1 - at};"
    text = feature["kind"] in ("one_hot", "lookup")
    is_missing = f"({cell} == NULL || {cell}[0] == 0)" if text else f"isnan({cell})"
    lines = [f"if ({is_missing}) {failure}"] if feature["refuse_missing"] else []
    found, width = KINDS[feature["kind"]](at, feature, first, cell, is_missing, failure)
    lines += found
    if feature["indicator"]:
        lines.append(f"a[{first + width}] = {is_missing} ? 1.0f : 0.0f;")
        width += 1
    return lines, width


_Encoded = tuple[list[str], int]


def _number(
    at: int, feature: dict[str, Any], first: int, cell: str, missing: str, failure: str
) -> _Encoded:
    curve = feature["curve"]
    bent = {
        "identity": "x",
        "log1p": "copysign(log1p(fabs(x)), x)",
        "interpolation": f"sigmoid_line(x, sigmoid_knots_{at}, sigmoid_values_{at}, "
        f"{len(curve.get('knots', ()))})",
    }[curve["name"]]
    return [
        f"x = {missing} ? {_double(feature['fill'])} : {cell};",
        f"if (isinf(x)) {failure}",
        f"x = ({bent} - ({_double(feature['offset'])})) / {_double(feature['scale'])};",
        f"if (fabs(x) > 3.4028234663852886e38) {failure}",
        f"a[{first}] = (float)x;",
    ], 1


def _boolean(
    at: int, feature: dict[str, Any], first: int, cell: str, missing: str, failure: str
) -> _Encoded:
    return [
        f"x = {missing} ? {_double(feature['fill'])} : {cell};",
        f"if (x < 0.0 || x > 1.0 || (x > 0.0 && x < 1.0)) {failure}",
        f"a[{first}] = (float)x;",
    ], 1


def _position(at: int, feature: dict[str, Any], cell: str, missing: str, failure: str) -> list[str]:
    count = len(feature["levels"])
    found = f"sigmoid_position({cell}, sigmoid_levels_{at}, {count})"
    lines = [f"at = {missing} ? {feature['fill']} : {found};"]
    return lines + ([f"if (at < 0) {failure}"] if feature["refuse_unseen"] else [])


def _one_hot(
    at: int, feature: dict[str, Any], first: int, cell: str, missing: str, failure: str
) -> _Encoded:
    return [
        *_position(at, feature, cell, missing, failure),
        f"if (at >= 0) a[{first} + at] = 1.0f;",
    ], len(feature["levels"])


def _lookup(
    at: int, feature: dict[str, Any], first: int, cell: str, missing: str, failure: str
) -> _Encoded:
    other = _double(feature["other"])
    return [
        *_position(at, feature, cell, missing, failure),
        f"a[{first}] = (float)(at < 0 ? {other} : sigmoid_values_{at}[at]);",
    ], 1


KINDS: dict[str, Callable[..., _Encoded]] = {
    "number": _number, "boolean": _boolean, "one_hot": _one_hot, "lookup": _lookup,
}  # fmt: skip


def _predict(plan: Plan, width: int, encoding: Sequence[str]) -> Iterator[str]:
    most = max(width, *(len(layer["biases"]) for layer in plan["layers"]))
    yield (
        "\n/* The class of a row, or 0 for a value; below 0 when a cell cannot be used.\n"
        "   outputs: SIGMOID_OUTPUTS probabilities, or the value. Of several targets or\n"
        "   quantiles a value each, or the probability of its second label, named by\n"
        "   sigmoid_outputs. */\n"
        "static inline int sigmoid_predict(const sigmoid_row *row, double *outputs) {\n"
        f"  static float a[{most}], b[{most}];\n"
        "  int at = 0, unit, best = 0;\n  double x = 0.0, total = 0.0;\n"
        f"  for (unit = 0; unit < {most}; unit++) a[unit] = 0.0f;\n"
    )
    yield from (f"  {line}\n" for line in encoding)
    source, to, inputs = "a", "b", width
    for at, layer in enumerate(plan["layers"]):
        units = len(layer["biases"])
        value = ACTIVATIONS[layer["activation"]].replace("ALPHA", _float(layer["alpha"]))
        yield (
            f"  for (unit = 0; unit < {units}; unit++) {{\n"
            f"    float z = sigmoid_biases_{at}[unit];\n"
            f"    for (at = 0; at < {inputs}; at++)\n"
            f"      z += {source}[at] * sigmoid_weights_{at}[at * {units} + unit];\n"
            f"    {to}[unit] = {value};\n  }}\n"
        )
        source, to, inputs = to, source, units
    yield from _answered(plan, source, inputs)
    yield "  (void)x; (void)total; (void)at; (void)unit;\n  return best;\n}\n\n#endif\n"


def _answered(plan: Plan, source: str, outputs: int) -> Iterator[str]:
    target = plan["target"]
    if "quantiles" in target:
        yield (
            f"  for (unit = 1; unit < {outputs}; unit++)\n"
            f"    for (at = unit; at > 0 && {source}[at] < {source}[at - 1]; at--) {{\n"
            f"      const float low = {source}[at];\n"
            f"      {source}[at] = {source}[at - 1];\n"
            f"      {source}[at - 1] = low;\n    }}\n"
        )
    if "labels" not in target and plan["link"] != "sigmoid":
        parts = target.get("parts", [target] * outputs)
        for at, part in enumerate(parts):
            yield from _quantity(plan["link"], part, source, at)
    elif "columns" in target:
        yield (
            f"  for (unit = 0; unit < {outputs}; unit++)\n"
            f"    outputs[unit] = 0.5 + 0.5 * tanh(0.5 * {source}[unit]);\n"
        )
    elif plan["link"] == "sigmoid":
        yield f"  outputs[1] = 0.5 + 0.5 * tanh(0.5 * {source}[0]);\n"
        yield "  outputs[0] = 1.0 - outputs[1];\n  best = outputs[1] > outputs[0];\n"
    else:
        yield (
            f"  for (unit = 1; unit < {outputs}; unit++)\n"
            f"    if ({source}[unit] > {source}[best]) best = unit;\n"
            f"  for (unit = 0; unit < {outputs}; unit++) {{\n"
            f"    outputs[unit] = exp({source}[unit] - {source}[best]);\n"
            "    total += outputs[unit];\n  }\n"
            f"  for (unit = 0; unit < {outputs}; unit++) outputs[unit] /= total;\n"
        )


def _quantity(link: str, part: dict[str, Any], source: str, at: int) -> Iterator[str]:
    yield f"  x = {source}[{at}];\n"
    if link == "exp":
        yield "  x = exp(x < 30.0 ? x : 30.0);\n"
    yield f"  x = x * {_double(part['scale'])} + ({_double(part['mean'])});\n"
    inverse = "copysign(expm1(fabs(x)), x)" if part["curve"] == "log1p" else "x"
    yield f"  outputs[{at}] = {inverse};\n"


def _array(declaration: str, cells: Any) -> str:
    """A constant array, eight cells a line."""
    found = list(cells)
    lines = [", ".join(found[at : at + 8]) for at in range(0, len(found), 8)]
    return f"static {declaration}[{len(found)}] = {{\n  " + ",\n  ".join(lines) + "\n};\n\n"


def _double(value: float) -> str:
    return repr(float(value))


def _float(value: float) -> str:
    return f"{float(value)!r}f"


def quoted(text: str) -> str:
    """A string literal of the text in UTF-8: all but letters, digits and blanks in octal."""
    return '"' + "".join(map(_character, text.encode())) + '"'


def _character(byte: int) -> str:
    is_plain = byte < 128 and (chr(byte).isalnum() or chr(byte) == " ")
    return chr(byte) if is_plain else f"\\{byte:03o}"
