"""How a command that talks to the cluster ends: Ctrl-C cancels where it waits, and each error has its exit code."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from events.cli.exits import CliError, Exit
from functions.adapters.cluster import Forbidden
from functions.lifecycle.errors import ClusterRefused, ClusterUnavailable

Answer = TypeVar("Answer")


def run(work: Coroutine[Any, Any, Answer], *, interrupted: str, rights: str | None = None) -> Answer:
    """CliError 1, 3, 4 or 130. `interrupted` says what Ctrl-C left behind, `rights` what to grant where that is known."""
    try:
        return asyncio.run(_interruptible(work))
    except asyncio.CancelledError as error:
        raise CliError(Exit.INTERRUPTED, "interrupted", interrupted) from error
    except Forbidden as error:
        raise CliError(Exit.NOT_AUTHORISED, error.message, rights or error.next_action) from error
    except ClusterRefused as error:
        raise CliError(Exit.REFUSED, error.message, error.next_action) from error
    except ClusterUnavailable as error:
        raise CliError(Exit.NOT_REACHABLE, error.message, error.next_action) from error


async def _interruptible(work: Coroutine[Any, Any, Answer]) -> Answer:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        return await task
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
