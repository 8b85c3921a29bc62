"""Which events a namespace takes: its label is the switch, its annotation says from whom and for what.

    modelswitch.dev/events: allow                        any event that the broker lets in
    modelswitch.dev/events-from: '[{"source": "/ci", "verbs": ["stop", "start"]},
                                   {"user": "system:serviceaccount:s3:minio", "verbs": ["artifact"]}]'

`source` is a CloudEvents source and everything below it, `user` an account that delivers by its own token. A source is
only the sender's word, unless the broker checks it. An annotation that can't be read lets no sender in.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from events.envelope import explain
from events.errors import shown
from events.model import Frozen
from events.senders import within
from functions.lifecycle.errors import Code, Refused

LABEL = "modelswitch.dev/events"
ANNOTATION = "modelswitch.dev/events-from"
MOST_CHARACTERS = 8192
MOST_RULES = 64
Wish = Literal["stop", "start", "reload", "artifact"]
_DONE_TO = {"artifact": "reload", "stop": "stop", "start": "start", "reload": "reload"}


class Rule(Frozen):
    """One sender, by its source or by its account, and what it may; without `verbs` everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str | None = Field(default=None, min_length=1, max_length=512)
    user: str | None = Field(default=None, min_length=1, max_length=512)
    verbs: tuple[Wish, ...] = ("stop", "start", "reload", "artifact")

    @model_validator(mode="after")
    def _names_one_sender(self) -> "Rule":
        if (self.source is None) == (self.user is None):
            raise ValueError("name either a source or a user")
        if self.source is not None and (not self.source.strip("/") or {".", ".."} & set(self.source.split("/"))):
            raise ValueError("source: name at least one segment, and none that is . or ..")
        return self

    def lets_in(self, wish: Wish, source: str, user: str | None) -> bool:
        if wish not in self.verbs:
            return False
        return self.user == user if user is not None else self.source is not None and within(source, self.source)


_RULES = TypeAdapter(tuple[Rule, ...])


@dataclass(frozen=True)
class Consent:
    """`rules` None: any sender. `unusable`: why the annotation can't be read; no sender is let in then."""

    namespace: str
    exists: bool = True
    on: bool = False
    rules: tuple[Rule, ...] | None = None
    unusable: str | None = None

    @classmethod
    def read(cls, namespace: str, label: object, annotation: object) -> "Consent":
        if annotation is None or label != "allow":
            return cls(namespace, on=label == "allow")
        text = str(annotation)
        if len(text) > MOST_CHARACTERS:
            return cls(namespace, on=True, rules=(), unusable=f"{len(text)} characters; at most {MOST_CHARACTERS}")
        try:
            rules = _RULES.validate_json(text)
        except ValidationError as error:
            return cls(namespace, on=True, rules=(), unusable=explain(error))
        if len(rules) > MOST_RULES:
            return cls(namespace, on=True, rules=(), unusable=f"{len(rules)} senders; at most {MOST_RULES}")
        return cls(namespace, on=True, rules=rules)

    def refusal(self, wish: Wish, source: str, user: str | None = None) -> Refused | None:
        """Why this sender may not do this here; None where it may. `user`: an account that delivers by its own token.

        Without rules an account is refused: what counts then is that the broker lets an event in, and it came past it.
        """
        if not self.on:
            return self._refused(
                f"namespace {self.namespace} takes no commands from the broker",
                f"An administrator of the namespace can allow it: kubectl label namespace {self.namespace} {LABEL}=allow",
            )
        if self.unusable:
            return self._refused(
                f"namespace {self.namespace} says in {ANNOTATION} who may send it events, and that can't be read: "
                f"{self.unusable}",
                'Correct the annotation: a JSON list such as [{"source": "/ci", "verbs": ["stop", "start"]}].',
            )
        if self.rules is None and user is None:
            return None
        if any(rule.lets_in(wish, source, user) for rule in self.rules or ()):
            return None
        sender = f"the account {shown(user)}" if user is not None else f"source {shown(source)}"
        return self._refused(
            f"namespace {self.namespace} does not let events of {sender} {_DONE_TO[wish]} its models",
            f"An administrator of the namespace can add the sender, with the verb {wish}, to its annotation {ANNOTATION}.",
        )

    def _refused(self, message: str, next_action: str) -> Refused:
        return Refused(Code.EVENTS_NOT_ALLOWED, message, next_action)
