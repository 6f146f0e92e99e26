"""What an agent and a job's process say to each other: MessagePack over a pipe, never pickles."""

from typing import Any

import msgspec


class Assignment(msgspec.Struct, frozen=True):
    """The agent's only message: what to train."""

    spec: dict[str, Any]
    dataset_path: str
    dataset_sha256: str
    against: str | None = None  # a model file whose weights are to come out again


class Advanced(msgspec.Struct, frozen=True, tag="advanced"):
    """Epochs that are done since the last message, and where the run is."""

    points: list[dict[str, Any]]
    epoch: float
    rows_per_second: float


class Trained(msgspec.Struct, frozen=True, tag="trained"):
    """The end of a good run: the model's file and what it is worth."""

    points: list[dict[str, Any]]
    model: bytes
    metrics: dict[str, Any]
    baseline: dict[str, Any]
    signature: dict[str, Any]
    lineage: dict[str, Any]
    evaluation: dict[str, Any]
    task: str
    epoch: float
    best_epoch: int
    stop_reason: str
    seconds: float
    warnings: list[dict[str, Any]]
    verified: dict[str, Any] | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The end of a bad one."""

    points: list[dict[str, Any]]
    code: str
    message: str
    pointer: str | None = None


Message = Advanced | Trained | Failed
encode = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(Message).decode
decode_assignment = msgspec.msgpack.Decoder(Assignment).decode
