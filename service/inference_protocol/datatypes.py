"""The protocol's datatypes: what they are in NumPy, in JSON and in bytes."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.inference_protocol.errors import refused

NUMERIC: dict[str, np.dtype[Any]] = {
    "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"), "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"), "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
BOOLEAN: np.dtype[Any] = np.dtype("?")
KNOWN = ("BOOL", *NUMERIC, "BYTES")
_LENGTH = struct.Struct("<I")


def from_json(datatype: str, values: list[Any], where: str) -> NDArray[Any] | list[str | None]:
    """Cells of JSON as an array of the datatype, or texts. Null is a missing value, which numbers
    have as NaN. Raises Problem for a cell of another type.
    """
    kinds = set(map(type, values))
    if datatype == "BYTES":
        _expect(kinds <= {str, type(None)}, where, "strings")
        return values
    if datatype == "BOOL":
        _expect(kinds <= {bool}, where, "true and false")
        return np.array(values, BOOLEAN)
    dtype = NUMERIC[datatype]
    if dtype.kind == "f":
        _expect(kinds <= {int, float, type(None)}, where, "numbers")
        return _floats(values)
    _expect(kinds <= {int}, where, "whole numbers")
    bounds = np.iinfo(dtype)
    inside = not values or (min(values) >= bounds.min and max(values) <= bounds.max)
    _expect(inside, where, f"numbers within the range of {datatype}")
    return np.array(values, dtype)


def _floats(values: list[Any]) -> NDArray[np.float64]:
    try:
        return np.array(values, np.float64)  # None becomes NaN
    except OverflowError:  # a whole number beyond float64
        return np.array([np.nan if cell is None else _float(cell) for cell in values])


def _float(cell: float) -> float:
    try:
        return float(cell)
    except OverflowError:
        return float("inf")


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise refused(f"{where}: expected {what} in data")


def from_bytes(
    datatype: str, raw: memoryview, count: int, where: str
) -> NDArray[Any] | list[str | None]:
    """`count` cells from little-endian bytes, row by row. Raises Problem for other lengths."""
    if datatype == "BYTES":
        return _texts(raw, count, where)
    dtype = BOOLEAN if datatype == "BOOL" else NUMERIC[datatype]
    if len(raw) != count * dtype.itemsize:
        raise refused(
            f"{where}: its shape needs {count * dtype.itemsize} bytes, binary_data_size is "
            f"{len(raw)}"
        )
    found: NDArray[Any] = np.frombuffer(raw, dtype)
    if datatype == "BOOL" and (np.frombuffer(raw, np.uint8) > 1).any():
        raise refused(f"{where}: expected the bytes 0 and 1 for BOOL")
    return found


def _texts(raw: memoryview, count: int, where: str) -> list[str | None]:
    """Each with its length before it in 4 bytes. An empty one is a missing value, as in CSV."""
    found: list[str | None] = []
    at, end = 0, len(raw)
    while at < end and len(found) < count:
        if end - at < _LENGTH.size:
            break
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if length > end - at:
            raise refused(f"{where}: a string is longer than the bytes that are left")
        try:
            found.append(str(raw[at : at + length], "utf-8") or None)
        except UnicodeDecodeError:
            raise refused(f"{where}: expected strings in UTF-8") from None
        at += length
    if len(found) != count or at != end:
        raise refused(f"{where}: its shape needs {count} strings, its bytes hold another number")
    return found


def to_bytes(values: NDArray[Any] | Sequence[str]) -> bytes:
    """The opposite of `from_bytes`."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values).tobytes()
    return b"".join(_framed(text.encode() for text in values))


def _framed(texts: Iterable[bytes]) -> Iterable[bytes]:
    for text in texts:
        yield _LENGTH.pack(len(text))
        yield text
