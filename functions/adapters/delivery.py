"""Who delivers an event to a function: verified before the event is read, since the port can be reached by others.

Two ways. Where Knative gives Triggers tokens (OIDC), a token for our audience, by TokenReview, of an account that
delivers for the broker. Else a secret in the Trigger's subscriber URI (`?delivery=…`), which the deployment makes.
Neither says who sent the event to the broker. A token of another account is that account's own word: it may deliver to
the functions that take events without a broker.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from functions.adapters.identity import Access, Unauthenticated
from functions.lifecycle.errors import Code, StepError

Reason = Literal["missing", "wrong", "token", "sender"]


class Unverified(StepError):
    """401: nothing shows that the broker, or a sender that may deliver by itself, sends this."""

    status = 401

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            message,
            "Send the event to the broker. If it came from there, repeat `make deploy`: it writes the delivery secret into the "
            "Triggers.",
        )
        self.reason = reason


class NotConfigured(StepError):
    """503: no delivery could be verified, so none is taken."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            Code.NOT_CONFIGURED,
            "no way to verify deliveries is configured for this function",
            "Set DELIVERY_SECRETS (at least 16 characters; `make deploy` makes one), or DELIVERY_AUDIENCE and DELIVERY_SENDERS.",
            retry_after=30,
        )


@dataclass(frozen=True)
class Delivery:
    """A verified one.

    `user`: the account that delivers by itself, by its token; None: the broker, or a holder of a secret.
    """

    user: str | None = None


class Deliveries:
    """`secrets` are accepted from Triggers, `direct` from senders without a broker; several during a rotation.

    `tokens` verifies tokens, and then no secret counts; `senders` are the accounts that deliver for the broker, a `*`
    at the end for any that begins so.
    """

    def __init__(
        self, secrets: Sequence[str], direct: Sequence[str] = (), tokens: Access | None = None, senders: str = ""
    ) -> None:
        self._secrets = tuple(secrets)
        self._direct = tuple(direct)
        self._tokens = tokens
        self._senders = tuple(part.strip() for part in senders.split(",") if part.strip())

    @property
    def configured(self) -> bool:
        return bool(self._senders) if self._tokens else bool(self._secrets)

    async def verify(self, secrets: Sequence[str], authorization: str | None, *, direct: bool = False) -> Delivery:
        """`secrets`: what the request's `delivery` parameters say.

        `direct`: whether senders may deliver without a broker.

        Raises Unverified, NotConfigured, and what the cluster's token review raises.
        """
        if not self.configured:
            raise NotConfigured
        if self._tokens:
            return await self._by_token(self._tokens, authorization, direct=direct)
        if not secrets:
            raise Unverified("missing", "the request carries no delivery secret")
        accepted = (*self._secrets, *(self._direct if direct else ()))
        given = secrets[0].encode() if len(secrets) == 1 else b""
        right = [hmac.compare_digest(given, secret.encode()) for secret in accepted]
        if not any(right):
            raise Unverified("wrong", "the delivery secret of the request is not the right one")
        return Delivery()

    async def _by_token(self, tokens: Access, authorization: str | None, *, direct: bool) -> Delivery:
        if not authorization:
            raise Unverified("missing", "the request carries no token")
        try:
            user = await tokens.authenticate(authorization)
        except Unauthenticated as error:
            raise Unverified("token", error.message) from error
        if any(_fits(user.name, sender) for sender in self._senders):
            return Delivery()
        if direct:
            return Delivery(user.name)
        raise Unverified("sender", f"{user.name} does not deliver for the broker")


def _fits(name: str, sender: str) -> bool:
    return name.startswith(sender[:-1]) if sender.endswith("*") else name == sender
