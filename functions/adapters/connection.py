"""The connection to Redis. The only module that imports redis."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from functions.lifecycle.errors import Code, StoreUnavailable, Temporary

MOST_CONNECTIONS = 32
CONNECTION_WAIT_SECONDS = 3
T = TypeVar("T")
_LUA = Path(__file__).parent / "lua"


@contextmanager
def translated() -> Iterator[None]:
    """Redis' errors become StoreUnavailable."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


class _Retry(Retry):
    """One more try where the connection failed, or leads to a primary that was demoted (READONLY).

    After a failover every idle connection may still lead there, and would go on answering reads with what was true
    then: all of them are closed, and the address is resolved again.
    """

    pool: Any = None

    def __init__(self) -> None:
        backoff = ExponentialBackoff(cap=0.2, base=0.02)
        super().__init__(backoff, 1, (RedisConnectionError, RedisTimeoutError, ReadOnlyError))

    def __deepcopy__(self, _memo: object) -> Self:
        """Each connection copies its retry; this one holds nothing of a connection's own."""
        return self

    async def call_with_retry(
        self, do: Callable[[], Awaitable[Any]], fail: Callable[..., Any], *args: Any, **options: Any
    ) -> Any:
        async def failed(error: Exception, *more: Any) -> None:
            await fail(error, *more)
            if isinstance(error, ReadOnlyError) and self.pool is not None:
                await self.pool.disconnect(inuse_connections=False)

        return await super().call_with_retry(do, failed, *args, **options)


def connect(url: str) -> redis.Redis:
    """Retries only for a moment: a caller that waits is better told to come again.

    In a burst, calls wait for a connection; the ordinary pool would fail them as if Redis were away.
    """
    retry = _Retry()
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        timeout=CONNECTION_WAIT_SECONDS,
        socket_timeout=1.5,
        socket_connect_timeout=1,
        retry=retry,
        decode_responses=True,
    )
    retry.pool = pool
    return redis.Redis.from_pool(pool)


class Script:
    """A Lua script, called by its digest and sent again where Redis does not know it."""

    def __init__(self, client: Any, name: str) -> None:
        self._script = client.register_script((_LUA / f"{name}.lua").read_text())

    async def __call__(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        return await known_at_last(lambda: self._script(keys=keys, args=args))

    async def add_to(self, pipeline: Any, keys: Sequence[str], args: Sequence[str | int]) -> None:
        """Its pipeline is to be made and executed by `known_at_last` or `one_trip`."""
        await self._script(keys=keys, args=args, client=pipeline)


async def known_at_last(work: Callable[[], Awaitable[T]]) -> T:
    """Once more where a script is unknown: a new primary, reached in the middle of a call, may never have seen it."""
    try:
        return await work()
    except NoScriptError:
        return await work()


async def one_trip(client: Any, add: Callable[[Any], Awaitable[object]]) -> list[Any]:
    """The replies to what `add` puts into a pipeline; Temporary in the place of one that Redis refused for its own key.

    Raises StoreUnavailable where Redis fails all of them: it is away, full, or no primary any more.
    """

    async def send(*, failing: bool) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        await add(pipeline)
        replies: list[Any] = await pipeline.execute(raise_on_error=failing)
        return replies

    with translated():
        replies = await send(failing=False)
        # Nothing was written then: once more, so that the connection's retry sees the error.
        if any(isinstance(reply, NoScriptError | ReadOnlyError) for reply in replies):
            replies = await known_at_last(lambda: send(failing=True))
        for reply in replies:
            if isinstance(reply, Exception) and type(reply) is not ResponseError:
                raise reply
    return [_broken_key(reply) if isinstance(reply, ResponseError) else reply for reply in replies]


def _broken_key(error: ResponseError) -> Temporary:
    return Temporary(
        Code.STORE_UNAVAILABLE,
        f"Redis refuses what concerns this model: {error}",
        "Check the type of the model's keys in Redis; a key of another type must be deleted.",
        retry_after=60,
    )
