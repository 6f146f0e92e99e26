"""What the API process holds while it lives, for routes to reach."""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from service.kit.changes import Changes
from service.kit.database import Database
from service.kit.metering import Meter
from service.models.resolution import Names
from service.models.shadows import Shadows
from service.models.shelf import Shelf
from service.predictions.plan import Plans
from service.settings import Settings


@dataclass
class State:
    """One of each, made when the app starts."""

    settings: Settings
    database: Database
    changes: Changes
    names: Names
    shelf: Shelf
    shadows: Shadows
    meter: Meter
    plans: Plans = field(default_factory=Plans)


def state_of(connection: HTTPConnection) -> State:
    """The state behind a request."""
    state: State = connection.app.state.held
    return state
