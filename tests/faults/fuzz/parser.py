"""The event parser in this process: every request is either understood or refused with a ContractError."""

import json

from hypothesis import HealthCheck, given, seed, settings

from events.envelope import read
from events.errors import ContractError
from events.notifications import read_notification
from events.wire import open_event
from fuzz.judge import Findings
from fuzz.strategies import Sent, events

READERS = {"read": read, "read_notification": read_notification, "open_event": open_event}


def fuzz_parser(calls: int, start: int, found: Findings) -> None:
    """Every request goes to every reader, so a third as many requests are made."""

    @seed(start)
    @settings(max_examples=calls // len(READERS), database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sent=events())
    def run(sent: Sent) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent.headers}
        for name, reader in READERS.items():
            found.calls += 1
            try:
                reader(headers, sent.body)
            except ContractError as error:
                _judge(error, sent, found)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                found.add(f"{name} raised {type(error).__name__}: {str(error)[:120]}", sent)

    run()


def _judge(error: ContractError, sent: Sent, found: Findings) -> None:
    if len(error.message) > 2000:
        found.add(f"{error.code} repeats its input", sent)
    if not error.next_action:
        found.add(f"{error.code} without a next action", sent)
    try:
        json.dumps(error.message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        found.add(f"{error.code} whose message can't be sent as UTF-8", sent)
