"""The broker's ingress as one process sees it: takes events, and from the source notifications, some of which get lost."""

from collections import Counter
from collections.abc import Callable

from aiohttp import web

from schedules.traps import Dropped, Traps

Taken = Callable[[dict[str, str], bytes], None]


class Sink:
    """`taken` gets the headers and the body of what came from the process."""

    def __init__(self, process: str, traps: Traps, taken: Taken) -> None:
        self._process, self._traps, self._taken = process, traps, taken
        self.types: Counter[str] = Counter()

    async def listen(self) -> str:
        self._runner = web.ServerRunner(web.Server(self._serve), handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        kind = request.headers.get("ce-type", "")
        try:
            crossing = await self._traps.enter(self._process, "sink", "sink POST")
            if crossing.has("sink-500"):
                return web.Response(status=500)
            self.types[kind] += 1
            self._taken({name.lower(): value for name, value in request.headers.items()}, body)
            await self._traps.leave(crossing)
        except Dropped:
            if request.transport:
                request.transport.abort()
        return web.Response(status=202)
