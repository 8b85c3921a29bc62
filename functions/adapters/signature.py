"""Our signature on events that we send through the broker, since any sender with access to it could forge them.

An HMAC over everything in the event that a function acts on, in the extension attribute `signature`. The keys derive
from the delivery secrets, so both change together; an event that waited in the broker during one rotation is still
accepted.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cloudevents.http import CloudEvent

ON_BEHALF_OF = "onbehalfof"
SIGNATURE = "signature"
SHORTEST_SECRET = 16
_SIGNED = ("id", "source", "type", "subject", "expirytime", "correlationid", ON_BEHALF_OF)


def read_secrets(text: str) -> tuple[str, ...]:
    """The secrets in a setting, separated by commas: at most two.

    One that is too short is left out, as is the placeholder of the manifests.
    """
    given = [part.strip() for part in text.split(",")]
    return tuple(part for part in given if len(part) >= SHORTEST_SECRET)[:2]


class Signer:
    """`secrets`: the one to sign with first, then those that are still accepted.

    Without any, nothing is signed or accepted.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [hmac.digest(secret.encode(), b"modelswitch event v1", "sha256") for secret in secrets]

    def signed(self, event: CloudEvent, on_behalf_of: str) -> CloudEvent:
        """The same event with the verified actor of what caused it, and our signature."""
        attributes = {**event.get_attributes(), ON_BEHALF_OF: on_behalf_of}
        if self._keys:
            attributes[SIGNATURE] = _mac(self._keys[0], attributes, event.data)
        return CloudEvent(attributes, event.data)

    def on_behalf_of(self, event: CloudEvent) -> str | None:
        """The verified actor in an event that we have signed; None for every other event."""
        attributes = event.get_attributes()
        given = str(attributes.get(SIGNATURE) or "").encode()
        wanted = [_mac(key, attributes, event.data).encode() for key in self._keys]
        known = [hmac.compare_digest(given, mac) for mac in wanted]
        return str(attributes[ON_BEHALF_OF]) if any(known) and attributes.get(ON_BEHALF_OF) else None


def _mac(key: bytes, attributes: Mapping[str, Any], data: Any) -> str:
    """Over the data as JSON in one fixed form: a broker may write it differently than it came."""
    named = {name: str(attributes[name]) for name in _SIGNED if attributes.get(name) is not None}
    text = json.dumps([named, data], sort_keys=True, separators=(",", ":"), default=repr)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
