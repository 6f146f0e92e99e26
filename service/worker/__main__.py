"""`python -m service.worker`: one agent. The supervisor starts it; so may anybody else."""

import logging
import os
import signal
import sys

from service.kit.lifeline import end_with_supervisor


def main() -> int:
    """Run an agent until SIGTERM or SIGINT."""
    end_with_supervisor()
    from service.settings import Settings

    settings = Settings()
    # Before NumPy is imported anywhere below: a fit has threads of its own, and sums in one order.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from service.batches.agent import BatchAgent
    from service.janitor.round import Janitor
    from service.webhooks.dispatcher import Dispatcher
    from service.worker.agent import Agent
    from service.worker.processes import NURSERY

    logging.basicConfig(
        level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    os.environ.setdefault("SIGMOID_KERNELS_DIR", str(settings.folder("kernels")))
    NURSERY.set_forkserver_preload(["service.worker.nursery"])
    logging.getLogger("alembic").setLevel("WARNING")
    agent = Agent(settings)
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    batches = BatchAgent(settings)
    webhooks = Dispatcher(settings)
    janitor = Janitor(settings)
    batches.start()
    webhooks.start()
    janitor.start()
    try:
        agent.run()
    finally:
        janitor.stop()
        webhooks.stop()
        batches.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
