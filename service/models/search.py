"""Finding models among many: every filter but free text is answered by an index."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from service.tables import Model, ModelTag

_END = "\U0010ffff"  # sorts after every name


def query(
    *,
    name: str | None = None,
    task: str | None = None,
    text: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> tuple[Select[Model], InstrumentedAttribute[str]]:
    """Models that pass all filters, and the column of names by which an index has them in order.

    name: how the name begins. text: words, each of them somewhere in name, description or tags.
    """
    found, key = select(Model), Model.name
    if name:
        found = found.where(Model.name >= name, Model.name < name + _END)
    if task is not None:
        found = found.where(Model.task == task)
    for position, (tag, value) in enumerate((tags or {}).items()):
        pair = aliased(ModelTag)
        same = and_(pair.model == Model.name, pair.key == tag, pair.value == value)
        found = found.join(pair, same)
        if position == 0:
            key = pair.model
    for word in (text or "").split()[:10]:
        found = found.where(
            or_(
                Model.name.icontains(word, autoescape=True),
                Model.description.icontains(word, autoescape=True),
                _tagged(ModelTag.key.icontains(word, autoescape=True)),
                _tagged(ModelTag.value.icontains(word, autoescape=True)),
            )
        )
    return found, key


def _tagged(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(ModelTag.model == Model.name, *conditions)


def tags_of(session: Session, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The tags of several models, by one statement."""
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    rows: Sequence[ModelTag] = session.scalars(
        select(ModelTag).where(ModelTag.model.in_(found)).order_by(ModelTag.key)
    ).all()
    for row in rows:
        found[row.model][row.key] = row.value
    return found
