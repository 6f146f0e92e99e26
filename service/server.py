"""One API process: uvicorn, told how to stop while streams are open."""

import gc
import logging
import socket
import sys

import uvicorn

from service.app import create_app
from service.kit.connections import bounded
from service.kit.lifeline import end_with_supervisor
from service.predictions.lane import FastLane
from service.settings import Settings


class Server(uvicorn.Server):
    """Ends event streams at the first signal, so that none keeps the process from stopping."""

    def handle_exit(self, sig: int, frame: object) -> None:
        """Signal handler."""
        lane = self.config.app
        assert isinstance(lane, FastLane)
        if lane.held is not None:
            lane.held.changes.drain()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def main(descriptor: int) -> None:
    """Serve on a listening socket that the supervisor opened."""
    end_with_supervisor()
    settings = Settings()
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel("WARNING")
    config = uvicorn.Config(
        FastLane(create_app(settings)),
        loop="auto",
        http=bounded(settings),
        ws="none",
        lifespan="on",
        backlog=512,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
        server_header=False,
        access_log=False,
        proxy_headers=False,
        log_level="warning",
    )
    gc.collect()
    gc.freeze()  # what is here now stays: no collection needs to look through it again
    Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
