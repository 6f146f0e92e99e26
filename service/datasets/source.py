"""The bytes of an upload: decompressed, hashed, counted and bounded as they are read."""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import pyarrow as pa

from service.datasets.columns import DatasetInvalid, Fault

Compression = Literal["gzip", "zstd"]
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_CHUNK = 1 << 18
_SLACK = 1 << 16  # tiny files of one repeated byte are no bombs


@dataclass(frozen=True)
class Limits:
    """What an upload may be at most. ratio: decompressed bytes a compressed one."""

    decompressed_bytes: int = 256 << 20
    ratio: int = 100
    rows: int = 1_000_000
    columns: int = 1_000
    cells: int = 20_000_000
    cell_characters: int = 1_024
    name_characters: int = 128

    def check(self, rows: int, columns: int) -> None:
        """Raise DatasetInvalid when a table of this size is too large."""
        if rows > self.rows:
            raise DatasetInvalid(
                Fault("too_many_rows", "There are too many rows.", f"at most {self.rows}")
            )
        if rows * columns > self.cells:
            detail = "Rows times columns are too many cells."
            raise DatasetInvalid(Fault("too_many_cells", detail, f"at most {self.cells}"))


class Source:
    """An upload as a stream of plain bytes; `read` raises DatasetInvalid at a limit."""

    def __init__(self, path: Path, compression: Compression | None, limits: Limits) -> None:
        with path.open("rb") as file:
            head = file.read(4)
        for magic, found in _MAGIC.items():
            if head.startswith(magic):  # no text starts so: compressed, and nobody said it
                compression = compression or found
        self.size = 0
        self.fault: DatasetInvalid | None = None  # survives a passage through foreign code
        self._most = limits.decompressed_bytes
        if compression is not None:
            self._ratio_most = limits.ratio * path.stat().st_size + _SLACK
        else:
            self._ratio_most = self._most
        self._digest = hashlib.sha256()
        self._file = path.open("rb")
        self._chunks = self._decompressed(path, compression) if compression else None
        self._rest = b""

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        """Of all bytes read so far."""
        return self._digest.hexdigest()

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        try:
            data = self._file.read(size) if self._chunks is None else self._unpacked(size)
            self.size += len(data)
            if self.size > self._most:
                raise _invalid(
                    "too_large", "The data are too large.", f"at most {self._most} bytes"
                )
            if self.size > self._ratio_most:
                detail = "The data are compressed beyond belief."
                raise _invalid("compression_ratio", detail, "a less compressed upload")
        except DatasetInvalid as error:
            self.fault = error
            raise
        self._digest.update(data)
        return data

    def drain(self) -> None:
        """Read to the end."""
        while self.read(_CHUNK):
            pass

    def _unpacked(self, size: int) -> bytes:
        assert self._chunks is not None
        parts, have = [self._rest], len(self._rest)
        while have < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def _decompressed(self, path: Path, compression: Compression) -> Iterator[bytes]:
        return self._gunzip() if compression == "gzip" else _unzstd(path)

    def _gunzip(self) -> Iterator[bytes]:
        inflate = zlib.decompressobj(wbits=31)
        try:
            while not inflate.eof:
                packed = inflate.unconsumed_tail or self._file.read(_CHUNK)
                if not packed:
                    raise _invalid("gzip_truncated", "The gzip data end early.", "a whole file")
                if data := inflate.decompress(packed, _CHUNK):
                    yield data
        except zlib.error:
            raise _invalid("gzip_invalid", "The gzip data are damaged.", "a gzip file") from None
        if inflate.unused_data or self._file.read(1):
            raise _invalid("gzip_members", "Something follows the gzip data.", "one gzip member")


def _unzstd(path: Path) -> Iterator[bytes]:
    try:
        with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
            while data := stream.read(_CHUNK):
                yield data
    except (pa.ArrowException, OSError, MemoryError):
        raise _invalid("zstd_invalid", "The zstd data are damaged.", "a zstd file") from None


def _invalid(code: str, detail: str, expected: str) -> DatasetInvalid:
    return DatasetInvalid(Fault(code, detail, expected))
