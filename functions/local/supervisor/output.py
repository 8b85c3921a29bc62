"""One stream for the lines of all parts, each with its writer's name in front; in colour on a terminal."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94, 91)
LONGEST_LINE = 1 << 20


class Output:
    """`say` writes a line of the supervisor's own."""

    def __init__(self, names: Sequence[str], stream: TextIO = sys.stdout) -> None:
        self._width = max((len(name) for name in names), default=0)
        colourful = stream.isatty() and "NO_COLOR" not in os.environ
        self._colours = dict(zip(names, COLOURS * 2, strict=False)) if colourful else {}
        self._stream = stream

    def line(self, name: str, text: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if name in self._colours:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.say(f"{prefix} {text}")

    def say(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (BrokenPipeError, BlockingIOError):  # the reader has gone; the product goes on
            return


async def pump(descriptor: int, line: Callable[[str], None]) -> None:
    """Every line that arrives on a pipe's reading end, until its last writer is gone."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        while raw := await reader.readline():
            if text := raw.decode(errors="replace").rstrip():
                line(text)
    finally:
        transport.close()
