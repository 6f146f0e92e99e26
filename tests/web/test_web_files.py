import gzip
import http.client
import re
from urllib.parse import urlsplit

import pytest

from service.web.assets import FOLDER

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
MOST_BYTES = 150 * 1024  # of the whole page, uncompressed
LEAST_CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3


def fetch(server, path, method="GET", **headers):
    """The path goes out as it is written: no client that tidies it stands between."""
    connection = http.client.HTTPConnection(urlsplit(str(server)).netloc, timeout=20)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def linked(server, path):
    page = fetch(server, path)[2].decode()
    return [f"/{found}" for found in re.findall(r'(?:href|src)="(static/[^"]+)"', page)]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_come_with_the_strict_policy(server, path):
    status, headers, body = fetch(server, path)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers.get_all("Content-Security-Policy") == [POLICY]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    assert not re.search(rb"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", body)
    assert not re.search(rb'(src|href)="(https?:)?//', body)


def test_linked_files_are_immutable_and_revalidate(server):
    for path in [*linked(server, "/"), *linked(server, "/docs")]:
        status, headers, body = fetch(server, path)
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        status, again, nothing = fetch(server, path, If_None_Match=headers["ETag"])
        assert (status, nothing, again["ETag"]) == (304, b"", headers["ETag"])
        assert fetch(server, path, If_None_Match='"another"')[0] == 200
        assert body


def test_files_without_the_digest_are_asked_for_again(server):
    status, headers, body = fetch(server, "/static/icon.svg")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert headers["Content-Type"] == "image/svg+xml"
    assert body == (FOLDER / "icon.svg").read_bytes()


def test_compressed_files_are_the_same_files_with_another_tag(server):
    path = "/static/app/main.js"
    plain = fetch(server, path)
    packed = fetch(server, path, Accept_Encoding="br, gzip;q=0.8")
    refused = fetch(server, path, Accept_Encoding="gzip;q=0")
    assert packed[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == plain[2] == refused[2]
    assert packed[1]["ETag"] != plain[1]["ETag"] == refused[1]["ETag"]
    assert packed[1]["Vary"] == plain[1]["Vary"] == "Accept-Encoding"


def test_head_tells_what_get_would(server):
    status, headers, body = fetch(server, "/", method="HEAD")
    whole = fetch(server, "/")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(whole[2]))


@pytest.mark.parametrize(
    "path",
    [
        "/static/../routes.py",
        "/static/%2e%2e/routes.py",
        "/static/..%2froutes.py",
        "/static/..%5croutes.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/app/../../routes.py",
        "/static/app/main.js%00.css",
        "/static/app",
        "/static/",
        "/static/000000000000/app/main.js",
    ],
)
def test_nothing_but_known_files_has_an_address(server, path):
    status, headers, body = fetch(server, path)
    assert status == 404
    assert headers["Content-Type"] == "application/problem+json"
    assert b"import" not in body


def test_whole_page_stays_light():
    files = [FOLDER / "index.html", *(FOLDER / "app").rglob("*")]
    files += (FOLDER / "vendor/htm-preact").glob("*.js")
    files += (FOLDER / "vendor/uplot").glob("*.js")
    assert sum(file.stat().st_size for file in files if file.is_file()) < MOST_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_every_ground(scheme):
    style = (FOLDER / "app/style.css").read_text()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    color = {name: light if scheme == "light" else dark for name, light, dark in pairs}
    for text in ("ink", "muted", "accent", "good", "bad", "warn"):
        for ground in ("ground", "surface", "sunken"):
            assert contrast(color[text], color[ground]) >= LEAST_CONTRAST, (text, ground)
    assert contrast(color["on-accent"], color["accent"]) >= 4.5


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
