"""Reading from a Namespace which events it takes."""

import time
from collections import OrderedDict
from collections.abc import Callable

from functions.adapters.cluster import Cluster, Missing
from functions.lifecycle.consent import ANNOTATION, LABEL, Consent, Wish
from functions.lifecycle.errors import Refused

KEPT_SECONDS = 1.0
MOST_KEPT = 1000


class Consents:
    """What was read answers refusals for a second, so that a flood of them costs few reads; a yes
    is always read again.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Consent]] = OrderedDict()

    async def ask(self, namespace: str, wish: Wish, source: str, user: str | None) -> tuple[Consent, Refused | None]:
        """What the namespace says, and why this sender may not; None where it may.

        Raises ClusterUnavailable, ClusterRefused.
        """
        until, known = self._kept.get(namespace, (0.0, Consent(namespace)))
        if until > self._clock() and (refused := known.refusal(wish, source, user)):
            return known, refused
        found = await self._read(namespace)
        self._keep(found)
        return found, found.refusal(wish, source, user)

    async def _read(self, namespace: str) -> Consent:
        try:
            metadata = (await self._cluster.get(f"/api/v1/namespaces/{namespace}")).get("metadata") or {}
        except Missing:
            return Consent(namespace, exists=False)
        label = (metadata.get("labels") or {}).get(LABEL)
        return Consent.read(namespace, label, (metadata.get("annotations") or {}).get(ANNOTATION))

    def _keep(self, found: Consent) -> None:
        self._kept.pop(found.namespace, None)
        self._kept[found.namespace] = (self._clock() + KEPT_SECONDS, found)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
