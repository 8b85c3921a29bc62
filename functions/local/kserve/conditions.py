"""Knative's condition sets (knative.dev/pkg apis.ConditionSet), which KServe's statuses are made of.

`Ready` follows its dependents by rules that explain what users see, such as Ready=False/Stopped beside Stopped=False.
"""

from datetime import UTC, datetime

from functions.local.kserve.resources import Json

READY = "Ready"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(status: Json, kind: str) -> Json | None:
    return next((condition for condition in status.get("conditions", []) if condition["type"] == kind), None)


def is_true(status: Json, kind: str) -> bool:
    condition = find(status, kind)
    return condition is not None and condition["status"] == TRUE


class ConditionSet:
    """Writes the conditions of `status` in place; `Ready` is true when all `dependents` are."""

    def __init__(self, status: Json, dependents: tuple[str, ...]) -> None:
        self._status = status
        self._dependents = dependents

    def initialize(self) -> None:
        for kind in (READY, *self._dependents):
            if find(self._status, kind) is None:
                self._write(kind, UNKNOWN, "", "")

    def mark(self, kind: str, status: str, reason: str = "", message: str = "") -> None:
        self._write(kind, status, reason, message)
        if status == TRUE:
            self._follow_unhappy()
        elif kind in self._dependents and (status == FALSE or not self._any_failed()):
            self._write(READY, status, reason, message)

    def clear(self, kind: str) -> None:
        self._status["conditions"] = [c for c in self._status.get("conditions", []) if c["type"] != kind]

    def _any_failed(self) -> bool:
        """A failed dependent trumps an unknown one: Ready then keeps the reason it had."""
        found = [find(self._status, kind) for kind in self._dependents]
        return any(condition is not None and condition["status"] == FALSE for condition in found)

    def _follow_unhappy(self) -> None:
        found = [condition for kind in self._dependents if (condition := find(self._status, kind))]
        found.sort(key=lambda condition: str(condition["lastTransitionTime"]), reverse=True)
        for wanted in (FALSE, UNKNOWN):
            for condition in found:
                if condition["status"] == wanted:
                    self._write(READY, wanted, condition.get("reason", ""), condition.get("message", ""))
                    return
        if len(found) < len(self._dependents):
            self._write(READY, UNKNOWN, "", "")
        else:
            self._write(READY, TRUE, "", "")

    def _write(self, kind: str, status: str, reason: str, message: str) -> None:
        condition = {"type": kind, "status": status}
        if reason:
            condition["reason"] = reason
        if message:
            condition["message"] = message
        if kind != READY and kind not in self._dependents:
            condition["severity"] = "Info"
        old = find(self._status, kind)
        same = old is not None and {**old, "lastTransitionTime": ""} == {**condition, "lastTransitionTime": ""}
        condition["lastTransitionTime"] = old["lastTransitionTime"] if same and old else now()
        others = [c for c in self._status.get("conditions", []) if c["type"] != kind]
        self._status["conditions"] = sorted([*others, condition], key=lambda c: str(c["type"]))
