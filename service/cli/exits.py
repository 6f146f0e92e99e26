"""How a command ends: the exit codes that scripts rely on, and the exception that carries them."""

from enum import IntEnum

CODES = (
    "Exit codes: 0 done; 1 the job failed or the service refused; 2 wrong usage; "
    "3 the service cannot be reached; 4 the service cannot start (port in use, data folder not "
    "writable, database of a newer version); 130 interrupted by Ctrl-C."
)


class ExitCode(IntEnum):
    """What the shell sees."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CANNOT_START = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot go on. The message is for the person who typed it, and says what to do."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
