"""Geometry of a bar: what is held, waited for and freed side by side, and a mark where the quota ends."""

from dataclasses import dataclass

WIDTH = 1000.0


@dataclass(frozen=True)
class Part:
    name: str
    x: float
    width: float


@dataclass(frozen=True)
class Bar:
    """In a picture 1000 wide. `mark` None: no quota. `quota`: the width of what the quota allows."""

    parts: tuple[Part, ...]
    mark: float | None


def bar_of(held: int, waiting: int, freed: int, allowed: int | None, most: int) -> Bar:
    """`most`: the amount that fills the whole width, the same for every bar that is to be compared."""
    scale = WIDTH / most if most else 0.0
    parts: list[Part] = []
    x = 0.0
    for name, amount in (("held", held), ("waiting", waiting), ("freed", freed)):
        width = amount * scale
        if width:
            parts.append(Part(name, round(x, 2), round(width, 2)))
        x += width
    return Bar(tuple(parts), None if allowed is None else round(min(allowed * scale, WIDTH - 2), 2))
