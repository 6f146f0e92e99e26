"""Thinning a learning curve without losing its peaks."""

from service.tables import Json

_KEYS = ("validation_loss", "train_loss")


def thin(points: list[Json], limit: int) -> list[Json]:
    """At most `limit` points: first, last, and of each stretch its lowest and highest loss."""
    if len(points) <= limit:
        return points
    stretches = max(1, (limit - 2) // 2)
    inner = points[1:-1]
    kept = [points[0]]
    for index in range(stretches):
        start, stop = index * len(inner) // stretches, (index + 1) * len(inner) // stretches
        stretch = inner[start:stop]
        if not stretch:
            continue
        ends = {id(min(stretch, key=_loss)), id(max(stretch, key=_loss))}
        kept += [point for point in stretch if id(point) in ends]
    return [*kept, points[-1]]


def _loss(point: Json) -> float:
    value = next((point[key] for key in _KEYS if point.get(key) is not None), 0.0)
    return float(value)
