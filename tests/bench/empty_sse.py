"""The peer of open dashboards: FastAPI that sends whatever is posted to everybody who listens, and knows nothing."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

app = FastAPI()
listeners: set[asyncio.Queue[str]] = set()


@app.get("/")
def root() -> dict[str, int]:
    return {"listeners": len(listeners)}


@app.post("/send")
async def send(request: Request) -> None:
    data = (await request.body()).decode()
    for listener in listeners:
        listener.put_nowait(data)


@app.get("/live")
async def live() -> EventSourceResponse:
    async def events() -> AsyncIterator[ServerSentEvent]:
        listener: asyncio.Queue[str] = asyncio.Queue()
        listeners.add(listener)
        try:
            yield ServerSentEvent(comment="connected")
            while True:
                yield ServerSentEvent(data=await listener.get(), event="row")
        finally:
            listeners.discard(listener)

    return EventSourceResponse(events(), sep="\n")
