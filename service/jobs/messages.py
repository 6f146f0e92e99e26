"""What an agent and a job's process say to each other: MessagePack over a pipe, never pickles."""

from typing import Any

import msgspec

from service.sweeps.messages import Trial


class Resume(msgspec.Struct, frozen=True):
    """Where the run before this one was: the state itself, or the file that holds it."""

    epoch: float
    seconds: float
    sha256: str
    state: bytes | None
    file: str | None


class Bounds(msgspec.Struct, frozen=True):
    """What one job's process may take."""

    checkpoint_seconds: float = 2.0
    memory_bytes: int = 2 << 30
    niceness: int = 5
    threads: int = 1


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """The agent's first message: what to train, and from where to go on."""

    spec: dict[str, Any]
    dataset_path: str
    dataset_sha256: str
    job_id: str = ""
    fence: int = 0
    checkpoints: str = ""  # the folder for states too large for a message
    resume: Resume | None = None
    bounds: Bounds = Bounds()
    validation_path: str = ""  # of the data set whose rows judge, where another one does
    validation_sha256: str | None = None
    against: str | None = None  # a model file whose weights are to come out again
    trials: dict[int, float | None] = {}  # of a sweep: the loss of each that is done


class Snapshot(msgspec.Struct, frozen=True):
    """The whole state of a run, in here or in a file that is on the disk already."""

    epoch: float
    best_epoch: int
    seconds: float
    train_loss: float | None
    validation_loss: float | None
    sha256: str
    size: int
    state: bytes | None
    file: str | None


class Advanced(msgspec.Struct, frozen=True, tag="advanced"):
    """Epochs that are done since the last message, and where the run is."""

    points: list[dict[str, Any]]
    epoch: float
    rows_per_second: float
    snapshot: Snapshot | None = None
    findings: list[dict[str, Any]] = []
    trials: list[Trial] = []


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The run has stopped as asked, and can go on from its snapshot."""

    points: list[dict[str, Any]]
    epoch: float
    snapshot: Snapshot | None


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
    snapshot: Snapshot | None = None
    findings: list[dict[str, Any]] = []


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The end of a bad one."""

    points: list[dict[str, Any]]
    code: str
    message: str
    pointer: str | None = None
    findings: list[dict[str, Any]] = []


Message = Advanced | Stopped | Trained | Failed
STOP = b"stop"  # the agent's other message: save where you are and end
encode = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(Message).decode
decode_assignment = msgspec.msgpack.Decoder(Assignment).decode
