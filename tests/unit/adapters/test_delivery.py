"""Who may deliver to a function: the broker's secret or token, and nothing else."""

import pytest

from functions.adapters.delivery import Deliveries, NotConfigured, Unverified
from functions.adapters.identity import Unauthenticated, User
from functions.settings import Settings

CURRENT, FORMER, DIRECT = "current-secret-0001", "former-secret-00002", "direct-secret-00003"
TRIGGERS = "system:serviceaccount:modelswitch:oidc-eventing.knative.dev-trigger-*"


class Cluster:
    """Knows two tokens."""

    async def authenticate(self, authorization):
        users = {
            "Bearer broker": TRIGGERS.replace("*", "command-1a2b"),
            "Bearer store": "system:serviceaccount:s3:minio",
        }
        if authorization not in users:
            raise Unauthenticated("the cluster does not know this token; it may have expired")
        return User(users[authorization])


@pytest.fixture
def by_secret():
    return Deliveries([CURRENT, FORMER], [DIRECT])


@pytest.fixture
def by_token():
    return Deliveries([CURRENT], [DIRECT], Cluster(), TRIGGERS)


async def refused(deliveries, *given, **more):
    with pytest.raises(Unverified) as error:
        await deliveries.verify(*given, **more)
    assert error.value.status == 401
    assert not any(secret in f"{error.value.message} {error.value.next_action}" for secret in (CURRENT, FORMER, DIRECT))
    return error.value.reason


@pytest.mark.parametrize("secret", [CURRENT, FORMER])
async def test_the_current_secret_and_the_one_before_it_are_accepted(by_secret, secret):
    assert (await by_secret.verify([secret], None)).user is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "missing"),
        ([""], "wrong"),
        ([CURRENT[:-1]], "wrong"),
        ([f"{CURRENT} "], "wrong"),
        ([f"{CURRENT},{FORMER}"], "wrong"),
        ([CURRENT, CURRENT], "wrong"),
        (["not-deployed"], "wrong"),
        (["ünïcode"], "wrong"),
    ],
)
async def test_every_other_secret_is_refused(by_secret, given, reason):
    assert await refused(by_secret, given, None) == reason
    assert await refused(by_secret, given, f"Bearer {CURRENT}") == reason


async def test_a_store_s_secret_counts_only_where_events_may_come_without_a_broker(by_secret):
    assert (await by_secret.verify([DIRECT], None, direct=True)).user is None
    assert await refused(by_secret, [DIRECT], None) == "wrong"


async def test_with_tokens_only_the_broker_s_accounts_deliver_and_secrets_count_no_more(by_token):
    assert (await by_token.verify([], "Bearer broker")).user is None
    assert await refused(by_token, [CURRENT], None) == "missing"
    assert await refused(by_token, [CURRENT], "Bearer forged") == "token"
    assert await refused(by_token, [], "Bearer store") == "sender"


async def test_an_account_that_delivers_by_itself_is_named(by_token):
    assert (await by_token.verify([], "Bearer store", direct=True)).user == "system:serviceaccount:s3:minio"


@pytest.mark.parametrize(
    "deliveries",
    [
        Deliveries([]),
        Deliveries([], [DIRECT]),
        Deliveries([CURRENT], tokens=Cluster()),
        Deliveries([], tokens=Cluster()),
    ],
)
async def test_without_a_way_to_verify_nothing_is_taken_and_what_to_set_is_said(deliveries):
    assert not deliveries.configured
    with pytest.raises(NotConfigured) as error:
        await deliveries.verify([CURRENT], "Bearer broker", direct=True)
    assert (error.value.status, "DELIVERY_SECRETS" in error.value.next_action) == (503, True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (CURRENT, (CURRENT,)),
        (f" {CURRENT} , {FORMER} ", (CURRENT, FORMER)),
        (f"{CURRENT},{FORMER},{DIRECT}", (CURRENT, FORMER)),
        ("", ()),
        ("short", ()),
        ("not-deployed", ()),
    ],
)
def test_at_most_two_secrets_are_read_and_none_that_is_too_short(monkeypatch, text, kept):
    monkeypatch.setenv("DELIVERY_SECRETS", text)
    assert Settings().delivery_keys == kept
    assert CURRENT not in repr(Settings())
