"""One resource, watched for good: through ends of watches, an API server that is away, and a CRD that is not there yet.

Like ApiServerSource it sends nothing for what existed before it began, nor for what changed while it was cut off.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from functions.local.source.api import Expired, KubernetesApi, NoSuchResource, Unavailable
from functions.local.source.manifests import Watched

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0
MISSING_WAIT_SECONDS = 10.0
Report = Callable[[str, dict[str, Any]], Awaitable[object]]
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Watching:
    """`started` is set at the first watch, or when the cluster turned out not to know the resource."""

    def __init__(self, api: KubernetesApi, watched: Watched, report: Report) -> None:
        self._api = api
        self._watched = watched
        self._report = report
        self._version = ""
        self._wait = FIRST_WAIT_SECONDS
        self._missing = False
        self._away = False
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow()
            except Expired:
                self._version = ""
            except NoSuchResource:
                await self._not_there()
            except Unavailable as error:
                await self._not_answering(error)

    async def _follow(self) -> None:
        if not self._version:
            self._version = await self._api.version(self._watched)
        self._reached()
        async for change, item in self._api.watch(self._watched, self._version):
            self._version = item["metadata"]["resourceVersion"]
            if change != "BOOKMARK":
                await self._report(change, item)

    def _reached(self) -> None:
        if self._away or self._missing:
            log.info("watches again", action="watch", kind=self._watched.kind)
        self._away = self._missing = False
        self._wait = FIRST_WAIT_SECONDS
        self.started.set()

    async def _not_there(self) -> None:
        if not self._missing:
            log.warning("the cluster has no such resource; goes on without", action="watch", kind=self._watched.kind)
        self._missing, self._version = True, ""
        self.started.set()
        await asyncio.sleep(MISSING_WAIT_SECONDS)

    async def _not_answering(self, error: Unavailable) -> None:
        if not self._away:
            log.warning("can't watch, tries again", action="watch", kind=self._watched.kind, reason=str(error))
        self._away = True
        await asyncio.sleep(self._wait)
        self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)
