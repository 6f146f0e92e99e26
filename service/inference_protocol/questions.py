"""A request's bytes as tensors: a JSON header, and binary data behind it where there is any."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from service.inference_protocol.datatypes import KNOWN, from_bytes, from_json
from service.inference_protocol.errors import refused

MOST_TENSORS = 10_000
_Parameters = dict[str, Any]


class WantedOutput(msgspec.Struct):
    """An output by name. parameters: binary_data, classification."""

    name: str
    parameters: _Parameters = {}


class InputHeader(msgspec.Struct):
    """A tensor as its header tells it. parameters: binary_data_size."""

    name: str
    datatype: str
    shape: list[int]
    parameters: _Parameters = {}
    data: list[Any] | None = None


class Header(msgspec.Struct):
    """The JSON of a request; fields of other extensions are let be."""

    inputs: list[InputHeader]
    id: str = ""
    parameters: _Parameters = {}
    outputs: list[WantedOutput] = []


@dataclass(frozen=True, eq=False)
class Tensor:
    """cells: of `shape` flattened, row by row; texts for BYTES, None where missing."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    cells: NDArray[Any] | list[str | None]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked: tensors in, the outputs that are wanted (none: all), the caller's id."""

    id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[WantedOutput, ...]
    binary_by_default: bool


_decode = msgspec.json.Decoder(Header).decode


def read_question(raw: bytes, header_length: str | None) -> Question:
    """The tensors of a body.

    header_length: of the JSON, from Inference-Header-Content-Length; None when all is JSON.
    Raises Problem.
    """
    size = _header_size(header_length, len(raw))
    whole = memoryview(raw)
    try:
        header = _decode(whole[:size])
    except msgspec.ValidationError as error:
        raise refused(f"the request does not fit the protocol: {error}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise refused("the request is not valid JSON") from None
    if not 0 < len(header.inputs) <= MOST_TENSORS:
        raise refused("inputs: expected at least one tensor")
    tensors, at = [], size
    for number, given in enumerate(header.inputs):
        where = f"inputs[{number}]"
        count = _count(given, where)
        binary = given.parameters.get("binary_data_size")
        if binary is None:
            cells = from_json(given.datatype, _flat(given, count, where), where)
        else:
            if (
                given.data is not None
                or type(binary) is not int
                or not 0 <= binary <= len(raw) - at
            ):
                raise refused(f"{where}: binary_data_size does not fit the body")
            cells = from_bytes(given.datatype, whole[at : at + binary], count, where)
            at += binary
        tensors.append(Tensor(given.name, given.datatype, tuple(given.shape), cells))
    if at != len(raw):
        raise refused("the body is longer than its tensors")
    everything = header.parameters.get("binary_data_output") is True
    return Question(header.id, tuple(tensors), tuple(header.outputs), everything)


def _header_size(told: str | None, whole: int) -> int:
    if told is None:
        return whole
    if not (told.isascii() and told.isdigit()) or int(told) > whole:
        raise refused("Inference-Header-Content-Length is not a length within the body")
    return int(told)


def _count(given: InputHeader, where: str) -> int:
    if given.datatype not in KNOWN:
        raise refused(f"{where}: expected one of the datatypes {', '.join(KNOWN)}")
    if not given.shape or min(given.shape) < 0:
        raise refused(f"{where}: expected a shape of whole numbers from 0 on")
    return math.prod(given.shape)


def _flat(given: InputHeader, count: int, where: str) -> list[Any]:
    """The cells, whether they came flat or nested as the shape is."""
    cells = given.data
    if cells is None:
        raise refused(f"{where}: data is missing")
    for _ in range(len(given.shape) - 1):
        if cells and all(type(row) is list for row in cells):
            cells = [cell for row in cells for cell in row]
    if len(cells) != count:
        raise refused(f"{where}: its shape needs {count} values, data holds {len(cells)}")
    return cells
