"""The command line, `sigmoid`.

Commands and options stand in `app`; each command's work in a module of its own.
Nothing heavy is imported before a command is chosen, so that `sigmoid --version` answers at once.
"""

import sys


def main() -> None:
    """Run one command and leave with its exit code (see `service.cli.exits`)."""
    from service.cli.app import run

    sys.exit(run())
