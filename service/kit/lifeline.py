"""Processes that end with the supervisor that started them, however that died."""

import ctypes
import os
import signal

VARIABLE = "SIGMOID_SUPERVISOR"  # its process id; not there when nobody supervises
_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_supervisor() -> None:
    """Have SIGTERM sent to this process when its supervisor is gone, as if it had asked."""
    supervisor = os.environ.pop(VARIABLE, None)
    if supervisor is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):  # it died before we could say so
        os.kill(os.getpid(), signal.SIGTERM)
