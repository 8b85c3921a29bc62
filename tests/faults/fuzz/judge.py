"""What an answer may be, and what was found: each finding once, with the smallest request that shows it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.lifecycle.errors import Code

CODES = {str(code) for code in Code} | {
    "MalformedEvent",
    "ImpossibleEvent",
    "MethodNotAllowed",
    "Malformed",
    "NotReady",
}
TRACES = (b"Traceback", b'File "', b"site-packages", b"pydantic_core", b"errors.pydantic.dev")
REFUSED_BY_SERVER = b"Invalid HTTP request received."


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection was closed without one. Names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Findings:
    """By what is wrong; kept is the smallest request that showed it."""

    calls: int = 0
    found: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, request: Any) -> None:
        shown = repr(request)
        if what not in self.found or len(shown) < len(self.found[what]):
            self.found[what] = shown

    def report(self) -> None:
        for what, request in sorted(self.found.items()):
            print(f"found: {what}\n       {request[:1500]}")


def faults(answer: Answer, allowed: Collection[int], secrets: Collection[str]) -> list[str]:
    """What the contract does not name, in words."""
    wrong = [f"a traceback in an answer ({trace.decode()})" for trace in TRACES if trace in answer.body]
    wrong += [f"a secret in an answer: {secret}" for secret in secrets if secret.encode() in answer.body]
    if answer.status == 0:
        return [*wrong, "the connection was closed without an answer"]
    if answer.status not in allowed:
        wrong.append(f"status {answer.status} {answer.body[:200]!r}")
    elif answer.status >= 400:
        wrong += _problem_faults(answer)
    return wrong


def _problem_faults(answer: Answer) -> list[str]:
    kind = answer.headers.get("content-type", "")
    if not kind.startswith("application/problem+json"):
        return [f"{answer.status} is {kind or 'nothing'}, no problem+json: {answer.body[:100]!r}"]
    problem = json.loads(answer.body)
    wrong = []
    if problem.get("code") not in CODES:
        wrong.append(f"{answer.status} with the code {problem.get('code')!r}")
    if problem.get("status") != answer.status:
        wrong.append(f"{answer.status} whose problem says {problem.get('status')}")
    if not problem.get("detail") or not problem.get("next_action"):
        wrong.append(f"{answer.status} {problem.get('code')} without detail or next action")
    if len(answer.body) > 8000:
        wrong.append(f"{answer.status} {problem.get('code')} repeats its input: {len(answer.body)} bytes")
    if answer.status == 503 and "retry-after" not in answer.headers:
        wrong.append("503 without Retry-After")
    return wrong
