"""`sigmoid serve` and `sigmoid worker`: the supervisor, with options in front of the settings."""

import logging
import sys

from service.cli.configuration import settings
from service.cli.exits import CommandError, ExitCode
from service.supervisor import StartError
from service.supervisor import serve as supervise


def serve(*, api: bool, work: bool, **overrides: object) -> None:
    """Run until Ctrl-C or SIGTERM, a good end. Raises CommandError when it cannot start."""
    found = settings(**overrides)
    logging.basicConfig(level=found.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # a start that goes well says one line

    def announce(url: str) -> None:
        workers = (
            f"{found.workers} worker{'s' if found.workers > 1 else ''}" if work else "no workers"
        )
        where = f"Sigmoid is at {url} (docs: {url}/docs), " if api else "Sigmoid: "
        sys.stdout.write(
            f"{where}{workers}, data in {found.data_dir.resolve()}. Ctrl-C stops it.\n"
        )
        sys.stdout.flush()

    try:
        code = supervise(found, api=api, workers=work, on_ready=announce)
    except StartError as error:
        raise CommandError(str(error), ExitCode.CANNOT_START) from None
    if code:
        raise CommandError(f"The service ended with status {code}.")
