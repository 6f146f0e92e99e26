"""Doorbells: how processes on one data folder wake each other without polling.

Every listener owns a Unix datagram socket in `<data>/run`. After a commit, `ring` sends a few
bytes to each of them; a listener then reads the database. When a listener's box overflows, words
are lost, and it is told so: `EVERYTHING` is among what it has heard.
"""

import contextlib
import os
import socket
from pathlib import Path

EVERYTHING = "*"  # any word may have been lost
_CAPACITY = Path("/proc/sys/net/unix/max_dgram_qlen")  # rings a box holds (unix(7)), unless
_MANY = 64  # the ringer's own buffer is full before, which takes some hundreds


class Doorbell:
    """One listener's bell, and the way to ring everybody's.

    only: the word that it is rung for; None for all words.
    """

    def __init__(self, folder: Path, only: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Addressing through the open folder keeps the path short: a socket's is at most 108 bytes.
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.name = f"{os.getpid()}-{os.urandom(4).hex()}{_ending(only)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(self._address(self.name))
        held = int(_CAPACITY.read_text()) if _CAPACITY.exists() else 10
        self._capacity = min(held, _MANY)
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder}/{name}"

    def ring(self, word: str = "") -> None:
        """Wake everybody else; `word` says what changed, such as a job's id."""
        endings = (_ending(None), _ending(word))
        for name in os.listdir(self._folder):
            if name == self.name or not name.endswith(endings):
                continue
            try:
                self._out.sendto(word.encode(), self._address(name))
            except BlockingIOError:
                continue  # its box is full: it will wake, and know that words were lost
            except OSError:
                with contextlib.suppress(OSError):  # its owner is dead
                    os.unlink(name, dir_fd=self._folder)

    def wake(self) -> None:
        """Ring our own bell, so that whoever waits on it looks up. Safe in a signal handler."""
        with contextlib.suppress(OSError):
            self._out.sendto(b"", self._address(self.name))

    def heard(self) -> set[str]:
        """The words of all rings since the last call; empty when there were none."""
        words, rings = set(), 0
        while True:
            try:
                words.add(self.socket.recv(256).decode())
                rings += 1
            except BlockingIOError:
                return words | {EVERYTHING} if rings >= self._capacity else words

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self.socket.fileno()

    def close(self) -> None:
        """Take the bell off the wall."""
        with contextlib.suppress(OSError):
            os.unlink(self.name, dir_fd=self._folder)
        self.socket.close()
        self._out.close()
        os.close(self._folder)


def _ending(only: str | None) -> str:
    """How the names of bells for all words end, or for one."""
    return ".bell" if only is None else f".{only}"
