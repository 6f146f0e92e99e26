"""How large the messages of an Arrow stream say they are, before anything is allocated for them.

A compressed buffer starts with its decompressed length, and pyarrow allocates as much before it
looks at the data. Layout: Arrow columnar format, section "Encapsulated message format", and
Message.fbs; a FlatBuffers table is reached through its vtable of field offsets.
"""

import struct

import pyarrow as pa
import pyarrow.ipc as pa_ipc

_HEADER, _DATA, _BUFFERS, _COMPRESSION = 2, 1, 2, 3  # field numbers in Message.fbs
_PREFIX = 8  # bytes of a compressed buffer's length


def decoded_bytes(stream: pa.NativeFile) -> int:
    """What all messages from here on decode to, in bytes. Raises ValueError when one is damaged."""
    total = 0
    reader = pa_ipc.MessageReader.open_stream(stream)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return total
        if message.type in ("record batch", "dictionary"):
            try:
                total += _decoded(message)
            except (struct.error, IndexError, TypeError):
                raise ValueError("damaged message") from None


def _decoded(message: pa_ipc.Message) -> int:
    metadata = message.metadata.to_pybytes()
    batch = _table(metadata, struct.unpack_from("<I", metadata)[0], _HEADER)
    if message.type == "dictionary":
        batch = _table(metadata, batch, _DATA)
    if _field(metadata, batch, _COMPRESSION) is None:
        return int(message.body.size)
    vector = _table(metadata, batch, _BUFFERS)
    (count,) = struct.unpack_from("<I", metadata, vector)
    body, total = memoryview(message.body), 0
    for index in range(count):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * index)
        if length >= _PREFIX:
            (declared,) = struct.unpack_from("<q", body, offset)
            total += max(length, declared)
    return total


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Where the field of a table is; None when it is absent."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    (size,) = struct.unpack_from("<H", metadata, vtable)
    if 4 + 2 * number >= size:
        return None
    (offset,) = struct.unpack_from("<H", metadata, vtable + 4 + 2 * number)
    return table + offset if offset else None


def _table(metadata: bytes, table: int, number: int) -> int:
    """Where the table or vector is that a field points to."""
    field = _field(metadata, table, number)
    if field is None:
        raise IndexError(number)
    return field + int(struct.unpack_from("<I", metadata, field)[0])
