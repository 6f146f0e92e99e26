"""`sigmoid config show`: every setting, its value, where that comes from and what it is for."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from service.cli.exits import CommandError, ExitCode
from service.cli.report import say
from service.settings import Settings

_MASK = "********"


@dataclass(frozen=True)
class Shown:
    """One setting as it is shown; secrets are masked."""

    setting: str
    value: object
    source: str
    description: str


def settings(**overrides: object) -> Settings:
    """The settings, with those given here in front of the environment; None leaves one as it is.

    Raises CommandError, which names the variable and never repeats the value.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        lines = [f"{variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors() if e["loc"]]
        raise CommandError("\n".join(lines), ExitCode.USAGE) from None
    except SettingsError as error:  # a list that is no JSON; the message names the field only
        raise CommandError(f'{error}: lists are JSON, as in ["a", "b"]', ExitCode.USAGE) from None


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"{Settings.model_config['env_prefix']}{field}".upper()


def service_url() -> str:
    """Where the service of these settings answers on this machine."""
    found = settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(found.host, found.host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{found.port}"


def show(*, as_json: bool) -> None:
    """Print all settings."""
    shown = everything()
    if as_json:
        json.dump([asdict(one) for one in shown], sys.stdout)
        sys.stdout.write("\n")
        return
    console = Console()
    if not console.is_terminal:
        for one in shown:
            value = "" if one.value is None else one.value
            say(console, f"{one.setting}={value}  # {one.source}. {one.description}")
        return
    table = Table("setting", "value", "from", "what it is for", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for one in shown:
        style = None if one.source == "default" else "bold"
        table.add_row(
            one.setting,
            "" if one.value is None else str(one.value),
            one.source,
            one.description,
            style=style,
        )
    console.print(table)


def everything() -> list[Shown]:
    """Every setting in the order of `service/settings.py`."""
    found = settings()
    present = {name.upper() for name in os.environ}
    return [
        Shown(
            setting=variable(name),
            value=_plain(getattr(found, name)),
            source="environment" if variable(name) in present else "default",
            description=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return _MASK
    return str(value) if isinstance(value, Path) else value
