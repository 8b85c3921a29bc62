"""Whether another installation of modelswitch manages the same models: each deployment has a binding of an admission policy.

Two that manage the same models both act on what happens to them, and each takes the other's stops for claims.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.adapters.kserve.note_policy import BINDINGS, KEPT_SECONDS, OPTED_IN
from functions.adapters.kserve.resources import STOP_ANNOTATION_POLICY
from functions.lifecycle.errors import StepError
from functions.logs import logger

SAID_AGAIN_SECONDS = 3600.0
_LONGEST_NAME = 63


@dataclass(frozen=True)
class OtherInstallations:
    """`names` are their namespaces; None where the API server does not let us know."""

    names: tuple[str, ...] | None = ()

    @property
    def message(self) -> str:
        """Empty where there is nothing to say."""
        if not self.names:
            return ""
        named = ", ".join(self.names)
        who = f"Another installation of modelswitch (namespace {named})"
        if len(self.names) > 1:
            who = f"{len(self.names)} other installations of modelswitch (namespaces {named})"
        return f"{who} may manage the same models: each acts on what the other does, and shows its stops as claims."

    @property
    def next_action(self) -> str:
        if not self.names:
            return ""
        return (
            f"Keep one (make undeploy NAMESPACE={self.names[0]} removes the other), or deploy each with "
            "OVERLAY=per-namespace and let them share no namespace."
        )


class Installations:
    """Looks for others than `installation`, at most once a minute."""

    def __init__(self, cluster: Cluster, installation: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._installation = installation
        self._clock = clock
        self._turn = asyncio.Lock()
        self._known = OtherInstallations(None)
        self._until: float | None = None
        self._said: tuple[OtherInstallations, float] = (OtherInstallations(), 0.0)

    async def others(self) -> OtherInstallations:
        """Raises nothing. Where the API server does not answer, what it said before counts."""
        async with self._turn:
            if self._until is None or self._clock() >= self._until:
                self._known = await self._read()
                self._until = self._clock() + KEPT_SECONDS
            return self._known

    async def say(self) -> None:
        """A warning in the log when another one appears, and each hour while it is there."""
        found = await self.others()
        said, at = self._said
        if not found.names or (found == said and self._clock() - at < SAID_AGAIN_SECONDS):
            return
        self._said = (found, self._clock())
        logger().warning(
            found.message, action="other-installation", installations=found.names, next_action=found.next_action
        )

    async def _read(self) -> OtherInstallations:
        try:
            scopes = dict(_scopes(await self._cluster.list_all(BINDINGS)))
        except Missing:  # an API server without admission policies
            return OtherInstallations()
        except (StepError, Changed):
            return self._known
        own = scopes.pop(self._installation, None)
        return OtherInstallations(tuple(sorted(name for name, scope in scopes.items() if _may_meet(own, scope))))


def _scopes(bindings: Iterable[Json]) -> Iterator[tuple[str, Any]]:
    """Of each installation the selector of its namespaces, None for all."""
    for binding in bindings:
        metadata, spec = _part(binding, "metadata"), _part(binding, "spec")
        policy, _, installation = str(metadata.get("name")).partition(".")
        if policy == STOP_ANNOTATION_POLICY and installation and len(installation) <= _LONGEST_NAME:
            yield installation, _part(spec, "matchResources").get("namespaceSelector") or None


def _part(item: Json, name: str) -> Json:
    part = item.get(name)
    return part if isinstance(part, dict) else {}


def _may_meet(one: Any, other: Any) -> bool:
    """Only what opts in by the same label with different values shares no namespace for sure."""
    names = [_opted_in(selector) for selector in (one, other)]
    return None in names or names[0] == names[1]


def _opted_in(selector: Any) -> str | None:
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    return labels.get(OPTED_IN) if isinstance(labels, dict) else None
