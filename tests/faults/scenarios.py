"""Which commands a search may send, and how much may go on at once."""

from builders import start, stop
from step_moves import Bounds, numbered

_BY_EVENT = {"by_event": True, "queue": True}

SCENARIOS: dict[str, Bounds] = {
    "everything": Bounds(
        numbered(stop(**_BY_EVENT), stop(graceful=False, **_BY_EVENT), start(**_BY_EVENT)),
        in_flight=2,
        outside=1,
        jumps=1,
    ),
    "one step at a time": Bounds(
        numbered(stop(**_BY_EVENT), stop(graceful=False, **_BY_EVENT), start(**_BY_EVENT)), in_flight=1
    ),
    "two queued starts": Bounds(
        numbered(stop(graceful=False, **_BY_EVENT), start(**_BY_EVENT), start(**_BY_EVENT)), in_flight=2
    ),
    "over REST": Bounds(numbered(stop(), start(), stop(graceful=False)), in_flight=2, outside=1),
}
