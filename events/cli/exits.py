"""How the command line ends: exit codes, and the one error that carries them."""

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from events.errors import ModelswitchError


class Exit(IntEnum):
    """Documented in --help; scripts rely on them."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_REACHABLE = 3
    NOT_AUTHORISED = 4
    TIMED_OUT = 5
    INTERRUPTED = 130


class CliError(ModelswitchError):
    """What happened and what to do next, in words for the person at the terminal. `problem` is the server's, if any."""

    def __init__(
        self, exit_code: Exit, message: str, next_action: str, *, problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, next_action)
        self.exit_code = exit_code
        self.problem = problem or {}

    @property
    def code(self) -> str:
        """The server's stable word, or the name of the exit code."""
        return str(self.problem.get("code") or self.exit_code.name)

    def as_text(self) -> str:
        return f"Error: {self.message}\n{self.next_action}".rstrip()

    def as_json(self) -> str:
        """One object on one line: exit_code, code, message, next_action, and the server's problem if there was one."""
        return json.dumps(
            {
                "exit_code": int(self.exit_code),
                "code": self.code,
                "message": self.message,
                "next_action": self.next_action,
                "problem": self.problem or None,
            }
        )
