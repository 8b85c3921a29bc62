"""What claims and commits say as they pass by: who holds which model's lease, in which order commands came, what became of them."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.adapters.keys import ENTRIES_AT, KINDS_AT, seen_name
from schedules.history import Entry, History

LUA = Path(__file__).parents[3] / "functions/adapters/lua"
_NAMES = ("claim", "release", "plan", "commit")
_SCRIPTS = {hashlib.sha1((LUA / f"{name}.lua").read_bytes()).hexdigest(): name for name in _NAMES}


_HEARD_SECONDS = 4.0
"""A process that asked Redis has its answer by then, or has given up."""


@dataclass
class Lease:
    """A lease that a process holds, or may hold. `orphan_since`: when no process was at work on it any more.

    `key`: the command that it is for, None until that is known. `waited`: it came out of the line, so no delivery tells
    whether a process is at work on it.
    """

    process: str
    incarnation: int
    key: str | None
    model: str
    seen_key: str
    model_key: str
    asked: float = field(default_factory=time.monotonic)
    granted: float | None = None
    waited: bool = False
    orphan_since: float | None = None


@dataclass(frozen=True)
class _Call:
    script: str
    process: str
    keys: list[str]
    arguments: list[str]
    noted: Entry | None = None


@dataclass
class Claims:
    """`leases` by token. `incarnations`: how often each process was started."""

    history: History
    incarnations: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    _given_back: dict[str, Lease] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    verbs: dict[str, str] = field(default_factory=dict)

    def expect(self, key: str, verb: str, subject: str, *, by_event: bool) -> None:
        """A command that will come; its place in Redis is a digest, from which its name can't be told."""
        source, _, identity = key.partition(" ")
        channel, actor = ("event", f"event:{source}") if by_event else ("rest", source.removeprefix("rest:"))
        self.names[seen_name(channel, actor, subject, source, identity)] = key
        self.verbs[key] = verb

    def label(self, command: list[str]) -> str:
        call = _read(command, "")
        return call.script if call else command[0].lower()

    def holder(self, process: str, model: str) -> str | None:
        """The command that this process has the model's lease for."""
        held = [
            lease.key
            for lease in self.leases.values()
            if lease.granted
            and (lease.process, lease.model) == (process, model)
            and lease.incarnation == self.incarnations.get(process, 0)
        ]
        return held[-1] if held else None

    def sent(self, process: str, commands: list[list[str]]) -> list[_Call | None]:
        """A commit is noted when it leaves: it may be done although nobody hears of it."""
        calls = [_read(command, process) for command in commands]
        for call in calls:
            if call and call.script == "claim":
                self._asked(call)
        return [self._note_commit(call) if call and call.script == "commit" else call for call in calls]

    def replied(self, calls: list[_Call | None], replies: list[Any]) -> None:
        for call, reply in zip(calls, replies, strict=False):
            if call and call.script == "claim":
                self._claimed(call, reply)
            elif call and call.script == "commit" and isinstance(reply, str):
                self._committed(call, reply)
            elif call and call.script == "release":
                self.give_back(call.arguments[0])

    def _asked(self, call: _Call) -> None:
        """It may be given although nobody hears of it."""
        key, incarnation = self.names.get(call.keys[0]), self.incarnations.get(call.process, 0)
        if call.arguments[0] not in self.leases:
            lease = Lease(call.process, incarnation, key, _model(call.keys[1]), call.keys[0], call.keys[1])
            lease.waited = not call.arguments[5]
            self.leases[call.arguments[0]] = lease

    def _claimed(self, call: _Call, reply: Any) -> None:
        lease = self.leases.get(call.arguments[0])
        if lease is None:
            return
        if not isinstance(reply, list) or reply[0] != "new":
            self.leases.pop(call.arguments[0])
            return
        lease.granted = time.monotonic()
        lease.waited = lease.waited or bool(reply[9])
        lease.seen_key = str(reply[8])
        lease.key = self.names.get(lease.seen_key)
        more = {"sequence": int(reply[6]), "redelivered": bool(reply[7])}
        self.history.add("claimed", model=lease.model, key=lease.key, process=call.process, **more)

    def _note_commit(self, call: _Call) -> _Call:
        key = self.names.get(call.keys[0])
        if key is None or not call.arguments[6]:  # a notification's, or a release
            return call
        count = len(call.arguments[KINDS_AT])
        audits = [json.loads(text) for text in call.arguments[ENTRIES_AT : ENTRIES_AT + count]]
        mine = [audit for audit in audits if f"{audit.get('source')} {audit.get('event_id')}" == key]
        outcome = next((audit["code"] for audit in mine if audit.get("code")), "done")
        changed = any(audit.get("changed") for audit in mine)
        more = {"outcome": outcome, "changed": changed, "reply": None}
        noted = self.history.add("committed", model=_model(call.keys[1]), key=key, process=call.process, **more)
        return _Call(call.script, call.process, call.keys, call.arguments, noted)

    def _committed(self, call: _Call, reply: str) -> None:
        if call.noted:
            call.noted.more["reply"] = reply
        if reply in {"ok", "last", "lost"}:
            self.give_back(call.arguments[1])

    def give_back(self, token: str) -> None:
        if lease := self.leases.pop(token, None):
            lease.granted = None
            self._given_back[token] = lease

    def forget(self) -> None:
        self.leases.clear()
        self._given_back.clear()

    def bring_back(self) -> None:
        """After a promotion: the new primary may not have heard that they were given back."""
        self.leases.update(self._given_back)


def _read(command: list[str], process: str) -> _Call | None:
    if command[0].upper() != "EVALSHA" or command[1] not in _SCRIPTS:
        return None
    count = int(command[2])
    return _Call(_SCRIPTS[command[1]], process, command[3 : 3 + count], command[3 + count :])


def _model(key: str) -> str:
    """Its name alone: one schedule is one namespace's models of one kind."""
    return key.rpartition("/")[2]


def orphans(claims: Claims, at_work: Any) -> list[tuple[str, Lease]]:
    """Leases on which nobody works any more, since when is noted.

    `at_work(process, key, moment)`: whether a delivery is in flight that began before then.
    """
    found = []
    for token, lease in claims.leases.items():
        alive = lease.incarnation == claims.incarnations.get(lease.process, 0)
        if alive and (
            _may_be_out_of_line(lease) or at_work(lease.process, lease.key, lease.granted or time.monotonic())
        ):
            lease.orphan_since = None
        elif lease.orphan_since is None:
            lease.orphan_since = time.monotonic()
        else:
            found.append((token, lease))
    return found


def _may_be_out_of_line(lease: Lease) -> bool:
    """A step of the line ends within its time, whichever process began it; a lease whose answer was
    lost has no holder.
    """
    if lease.granted is None:
        return lease.waited and time.monotonic() - lease.asked < _HEARD_SECONDS
    return lease.waited
