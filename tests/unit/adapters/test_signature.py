"""An event of our own is known by its signature, and nothing in it can be changed."""

import pytest
from cloudevents.http import CloudEvent

from events.artifact import Artifact
from events.commands import ReloadRequested
from events.envelope import build
from events.model import ModelRef
from events.wire import open_event, to_binary, to_structured
from functions.adapters.signature import Signer

SECRET, BEFORE, OTHER = "current-secret-0001", "former-secret-00002", "another-secret-0003"
ARTIFACT = Artifact(uri="pvc://models/a", namespace="fraud", digest=f"sha256:{'1' * 64}", size=7)


def request() -> CloudEvent:
    command = ReloadRequested(actor="alice", reason="naïve “quotes” %20 \\", artifact=ARTIFACT, settle="1m30s")
    return build(command, ModelRef(namespace="fraud", name="scorer"), source="/modelswitch", id="r1")


@pytest.mark.parametrize("write", [to_binary, to_structured])
@pytest.mark.parametrize("actor", ["event:/ci/train", "ålice@bank", "event:/a%20b", "event:a%2Fb", "event:/100%"])
def test_a_signed_event_names_for_whom_it_was_sent_however_it_travels(write, actor):
    signed = Signer([SECRET]).signed(request(), actor)
    assert Signer([SECRET]).on_behalf_of(open_event(*write(signed))) == actor


@pytest.mark.parametrize("attribute", ["id", "source", "type", "subject", "expirytime", "correlationid", "onbehalfof"])
def test_no_attribute_that_a_function_acts_on_can_be_changed(attribute):
    signed = Signer([SECRET]).signed(request(), "event:/ci")
    changed = CloudEvent({**signed.get_attributes(), attribute: "2099-01-01T00:00:00Z"}, signed.data)
    assert Signer([SECRET]).on_behalf_of(changed) is None


def test_data_can_t_be_changed_and_an_unsigned_or_foreign_event_is_not_ours():
    signed = Signer([SECRET]).signed(request(), "event:/ci")
    changed = CloudEvent(signed.get_attributes(), {**signed.data, "strategy": "replace"})
    unsigned = CloudEvent({**request().get_attributes(), "onbehalfof": "event:/ci"}, request().data)
    assert [Signer([SECRET]).on_behalf_of(one) for one in (changed, unsigned)] == [None, None]
    assert Signer([OTHER]).on_behalf_of(signed) is None
    assert Signer([]).on_behalf_of(Signer([]).signed(request(), "event:/ci")) is None


def test_an_event_that_waited_during_one_rotation_is_still_ours():
    signed = Signer([BEFORE]).signed(request(), "event:/ci")
    assert Signer([SECRET, BEFORE]).on_behalf_of(signed) == "event:/ci"
    assert Signer([OTHER, SECRET]).on_behalf_of(signed) is None
