"""Calls that are made in the same turn of the event loop go out together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Reply = TypeVar("Reply")

MOST_ITEMS = 500


class Batch(Generic[Item, Reply]):
    """`send` takes many items and returns a reply for each, in order, or the exception for that one's caller.

    What it raises, each caller gets.
    """

    def __init__(self, send: Callable[[Sequence[Item]], Awaitable[Sequence[Reply | Exception]]]) -> None:
        self._send = send
        self._waiting: list[tuple[Item, asyncio.Future[Reply]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def __call__(self, item: Item) -> Reply:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send_waiting)
        reply: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((item, reply))
        return await reply

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for begin in range(0, len(waiting), MOST_ITEMS):
            task = asyncio.create_task(self._send_some(waiting[begin : begin + MOST_ITEMS]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send_some(self, some: Sequence[tuple[Item, "asyncio.Future[Reply]"]]) -> None:
        try:
            replies = await self._send([item for item, _ in some])
        except Exception as error:  # noqa: BLE001 - each caller gets it, and knows what it means
            for _, reply in some:
                if not reply.done():
                    reply.set_exception(error)
            return
        except asyncio.CancelledError:
            for _, reply in some:
                reply.cancel()
            raise
        for (_, reply), answer in zip(some, replies, strict=True):
            if reply.done():
                continue
            if isinstance(answer, Exception):
                reply.set_exception(answer)
            else:
                reply.set_result(answer)
