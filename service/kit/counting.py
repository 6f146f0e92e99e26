"""Counters in shared memory: plain integers that any process of the service can add up.

Each process owns one file in `<data>/run/counters`, mapped into memory, and adds to it without a
system call or a lock: an increment is an indexed addition. A reader maps everybody's files and
sums what stands under equal keys. A file outlives its process, and the next process goes on with
it, so a counter never falls while the folder lives.

    file     magic, then u64 used; records up to there
    record   u32 length of the key, u32 count of values, key (UTF-8 JSON, padded to 8), i64 values
"""

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

SIZE = 1 << 20
_MAGIC = b"sigmcnt1"
_START = 16
Key = tuple[str, ...]


class Counters:
    """The counters of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _take(folder)
        self._map = mmap.mmap(self._file, SIZE)
        self._words = memoryview(self._map).cast("q")
        if self._map[:8] != _MAGIC or not _START <= self._words[1] <= SIZE:
            self._map[:_START] = _MAGIC + struct.pack("=q", _START)
        self._series: dict[Key, memoryview] = {}
        for key, start, count in _records(self._map):
            self._series[key] = self._words[start // 8 : start // 8 + count]
        self._lost = memoryview(bytearray(8 * 64)).cast("q")

    def of(self, key: Key, count: int) -> memoryview:
        """The values under a key, made when they are not there. Add to them in place."""
        found = self._series.get(key)
        return self._add(key, count) if found is None else found

    def _add(self, key: Key, count: int) -> memoryview:
        name = json.dumps(key).encode()
        padded = name + b" " * (-len(name) % 8)
        used = int(self._words[1])
        start = used + 8 + len(padded)
        if start + 8 * count > SIZE:
            return self._lost[:count]  # full: what is new is no longer counted
        self._map[used:start] = struct.pack("=II", len(padded), count) + padded
        self._words[1] = start + 8 * count  # last, so that a reader never sees half a record
        self._series[key] = self._words[start // 8 : start // 8 + count]
        return self._series[key]

    def close(self) -> None:
        """Let the file go; the next process goes on with it."""
        for view in self._series.values():
            view.release()
        self._series.clear()
        self._words.release()
        self._map.close()
        os.close(self._file)


def _take(folder: Path) -> int:
    """Open the first file that no living process has, and lock it for our lifetime."""
    number = 0
    while True:
        file = os.open(folder / f"{number}.counters", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            number += 1
            continue
        os.ftruncate(file, SIZE)
        return file


def _records(content: "mmap.mmap | bytes") -> Iterator[tuple[Key, int, int]]:
    """Key, offset of the first value and count of each record."""
    at, end = _START, struct.unpack_from("=q", content, 8)[0]
    while at < end:
        length, count = struct.unpack_from("=II", content, at)
        start = at + 8 + length
        yield tuple(json.loads(content[at + 8 : start])), start, count
        at = start + 8 * count


def total(folder: Path) -> dict[Key, list[int]]:
    """The sums over all processes."""
    found: dict[Key, list[int]] = {}
    for path in sorted(folder.glob("*.counters")):
        content = path.read_bytes()
        if content[:8] != _MAGIC:
            continue  # being made at this moment
        for key, start, count in _records(content):
            values = struct.unpack_from(f"={count}q", content, start)
            known = found.get(key)
            found[key] = [a + b for a, b in zip(known, values, strict=True)] if known else [*values]
    return found
