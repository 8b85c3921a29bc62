"""The verdict on a history: pure, so that a doctored history can show that it is able to fail."""

from dataclasses import dataclass, field
from operator import itemgetter

from schedules.history import Entry, History

NOT_DONE = {"Superseded", "Expired"}


@dataclass
class Verdict:
    """Counts, and each finding in words."""

    lost: int = 0
    stale: int = 0
    doubled: int = 0
    diverged: int = 0
    replayed_after_loss: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.stale or self.doubled or self.diverged)

    def add(self, figure: str, finding: str) -> None:
        setattr(self, figure, getattr(self, figure) + 1)
        self.findings.append(f"{figure}: {finding}")

    def __add__(self, other: "Verdict") -> "Verdict":
        names = ("lost", "stale", "doubled", "diverged", "replayed_after_loss")
        summed = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Verdict(**summed, findings=[*self.findings, *other.findings])

    def figures(self, schedules: int) -> str:
        names = ("lost", "stale", "doubled", "diverged", "replayed_after_loss")
        return " ".join([f"schedules={schedules}", *(f"{name}={getattr(self, name)}" for name in names)])


class Command:
    """One command of one model, and everything that was seen of it."""

    def __init__(self, sent: Entry, entries: list[Entry], losses: list[Entry]) -> None:
        self.key, self.verb, self.sent = sent.key, str(sent.more["verb"]), sent
        mine = [entry for entry in entries if entry.key == sent.key]
        self.claims = [entry for entry in mine if entry.what == "claimed"]
        self.commits = [entry for entry in mine if entry.what == "committed" and self._was_written(entry)]
        self.patches = [entry for entry in mine if entry.what == "patched"]
        self.effective = [entry for entry in self.patches if entry.more["before"] != entry.more["after"]]
        self.noted = [entry.number for entry in mine if entry.what == "noted"]
        self.answers = [entry for entry in mine if entry.what == "answered"]
        self._losses = [loss.number for loss in losses]
        self._all_claims = [entry for entry in entries if entry.what == "claimed"]

    def _was_written(self, commit: Entry) -> bool:
        """Where no reply was seen: unless a later claim was told that it is still to be done."""
        if commit.more["reply"] is None:
            return not any(claim.number > commit.number for claim in self.claims)
        return bool(commit.more["reply"] in {"ok", "last"})

    @property
    def done(self) -> list[Entry]:
        """Where it took effect, or was found to be in effect already; not where it came again after that."""
        first = min((*(patch.number for patch in self.effective), *self.noted), default=None)
        found = [entry for entry in self.commits if entry.more["outcome"] == "done"]
        return [*self.effective, *(entry for entry in found if first is None or entry.number < first)]

    def was_leased(self, patch: Entry) -> bool:
        """Not where Redis was away: a stop over REST then acts at once, and comes when it is done."""
        return bool(patch.more.get("leased", True)) or not self.stops

    @property
    def stops(self) -> bool:
        return self.verb == "stop"

    @property
    def accepted(self) -> bool:
        """Acknowledged, and not with a refusal that an event can only be told by another event."""
        outcomes = {entry.more["outcome"] for entry in self.commits}
        return any(entry.more["accepted"] for entry in self.answers) and (not outcomes or "done" in outcomes)

    def sequence(self, number: int) -> int | None:
        """Its place in the order, as of that entry."""
        before = [claim.more["sequence"] for claim in self.claims if claim.number <= number]
        return before[-1] if before else None

    def knew_less(self, since: int, number: int) -> bool:
        """Redis lost data between the two entries: what it was told before, it can't hold against this command any more."""
        return any(since < loss < number for loss in self._losses)

    def claimed_before(self, number: int) -> int:
        return max((claim.number for claim in self.claims if claim.number < number), default=number)

    def first_claim_before(self, number: int) -> int:
        return min((claim.number for claim in self.claims if claim.number < number), default=number)

    @property
    def unrecorded(self) -> int | None:
        """When it was first done without Redis: the model itself then remembers it, so a repeat is nothing new."""
        acted = [patch.number for patch in self.patches if not self.was_leased(patch)]
        return min(acted, default=None)

    @property
    def was_told_unrecorded(self) -> bool:
        return any(answer.more.get("recorded") is False for answer in self.answers)

    def was_lost_in_line(self) -> bool:
        """It was acknowledged for its place in line, and Redis lost that before its turn came."""
        answered = min((entry.number for entry in self.answers if entry.more["accepted"]), default=None)
        if answered is None or self.effective or any(entry.more["outcome"] == "done" for entry in self.commits):
            return False
        since = max((claim.number for claim in self.claims), default=self.sent.number)
        return any(loss > since for loss in self._losses)

    def was_answered_before(self, other: "Command") -> bool:
        """Before the other was sent at all; else they were in flight together, and either may be the later one."""
        return any(answer.number < other.sent.number for answer in self.answers)

    def place(self, number: int) -> int:
        """Where it came in the order of arrival, as of that entry: the one at which it got its sequence.

        What was done, or found done, without Redis has none, and came then.
        """
        sequence = self.sequence(number)
        remembered = min((when for when in (self.unrecorded, *self.noted) if when is not None), default=number)
        if remembered < number:
            return remembered
        if sequence is None:
            return min((entry.number for entry in (*self.patches, *self.answers)), default=self.sent.number)
        # It may have waited in line: it arrived before anything of its number, or of a higher one, had the lease.
        return min(claim.number for claim in self._all_claims if claim.more["sequence"] >= sequence)


def judge(history: History) -> Verdict:
    verdict = Verdict()
    for model, stopped in history.last.stop.items():
        _judge_model(history, model, verdict, stopped=stopped)
    for entry in history.of("dead-letter", "unanswered"):
        verdict.add("diverged", str(entry))
    for disagreement in history.last.disagreements:
        verdict.add("diverged", disagreement)
    return verdict


def _judge_model(history: History, model: str, verdict: Verdict, *, stopped: bool) -> None:
    entries = [entry for entry in history.entries if entry.model == model]
    losses = history.of("data-lost")
    commands = [Command(sent, entries, losses) for sent in entries if sent.what == "sent"]
    outside = [entry for entry in entries if entry.what == "outside"]
    for command in commands:
        _doubled(command, outside, verdict)
        _stale(command, commands, verdict)
        _without_effect(command, entries, verdict)
        _dropped(command, commands, verdict)
    _lost(commands, outside, verdict, model, stopped=stopped)


def _doubled(command: Command, outside: list[Entry], verdict: Verdict) -> None:
    for first, second in zip(command.effective, command.effective[1:], strict=False):
        between = any(first.number < change.number < second.number for change in outside)
        answered = any(answer.number < second.number for answer in command.answers)
        if command.knew_less(command.claimed_before(first.number), second.number):
            verdict.add("replayed_after_loss", f"{command.key} acted again at {second}")
        elif not between or answered:
            verdict.add("doubled", f"{command.key} acted at {first} and again at {second}")


def _stale(command: Command, commands: list[Command], verdict: Verdict) -> None:
    """A PATCH of an older command after a newer one was done."""
    others = [other for other in commands if other is not command]
    for patch in filter(command.was_leased, command.effective):
        done = [(entry, other) for other in others for entry in other.done]
        newer = [
            (entry, other)
            for entry, other in done
            if entry.number < patch.number and _is_older(command, patch.number, other, entry.number)
        ]
        if newer:
            entry, other = max(newer, key=lambda found: found[0].number)
            since = min(entry.number, command.first_claim_before(patch.number))
            figure = "replayed_after_loss" if command.knew_less(since, patch.number) else "stale"
            verdict.add(figure, f"{command.key} acted at {patch} after {other.key} was done at {entry}")


def _is_older(command: Command, when: int, other: Command, then: int) -> bool:
    """By the numbers that they had. What was done without Redis has none: older is what was answered before it was sent."""
    mine, theirs = command.sequence(when), other.sequence(then)
    if mine is not None and theirs is not None:
        return mine < theirs
    return command.was_answered_before(other)


def _without_effect(command: Command, entries: list[Entry], verdict: Verdict) -> None:
    """An acknowledged command whose effect was there at no moment between its arrival and its answer."""
    if not command.accepted or command.patches:
        return
    if command.was_lost_in_line():
        verdict.add("replayed_after_loss", f"{command.key} was in line when Redis lost its data")
        return
    end = max(entry.number for entry in (*command.answers, *command.commits))
    begin = min((claim.number for claim in command.claims), default=command.sent.number)
    if command.noted:  # it found the model as it wanted it, before Redis knew of it
        begin = command.noted[0]
    elif command.was_told_unrecorded:
        begin = command.sent.number
    before = [_intent(entry) for entry in entries if entry.number < begin]
    during = [_intent(entry) for entry in entries if begin <= entry.number <= end]
    at_first = next((intent for intent in reversed(before) if intent is not None), False)
    if command.stops not in {at_first, *during}:
        verdict.add("lost", f"{command.key} was acknowledged and never in effect")


def _intent(entry: Entry) -> bool | None:
    return bool(entry.more["after"]) if entry.what in {"patched", "outside"} else None


def _dropped(command: Command, commands: list[Command], verdict: Verdict) -> None:
    """Superseded although nothing newer had come."""
    for commit in command.commits:
        if commit.more["outcome"] == "Superseded":
            others = [other for other in commands if other is not command]
            if not any(_came_later(other, command, commit.number) for other in others):
                verdict.add("lost", f"{command.key} was dropped at {commit} with nothing newer")


def _came_later(other: Command, command: Command, number: int) -> bool:
    """By its number, as of that entry; or done without Redis, which gives none, once the command was sent: it may have
    waited in line, and its number is seen only when its turn comes.
    """
    if (other.sequence(number) or 0) > (command.sequence(number) or 0):
        return True
    return other.unrecorded is not None and command.sent.number < other.unrecorded < number


def _came_anew(acted: int, command: Command) -> bool:
    """Redis lost the place that it had before it acted: its next delivery was the first, as far as anybody could tell."""
    return command.knew_less(command.first_claim_before(acted), acted)


def _lost(commands: list[Command], outside: list[Entry], verdict: Verdict, model: str, *, stopped: bool) -> None:
    """The command accepted last must be what the cluster is to be, unless somebody else changed the model after it."""
    accepted = [command for command in commands if command.accepted and not command.was_lost_in_line()]
    if not accepted:
        return
    end = max(entry.number for command in accepted for entry in (*command.answers, *command.commits))
    last = max(accepted, key=lambda command: (command.place(end), command.sequence(end) or 0))
    if last.stops == stopped:
        return
    own = max((patch.number for patch in last.effective), default=last.place(end))
    if any(change.number > own for change in outside):
        return
    acted = sorted(((patch.number, command) for command in commands for patch in command.effective), key=itemgetter(0))
    if acted and last.was_told_unrecorded and not acted[-1][1].was_answered_before(last):
        return
    if acted and (last.knew_less(own, acted[-1][0]) or _came_anew(*acted[-1])):
        verdict.add("replayed_after_loss", f"{last.key} is undone by {acted[-1][1].key}, which came again")
        return
    verdict.add(
        "lost", f"{last.key} was accepted last for {model}, and the model is {'' if stopped else 'not '}stopped"
    )
