"""gzip and deflate, both ways, within bounds."""

import re
import zlib

from service.inference_protocol.errors import refused
from service.kit.bodies import too_large
from service.kit.problems import Problem

WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's wbits
SMALL = 1_000  # bytes; shorter answers go out plain


def decompress(raw: bytes, encoding: str, limit: int) -> bytes:
    """A body in plain. Raises Problem too-large above `limit` bytes, inference-invalid."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in WINDOWS:
        raise Problem("unsupported-media-type", "Content-Encoding: expected gzip or deflate.")
    reader = zlib.decompressobj(WINDOWS[encoding])
    try:
        found = reader.decompress(raw, limit + 1)
    except zlib.error:
        raise refused("the body is not what Content-Encoding says") from None
    if len(found) > limit:
        raise too_large(limit)
    if not reader.eof or reader.unused_data:
        raise refused("the compressed body ends too early or too late")
    return found


def compress(body: bytes, accepted: str) -> tuple[bytes, str | None]:
    """The body as the caller wants it, and its encoding; plain when it is small."""
    if len(body) >= SMALL:
        for encoding, window in WINDOWS.items():
            if re.search(
                rf"(^|[,\s]){encoding}\s*(;\s*q=(0\.\d*[1-9]|1)[\d.]*\s*)?(,|$)", accepted
            ):
                writer = zlib.compressobj(1, zlib.DEFLATED, window)
                return writer.compress(body) + writer.flush(), encoding
    return body, None
