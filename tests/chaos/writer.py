"""A process that writes as fast as it can: `python -m tests.chaos.writer URL COUNT`."""

import sys

from service.jobs.log import record
from service.kit.database import Database


def main(url: str, job_id: str, count: int) -> None:
    """Commit `count` small transactions; any failure ends the process with a traceback."""
    database = Database(url)
    for index in range(count):
        with database.write() as session:
            record(session, job_id, "noise", str(index))
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
