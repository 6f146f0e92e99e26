"""What the agent starts, by name only: the training code is in the forkserver, not in the agent."""

from multiprocessing.connection import Connection


def main(pipe: Connection, stderr: Connection) -> None:
    """Run one job and end."""
    from service.worker import runner

    runner.main(pipe, stderr)
