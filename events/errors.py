"""The one hierarchy of errors, and what can be wrong with an event or with sending one."""

from enum import StrEnum

SHOWN_CHARACTERS = 80


def shown(value: object) -> str:
    """Quote what was sent, cut where it is long: a message must not repeat its input."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


class ModelswitchError(Exception):
    """Every error that modelswitch raises itself: `message` says what happened, `next_action` what to do about it."""

    def __init__(self, message: str = "", next_action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_action = next_action


class EventCode(StrEnum):
    """What can be wrong with an event, as a stable word."""

    INVALID = "InvalidEvent"
    MALFORMED = "MalformedEvent"
    IMPOSSIBLE = "ImpossibleEvent"


class ContractError(ModelswitchError):
    """An event is not as the contract says: `got` and `expected` are in the message.

    `status` is the HTTP answer that fits; `code` is stable.
    """

    status: int = 400
    code: EventCode = EventCode.INVALID

    def __init__(self, got: str, expected: str, next_action: str) -> None:
        super().__init__(f"{got}; expected {expected}", next_action)
        self.got = got
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.message}. {self.next_action}"


class Malformed(ContractError):
    """The request is no CloudEvent that can be read at all (400)."""

    status = 400
    code = EventCode.MALFORMED


class Impossible(ContractError):
    """A proper CloudEvent that can never work here: its type, subject or data is not in the contract (422)."""

    status = 422
    code = EventCode.IMPOSSIBLE


class PublishFailed(ModelswitchError):
    """The sink did not say that it has taken the event. `status` is its last HTTP answer; None: there was none.

    `may_take_effect`: an attempt got no answer, or one that says nothing of what was done with the event: it may have
    been delivered all the same, or be delivered later.
    """

    def __init__(
        self, message: str, next_action: str, *, status: int | None = None, may_take_effect: bool = False
    ) -> None:
        if may_take_effect:
            message = f"{message}. The event may take effect all the same, even some time from now"
        super().__init__(message, next_action)
        self.may_take_effect = may_take_effect
        self.status = status

    def __str__(self) -> str:
        return f"{self.message}. {self.next_action}"
