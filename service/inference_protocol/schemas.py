"""The protocol's messages as they are documented."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.kit.schemas import Response

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Parameters = dict[str, Any]


class Extensible(BaseModel):
    """Other extensions of the protocol may add fields; they are let be."""

    model_config = ConfigDict(extra="allow")


class InferInput(Extensible):
    """A tensor."""

    name: str = Field(description="A column's name; any name for one matrix of all columns.")
    datatype: Datatype
    shape: list[int] = Field(min_length=1, description="[n] or [n, 1] of a column, [n, columns].")
    parameters: Parameters = {}
    data: list[Any] | None = Field(
        None, description="Cells, flat or nested, null where missing; none with binary_data_size."
    )


class InferOutput(Extensible):
    """An output that is wanted."""

    name: str
    parameters: Parameters = Field({}, description="`binary_data`, `classification`.")


class InferRequest(Extensible):
    """Rows as tensors."""

    id: str = ""
    parameters: Parameters = Field({}, description="`binary_data_output`.")
    inputs: list[InferInput] = Field(min_length=1)
    outputs: list[InferOutput] = Field([], description="None means all.")


class TensorResponse(Response):
    """One output."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferResponse(Response):
    """The outputs, in the order they were wanted."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[TensorResponse]


class Live(Response):
    """The process answers."""

    live: bool


class Ready(Response):
    """Whether it can be asked."""

    ready: bool
    name: str | None = None


class ServerMetadata(Response):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Response):
    """A tensor's name and kind; -1 is any number of rows."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(Response):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ConfigTensor(Response):
    """A tensor in the words of a configuration."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(Response):
    """The model's configuration, as Triton gives it."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfigTensor]
    output: list[ConfigTensor]


class IndexRequest(Extensible):
    """ready: leave out what cannot be asked now."""

    ready: bool = False


class IndexEntry(Response):
    """A model of the repository."""

    name: str
    version: str
    state: str
    reason: str


class StatisticsResponse(Response):
    """Counts of this process since it started."""

    model_stats: list[dict[str, Any]]


class Nothing(Response):
    """Done."""


EXAMPLE = {
    "id": "42",
    "inputs": [
        {"name": "island", "datatype": "BYTES", "shape": [1], "data": ["Biscoe"]},
        {"name": "bill_length_mm", "datatype": "FP64", "shape": [1], "data": [46.1]},
        {"name": "bill_depth_mm", "datatype": "FP64", "shape": [1], "data": [13.2]},
        {"name": "flipper_length_mm", "datatype": "FP64", "shape": [1], "data": [211]},
        {"name": "body_mass_g", "datatype": "FP64", "shape": [1], "data": [4500]},
        {"name": "sex", "datatype": "BYTES", "shape": [1], "data": ["female"]},
        {"name": "year", "datatype": "FP64", "shape": [1], "data": [2007]},
    ],
    "outputs": [{"name": "label"}, {"name": "probabilities"}],
}
