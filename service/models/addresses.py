"""The parts of an address that name a model: shared by every route below one."""

from typing import Annotated

from fastapi import Header, Path

from service.models.resolution import REFERENCE

Name = Annotated[str, Path(max_length=100, description="Name of a model.", examples=["penguins"])]
Reference = Annotated[
    str,
    Path(
        pattern=REFERENCE,
        max_length=64,
        description="A version's number, an alias, or `latest`.",
        examples=["latest"],
    ),
]
Alias = Annotated[
    str,
    Path(
        pattern=r"^[a-z][a-z0-9._-]{0,63}$",
        description="An alias: lower-case letters, digits, dot, dash, underscore; begins with a "
        "letter. `latest` is taken.",
        examples=["champion"],
    ),
]
RoutingKey = Annotated[
    str | None,
    Header(
        alias="X-Routing-Key",
        max_length=256,
        description="Calls with the same key get the same version while the split stands, such "
        "as a user's id. Without one, each call is on its own.",
        examples=["user-17"],
    ),
]
