"""Trouble on demand (`POST /_sim/faults`) and a record of every write (`GET /_sim/audit`), for tests."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.local.kubernetes.errors import ApiError, denied
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

AUDIT = 50_000


class Fault(BaseModel):
    """Trouble for the next `count` requests that match.

    `answer`: 429 and 500 refuse before anything happens; `denied` is what a ValidatingAdmissionPolicy without a reason
    answers to a change that it does not allow: 422 with `message`; `commit-then-timeout` does the work, is silent for
    `seconds` and then answers 504. `drop-watches` and `compact` (old resourceVersions get 410) happen at once.
    """

    model_config = ConfigDict(extra="forbid")

    answer: Literal["429", "500", "denied", "commit-then-timeout", "drop-watches", "compact"]
    verb: str = "*"
    """create, get, list, watch, update, patch, delete, deletecollection or `*`."""
    resource: str = "*"
    """Plural, with or without the group, or `*`."""
    count: int = Field(default=1, ge=1)
    seconds: float = Field(default=30.0, ge=0)
    retry_after: int = Field(default=1, ge=0)
    message: str = "change freeze until Monday"


@dataclass
class Faults:
    """Faults still to come, in the order in which they were asked for."""

    _left: list[tuple[Fault, int]] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self._left.append((fault, fault.count))

    def clear(self) -> None:
        self._left.clear()

    def take(self, verb: str, resource: str) -> Fault | None:
        """The fault that this request meets, counted."""
        names = {resource, resource.partition(".")[0], "*"}
        for place, (fault, left) in enumerate(self._left):
            if fault.verb in (verb, "*") and fault.resource in names:
                if left > 1:
                    self._left[place] = (fault, left - 1)
                else:
                    del self._left[place]
                return fault
        return None


def refuse(fault: Fault | None, resource: Resource, name: str) -> None:
    """Raise what a refusing fault answers; others pass."""
    if fault and fault.answer == "429":
        message = "Too many requests, please try again later."
        raise ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": fault.retry_after}, fault.retry_after)
    if fault and fault.answer == "500":
        raise ApiError(500, "InternalError", "Internal error occurred: asked for by a test", {})
    if fault and fault.answer == "denied":
        raise denied(
            resource, name, f"ValidatingAdmissionPolicy 'test' with binding 'test' denied request: {fault.message}"
        )


@dataclass
class Audit:
    """Write requests, oldest first: verb, path, resource, namespace, name, userAgent, bytes, code, changed."""

    entries: deque[Obj] = field(default_factory=lambda: deque(maxlen=AUDIT))
