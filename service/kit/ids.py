"""Identifiers: opaque, prefixed, and in the order of their creation."""

import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A fresh identifier such as `job_01hzy3…`: 48 bits of milliseconds, then 80 random bits.

    Within a process each one is larger than the one before (ULID, monotonic form).
    """
    global _last
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
        _last = fresh if fresh >> 80 > _last >> 80 else _last + 1
        number = _last
    digits = (_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{''.join(digits)}"
