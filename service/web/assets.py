"""The files of the two pages, read once. A request's path is only ever a key of the dict here."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
_SMALL = 1_000  # bytes; below, gzip saves less than its own header costs


@dataclass(frozen=True)
class Asset:
    """One file as it goes out."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """A strong validator (RFC 9110, section 8.8.3)."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'

    @cached_property
    def gzipped(self) -> bytes | None:
        """The content compressed, at the first demand; None where that does not pay."""
        if len(self.content) < _SMALL:
            return None
        return gzip.compress(self.content, 6, mtime=0)


@dataclass(frozen=True)
class Site:
    """All files by their path below `static/`, and the digest of them all.

    The pages name every file below `static/<digest>/`, so that whatever is fetched from there
    never changes, imports of one module by another included.
    """

    assets: dict[str, Asset]
    digest: str

    def page(self, name: str) -> Asset:
        """An HTML page with its links to the other files filled in."""
        return self.assets[f"{name}.html"]


def read_site(folder: Path = FOLDER) -> Site:
    """Read every file below the folder."""
    assets = {}
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in MEDIA_TYPES:
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            whole.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
            assets[name] = Asset(content, MEDIA_TYPES[path.suffix])
    digest = whole.hexdigest()[:12]
    for name, asset in assets.items():
        if name.endswith(".html"):
            content = asset.content.replace(b"{{static}}", f"static/{digest}".encode())
            assets[name] = Asset(content, asset.media_type)
    return Site(assets, digest)
