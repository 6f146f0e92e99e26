"""Keyset pages: newest first, `after` an id, never repeating or dropping an old item."""

from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.kit.schemas import Page

Limit = Annotated[int, Query(ge=1, le=100, description="Items a page.")]
After = Annotated[
    str | None,
    Query(max_length=128, pattern=r"^[\x21-\x7e]+$", description="The last id of the page before."),
]
Row = TypeVar("Row")


def fetch(
    session: Session,
    query: Select[Row],
    key: InstrumentedAttribute[str],
    *,
    limit: int,
    after: str | None,
) -> tuple[list[Row], bool]:
    """Up to `limit` rows below `after` in descending order of `key`, and whether more follow."""
    if after is not None:
        query = query.where(key < after)
    rows = list(session.scalars(query.order_by(key.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def page(
    items: list[Any], ids: list[str], has_more: bool, request: Request, response: Response
) -> Page[Any]:
    """The envelope, and a Link header to the next page."""
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    if has_more and last is not None:
        following = request.url.include_query_params(after=last)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Page(data=items, first_id=first, last_id=last, has_more=has_more)
