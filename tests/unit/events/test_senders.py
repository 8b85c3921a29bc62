"""What a sender may call itself, and how its word is shown."""

import pytest

from events.errors import Impossible
from events.senders import named, printable, refuse_reserved, within

RESERVED = [
    "rest:alice@example.com",
    "REST:alice",
    " rest:alice",
    "ｒｅｓｔ：alice",
    "re\u200bst:alice",
    "external:kubectl",
    "event:/ci",
    "modelswitch",
    "modelswitch:tick",
    "Modelswitch/api",
    "/modelswitch",
    "/modelswitch/",
    "/modelswitch/reload",
    "/modelswitch?x",
    "unsigned:rest:ceo",
    "/modelswitch/cli/../tick",
]
FREE = [
    "/ci/nightly",
    "/modelswitch/cli",
    "/modelswitch/claims/ml/models",
    "alice@example.com",
    "/modelswitches",
    "interest:x",
]


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_as_source_and_as_actor(name):
    with pytest.raises(Impossible) as source:
        refuse_reserved(name, None)
    with pytest.raises(Impossible) as actor:
        refuse_reserved("/ci", name)
    assert (source.value.status, "reserved" in source.value.message) == (422, True)
    assert actor.value.message.startswith("actor ")


@pytest.mark.parametrize("name", FREE)
def test_every_other_name_is_taken(name):
    refuse_reserved(name, name)


@pytest.mark.parametrize(
    ("source", "prefix", "below"),
    [
        ("/ci", "/ci", True),
        ("/ci/train/1", "/ci", True),
        ("/ci/train", "/ci/", True),
        ("https://ci.example/team/7", "https://ci.example/team", True),
        ("/cicada", "/ci", False),
        ("/", "/ci", False),
        ("/ci/../admin", "/ci", False),
        ("/ci/./x", "/ci", False),
        ("/CI/x", "/ci", False),
    ],
)
def test_a_source_is_compared_segment_by_segment(source, prefix, below):
    assert within(source, prefix) is below


def test_a_claim_is_shown_as_one_without_what_can_t_be_seen():
    assert printable("alice\n\u202eadmin\x1b[31m") == "aliceadmin[31m"
    assert printable("\n\u200b") is None
    assert named("event:/ci", "alice") == "event:/ci (claims to be alice)"
    assert named("alice", None) == "alice"
