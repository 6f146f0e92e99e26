"""The network as a caller asks for it."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from core.activations import ACTIVATIONS
from core.initializers import INITIALIZERS
from service.kit.schemas import Request

if TYPE_CHECKING:
    ActivationName = str
    InitName = str
else:
    ActivationName = Literal[tuple(ACTIVATIONS)]
    InitName = Literal[("auto", *INITIALIZERS)]

Share = Annotated[float, Field(ge=0, lt=1)]


class LayerRequest(Request):
    """One hidden layer: dropout(activation(batch_norm(x W) + b))."""

    units: int = Field(ge=1, le=4096)
    activation: ActivationName = "sigmoid"
    alpha: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Slope of leaky_relu below 0 (0.01), depth of elu (1.0); others have none.",
    )
    dropout: Share = Field(0.0, description="Share of activations that a step leaves out.")
    batch_norm: bool = False
    bias: bool = True


class NetworkRequest(Request):
    """The hidden layers; the output layer follows from task and loss. No layer is a linear
    model.
    """

    layers: list[LayerRequest] = Field(
        default_factory=lambda: [LayerRequest(units=16)], max_length=16
    )
    init: InitName = Field("auto", description="auto suits each layer's activation.")
    input_dropout: Share = Field(0.0, description="Share of inputs that a step leaves out.")
