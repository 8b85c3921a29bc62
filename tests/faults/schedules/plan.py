"""What a seed means: the events of one schedule, drawn before anything runs, so that the same seed is the same schedule."""

import random
from dataclasses import dataclass, field
from typing import Any

MODELS = 3
FEWEST_EVENTS = 30
COMMANDS = (15, 22)
FAULTS = (6, 10)
OUTSIDE = (0, 2)
TICKS = (4, 6)
MEAN_GAP_SECONDS = 0.07
KILLED = ("stop", "stop", "stop", "start", "start", "start", "api", "api", "pod_status", "tick")
LONGEST_STEP = 14
"""I/Os of a long step: where a crash or another fault can come in between."""
AT = (
    "redis claim",
    "redis plan",
    "redis commit",
    "redis commit",
    "api GET inferenceservices",
    "api GET pods",
    "api PATCH inferenceservices",
    "api PATCH inferenceservices",
    "api PATCH replicasets",
    "api GET replicasets",
    "api DELETE pods",
    "redis xrange",
    "sink POST",
    "redis xdel",
)
"""I/Os by name: half of the crashes are at one of these, since most calls of a busy process are attempts to claim."""

STORE_AT_IO = ("redis-kill", "flushall", "redis-hold")
STORE_AT_TIME = ("redis-stall", "redis-full", "promote")
API_AT_IO = (*("api-429", "api-500", "api-drop", "api-drop") * 3, "api-silence")
API_AT_TIME = ("watch-drop", "watch-410")


@dataclass(frozen=True)
class Event:
    """`gap`: seconds after the event before it. `what`: stop, start, tick, outside, or a fault's name."""

    gap: float
    what: str
    model: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = " ".join(f"{name}={value}" for name, value in self.more.items())
        return f"+{self.gap:.3f}s {self.what} model={self.model} {more}".rstrip()


@dataclass(frozen=True)
class Schedule:
    """`notifications_lost`: share of notifications. `lease_seconds`: when a dead process' claims are ended; None: their 15 s run out.

    `honours_retry_after`: whether the broker waits as long as an answer asks (Knative's default does not).
    """

    seed: int
    events: tuple[Event, ...]
    notifications_lost: float
    notifications_delay: float
    lease_seconds: float | None
    honours_retry_after: bool


def draw(seed: int) -> Schedule:
    dice = random.Random(seed)
    kinds = ["command"] * dice.randint(*COMMANDS) + ["fault"] * dice.randint(*FAULTS)
    kinds += ["outside"] * dice.randint(*OUTSIDE) + ["tick"] * dice.randint(*TICKS)
    kinds += ["tick"] * (FEWEST_EVENTS - len(kinds))
    dice.shuffle(kinds)
    patient = dice.random() < 0.04
    return Schedule(
        seed=seed,
        events=tuple(_event(dice, kind) for kind in kinds),
        notifications_lost=dice.choice((0.0, 0.3, 1.0)),
        notifications_delay=dice.choice((0.0, 0.0, 0.2)),
        lease_seconds=None if patient else round(dice.uniform(0.1, 0.8), 2),
        honours_retry_after=dice.random() < 0.1,
    )


def _event(dice: random.Random, kind: str) -> Event:
    gap = 0.0 if dice.random() < 0.25 else round(dice.expovariate(1 / MEAN_GAP_SECONDS), 3)
    model = dice.randrange(MODELS)
    match kind:
        case "command":
            return _command(dice, gap, model)
        case "outside":
            return Event(gap, "outside", model, {"value": dice.choice(("true", None, "false"))})
        case "tick":
            return Event(gap, "tick")
        case _:
            return _fault(dice, gap)


def _command(dice: random.Random, gap: float, model: int) -> Event:
    verb = dice.choice(("stop", "start"))
    copies = dice.choice((1, 1, 1, 2, 2, 3, 4, 5))
    delays = tuple(0.0 if dice.random() < 0.5 else round(dice.uniform(0, 0.6), 3) for _ in range(copies))
    data: dict[str, Any] = {}
    if verb == "stop":
        data = dice.choice(({}, {}, {}, {"graceful": False}, {"timeout": "5s"}))
    if dice.random() < 0.35:
        if verb == "start":
            data = {"queue": dice.random() < 0.7}
        return Event(gap, verb, model, {"by": "rest", "delays": delays[:2], "data": data})
    return Event(gap, verb, model, {"by": "event", "delays": delays, "data": data})


def _fault(dice: random.Random, gap: float) -> Event:
    point: dict[str, Any] = {"at": dice.randint(1, LONGEST_STEP), "moment": dice.choice(("before", "after"))}
    match dice.choices(("kill", "store-io", "store-time", "api-io", "api-time", "sink"), (8, 2, 3, 5, 1, 1))[0]:
        case "kill":
            if dice.random() < 0.5:
                point = {**point, "at": dice.choice((1, 1, 2, 3)), "io": dice.choice(AT)}
            return Event(gap, "kill", 0, {"process": dice.choice(KILLED), **point})
        case "store-io":
            return Event(gap, dice.choice(STORE_AT_IO), 0, {"process": dice.choice(KILLED), **point})
        case "store-time":
            what = dice.choice(STORE_AT_TIME)
            seconds = round(dice.uniform(0.2, 2.0 if what == "redis-stall" else 0.7), 2)
            return Event(gap, what, 0, {"seconds": seconds})
        case "api-io":
            return Event(gap, dice.choice(API_AT_IO), 0, {"process": dice.choice(KILLED), "at": dice.randint(1, 8)})
        case "api-time":
            return Event(gap, dice.choice(API_AT_TIME))
        case _:
            return Event(gap, "sink-500", 0, {"process": dice.choice(KILLED), "at": 1})
