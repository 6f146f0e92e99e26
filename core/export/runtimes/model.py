"""Predict with an exported model. NumPy is used where it is there and needed nowhere.

python model.py < rows.json           # a row, an array of rows, or a row a line
python model.py --csv < rows.csv      # CSV with a header
>>> import model; model.predict([{"column": 1.5}])
"""

import json
import math
import re
import sys

try:
    import numpy
except ImportError:
    numpy = None

PLAN = {}  # the model stands here
LARGEST = 3.4028234663852886e38
PERIODS = {"month": 12.0, "day": 31.0, "weekday": 7.0, "hour": 24.0, "day_of_year": 365.25}
DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"([T ]([0-9]{2}):([0-9]{2})(:([0-9]{2})(\.[0-9]{1,9})?)?(Z|[+-]([0-9]{2}):?([0-9]{2}))?)?"
)


class Scalars:
    """The functions that NumPy has for arrays, for single numbers."""

    exp, tanh, log1p = math.exp, math.tanh, math.log1p

    @staticmethod
    def where(condition, yes, no):
        return yes if condition else no


def activations(m):
    """Every activation of z and alpha; m is NumPy or Scalars."""

    def share(z):
        e = m.exp(-abs(z))
        return m.where(z > 0, 1.0, e) / (1.0 + e)

    def below(z):
        return m.exp(m.where(z < 0, z, 0.0)) - 1.0

    def gelu(z):
        near = m.where(z < 30.0, m.where(z > -30.0, z, -30.0), 30.0)
        return z * share(1.5957691216057308 * (near + 0.044715 * near * near * near))

    return {
        "sigmoid": lambda z, alpha: 0.5 + 0.5 * m.tanh(0.5 * z),
        "tanh": lambda z, alpha: m.tanh(z),
        "relu": lambda z, alpha: m.where(z > 0, z, 0.0),
        "leaky_relu": lambda z, alpha: m.where(z > 0, z, alpha * z),
        "elu": lambda z, alpha: m.where(z > 0, z, alpha * below(z)),
        "selu": lambda z, alpha: (
            1.0507009873554805 * m.where(z > 0, z, 1.6732632423543772 * below(z))
        ),
        "gelu": lambda z, alpha: gelu(z),
        "silu": lambda z, alpha: z * share(z),
        "softplus": lambda z, alpha: m.where(z > 0, z, 0.0) + m.log1p(m.exp(-abs(z))),
        "softsign": lambda z, alpha: z / (1.0 + abs(z)),
        "hard_sigmoid": lambda z, alpha: m.where(
            z > -3.0, m.where(z < 3.0, z / 6.0 + 0.5, 1.0), 0.0
        ),
        "identity": lambda z, alpha: z,
    }


def curved(curve, x):
    """What a number goes through before it is shifted and scaled."""
    if curve["name"] == "identity":
        return x
    if curve["name"] == "log1p":
        return math.copysign(math.log1p(abs(x)), x)
    knots, values = curve["knots"], curve["values"]
    if x <= knots[0]:
        return values[0]
    if x >= knots[-1]:
        return values[-1]
    low, high = 0, len(knots) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if knots[middle] <= x else (low, middle)
    slope = (values[high] - values[low]) / (knots[high] - knots[low])
    return values[low] + slope * (x - knots[low])


def is_missing(cell):
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def number(feature, cell):
    if is_missing(cell):
        cell = feature["fill"]
    if isinstance(cell, bool) or not isinstance(cell, (int, float)) or math.isinf(cell):
        raise ValueError("expected a finite number in column %r" % feature["name"])
    scaled = (curved(feature["curve"], float(cell)) - feature["offset"]) / feature["scale"]
    if abs(scaled) > LARGEST:
        raise ValueError("the number in column %r is too large" % feature["name"])
    return [scaled]


def boolean(feature, cell):
    if is_missing(cell):
        return [float(feature["fill"])]
    if cell is not True and cell is not False:
        raise ValueError("expected true or false in column %r" % feature["name"])
    return [float(cell)]


def position(feature, cell):
    """Where the cell stands among the levels; -1 where it is unseen."""
    if is_missing(cell):
        return feature["fill"]
    if not isinstance(cell, str):
        raise ValueError("expected text in column %r" % feature["name"])
    if "positions" not in feature:
        feature["positions"] = {level: at for at, level in enumerate(feature["levels"])}
    found = feature["positions"].get(cell, -1)
    if found < 0 and feature["refuse_unseen"]:
        raise ValueError("column %r has a level that training did not see" % feature["name"])
    return found


def one_hot(feature, cell):
    found = position(feature, cell)
    return [float(at == found) for at in range(len(feature["levels"]))]


def lookup(feature, cell):
    found = position(feature, cell)
    return [feature["other"] if found < 0 else feature["values"][found]]


def date(feature, cell):
    width = sum(1 if part == "year" else 2 for part in feature["parts"])
    if is_missing(cell):
        return [0.0] * width
    parts = date_parts(cell) if isinstance(cell, str) else None
    if parts is None:
        raise ValueError("expected a date by ISO 8601 in column %r" % feature["name"])
    found = []
    for part in feature["parts"]:
        if part == "year":
            found.append((parts["year"] - feature["offset"]) / feature["scale"])
        else:
            angle = 2.0 * math.pi * parts[part] / PERIODS[part]
            found += [math.sin(angle), math.cos(angle)]
    return found


def date_parts(text):
    """The parts of a date at the clock time that it states; None when it is none."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, east, more = (
        int(match.group(at) or 0) for at in (1, 2, 3, 5, 6, 8, 11, 12)
    )
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    if hour > 23 or minute > 59 or second > 59 or east > 23 or more > 59:
        return None
    since = sum(lengths[: month - 1]) + day - 1
    before = year - 1
    weekday = (before * 365 + before // 4 - before // 100 + before // 400 + since) % 7
    return {
        "year": float(year), "month": month - 1.0, "day": day - 1.0, "weekday": float(weekday),
        "hour": hour + minute / 60 + second / 3600, "day_of_year": float(since),
    }  # fmt: skip


KINDS = {
    "number": number, "boolean": boolean, "one_hot": one_hot, "lookup": lookup, "date": date,
}  # fmt: skip


def encode(row):
    """The network's inputs of a row: a dict by column name, or a list in the columns' order."""
    features = PLAN["features"]
    if isinstance(row, dict):
        names = [feature["name"] for feature in features]
        unknown = [name for name in row if name not in names]
        absent = [name for name in names if name not in row]
        if unknown or absent:
            raise ValueError("expected the columns %s" % ", ".join(map(repr, names)))
        row = [row[name] for name in names]
    if len(row) != len(features):
        raise ValueError("expected %d cells in a row" % len(features))
    found = []
    for feature, cell in zip(features, row):
        missing = is_missing(cell)
        if missing and feature["refuse_missing"]:
            raise ValueError("column %r must not be missing" % feature["name"])
        found += KINDS[feature["kind"]](feature, cell)
        if feature["indicator"]:
            found.append(float(missing))
    return found


def forward(rows):
    """The last layer's sums for encoded rows."""
    if numpy is not None:
        known, x = activations(numpy), numpy.array(rows, dtype=numpy.float64)
        for layer in PLAN["layers"]:
            sums = x @ numpy.array(layer["weights"]) + numpy.array(layer["biases"])
            x = known[layer["activation"]](sums, layer["alpha"])
        return x.tolist()
    known = activations(Scalars)
    return [forward_one(row, known) for row in rows]


def forward_one(x, known):
    for layer in PLAN["layers"]:
        weights, activate, alpha = layer["weights"], known[layer["activation"]], layer["alpha"]
        x = [
            activate(bias + sum(a * w[unit] for a, w in zip(x, weights)), alpha)
            for unit, bias in enumerate(layer["biases"])
        ]
    return x


def quantity(z, part):
    if PLAN["link"] == "exp":
        z = math.exp(min(z, 30.0))
    value = z * part["scale"] + part["mean"]
    if part["curve"] == "log1p":
        value = math.copysign(math.expm1(abs(value)), value)
    return value


def answers(sums, target):
    columns, parts = target["columns"], target["parts"]
    if PLAN["link"] != "sigmoid":
        values = [quantity(z, part) for z, part in zip(sums, parts)]
        return {"values": dict(zip(columns, values))}
    shares = [0.5 + 0.5 * math.tanh(0.5 * z) for z in sums]
    labels = [part["labels"][share > 0.5] for share, part in zip(shares, parts)]
    return {"labels": dict(zip(columns, labels)), "probabilities": dict(zip(columns, shares))}


def answer(sums):
    target = PLAN["target"]
    if "columns" in target:
        return answers(sums, target)
    if "quantiles" in target:
        values = [quantity(z, target) for z in sorted(sums)]
        return {"quantiles": dict(zip(target["quantiles"], values))}
    if target["kind"] == "number" and "labels" not in target:
        return {"value": quantity(sums[0], target)}
    if PLAN["link"] == "sigmoid":
        second = 0.5 + 0.5 * math.tanh(0.5 * sums[0])
        shares = [1.0 - second, second]
    else:
        powers = [math.exp(z - max(sums)) for z in sums]
        shares = [power / sum(powers) for power in powers]
    best = shares.index(max(shares))
    return {
        "label": target["labels"][best], "probabilities": dict(zip(target["names"], shares))
    }  # fmt: skip


def predict(rows):
    """An answer a row: {"label", "probabilities"} for classes, {"value"} for numbers.
    Of several targets {"values"}, or {"labels", "probabilities"}, by column; of several quantiles
    {"quantiles"} by level.

    Raises ValueError naming the column that is wrong.
    """
    if not rows:
        return []
    return [answer(sums) for sums in forward([encode(row) for row in rows])]


def from_text(row):
    """A row of CSV with its cells as their columns want them."""
    found = {}
    for feature in PLAN["features"]:
        text = row.get(feature["name"])
        if text and feature["kind"] == "number":
            text = float(text)
        elif text and feature["kind"] == "boolean":
            text = {"true": True, "false": False}.get(text.lower(), text)
        found[feature["name"]] = text or None if text != 0 and text is not False else text
    return found


def main():
    if "--csv" in sys.argv[1:]:
        import csv

        rows = [from_text(row) for row in csv.DictReader(sys.stdin)]
    else:
        text = sys.stdin.read()
        try:
            rows = json.loads(text)
        except ValueError:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(rows, dict) or (rows and not isinstance(rows[0], (dict, list))):
            rows = [rows]
    for found in predict(rows):
        print(json.dumps(found))


if __name__ == "__main__":
    main()
