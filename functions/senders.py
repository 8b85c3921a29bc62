"""Who is behind an event, as far as anything proves it: our own signature, else only that the
broker let its source in.
"""

from dataclasses import dataclass

from cloudevents.http import CloudEvent

from events.senders import printable, refuse_reserved
from functions.adapters.signature import Signer

LONGEST_ACTOR = 253


@dataclass(frozen=True)
class Sender:
    """`actor` is what is recorded; `user` the account that delivered by its own token, None where the broker delivered.

    `ours`: an event that we sent ourselves for that actor, whose right was checked then.
    """

    source: str
    actor: str
    user: str | None = None
    claimed_actor: str | None = None
    ours: bool = False


def sender_of(event: CloudEvent, claimed_actor: str | None, signer: Signer, user: str | None = None) -> Sender:
    """Raises Impossible (422) where an event that is not ours takes a name that is."""
    source = str(event.get_attributes()["source"])
    actor = signer.on_behalf_of(event)
    claim = printable(claimed_actor)
    if actor is not None:
        return Sender(source, actor, claimed_actor=claim if claim != actor else None, ours=True)
    refuse_reserved(source, claimed_actor)
    return Sender(source, user or actor_of(source), user, claim)


def actor_of(source: str) -> str:
    """How the sender of an event is recorded: never a name that a user of the REST API can have."""
    name = f"event:{printable(source)}"
    return name if len(name) <= LONGEST_ACTOR else f"{name[: LONGEST_ACTOR - 1]}…"


def claim_in(data: object) -> str | None:
    """Who an event says that it is from, where it could not be understood or delivered."""
    named = [data.get(name) for name in ("actor", "written_by")] if isinstance(data, dict) else []
    claim = next((printable(name) for name in named if isinstance(name, str)), None)
    return claim[:LONGEST_ACTOR] if claim else None
