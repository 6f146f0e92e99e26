"""Imported by the forkserver, once: every job's process starts with all this in memory."""

from core.training import warm
from service.worker import runner

__all__ = ["runner"]

warm()
