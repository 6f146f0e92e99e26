"""HTTP for people: the web page, the API's documentation, and the files both are made of.

Everything comes from this package: nothing is fetched from elsewhere, and the policy sent with
each page lets a browser run and show only what came from here (no inline script, no inline style).
"""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from service.kit.problems import not_found
from service.web.assets import Asset, read_site

router = APIRouter(include_in_schema=False)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
REVALIDATE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"
_METHODS = ["GET", "HEAD"]
_SITE = read_site()


@router.api_route("/", methods=_METHODS)
async def show_page(request: Request) -> Response:
    """The web page."""
    return _answer(request, _SITE.page("index"), REVALIDATE)


@router.api_route("/docs", methods=_METHODS)
async def show_docs(request: Request) -> Response:
    """Swagger UI on our own OpenAPI document."""
    return _answer(request, _SITE.page("docs"), REVALIDATE)


@router.api_route("/redoc", methods=_METHODS)
async def show_redoc() -> Response:
    """To `/docs`: Redoc needs `eval` and inline styles, which the policy forbids."""
    return RedirectResponse("docs", status_code=308)


@router.api_route("/static/{path:path}", methods=_METHODS)
async def show_file(request: Request, path: str) -> Response:
    """One file: for ever below the digest, to be asked for again elsewhere."""
    digest, _, name = path.partition("/")
    versioned = digest == _SITE.digest
    asset = _SITE.assets.get(name if versioned else path)
    if asset is None:
        raise not_found("file")
    return _answer(request, asset, IMMUTABLE if versioned else REVALIDATE)


def _answer(request: Request, asset: Asset, caching: str) -> Response:
    content, etag = asset.content, asset.etag
    headers = {
        "Cache-Control": caching,
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Vary": "Accept-Encoding",
    }
    if _takes_gzip(request) and asset.gzipped is not None:
        content, etag = asset.gzipped, f'{etag[:-1]}-gzip"'
        headers["Content-Encoding"] = "gzip"
    headers["ETag"] = etag
    if _has(request, etag):
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=asset.media_type, headers=headers)


def _takes_gzip(request: Request) -> bool:
    codings = request.headers.get("accept-encoding", "").lower().split(",")
    for coding in codings:
        name, _, weight = (part.strip() for part in coding.partition(";"))
        if name == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _has(request: Request, etag: str) -> bool:
    """Whether the caller holds this very representation (RFC 9110, section 13.1.2)."""
    held = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in held)
