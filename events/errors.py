"""What can be wrong with an event or with sending one: what was got, what was expected, what to do next."""

SHOWN_CHARACTERS = 80


def shown(value: object) -> str:
    """What was sent, quoted, and cut where it is long: a message must not repeat its input."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


class ContractError(Exception):
    """An event that is not as the contract says. `status` is the HTTP answer that fits; `code` is stable."""

    status = 400
    code = "InvalidEvent"

    def __init__(self, got: str, expected: str, next_action: str) -> None:
        super().__init__(f"{got}; expected {expected}. {next_action}")
        self.got = got
        self.expected = expected
        self.next_action = next_action

    @property
    def message(self) -> str:
        """What was got and what was expected, without the next action."""
        return f"{self.got}; expected {self.expected}"


class Malformed(ContractError):
    """The request is no CloudEvent that can be read at all (400)."""

    status = 400
    code = "MalformedEvent"


class Impossible(ContractError):
    """A proper CloudEvent that can never work here: its type, subject or data is not in the contract (422)."""

    status = 422
    code = "ImpossibleEvent"


class PublishFailed(Exception):
    """The sink did not say that it has taken the event. `status` is its last HTTP answer; None: there was none.

    `may_take_effect`: an attempt got no answer, or one that says nothing of what was done with the event: it may have
    been delivered all the same, or be delivered later.
    """

    def __init__(
        self, message: str, next_action: str, *, status: int | None = None, may_take_effect: bool = False
    ) -> None:
        if may_take_effect:
            message = f"{message}. The event may take effect all the same, even some time from now"
        super().__init__(f"{message}. {next_action}")
        self.may_take_effect = may_take_effect
        self.message = message
        self.next_action = next_action
        self.status = status
