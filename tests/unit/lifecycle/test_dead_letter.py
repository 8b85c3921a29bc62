"""What is kept of an event that no function could take: enough to read it and to send it again, and never a foreign object."""

import json

import pytest

from functions.lifecycle.dead_letter import MOST_BYTES, MOST_UNREAD_BYTES, DeadLetter

OURS = {"type": "dev.modelswitch.model.stop-requested.v1", "subject": "fraud/inferenceservice/scorer"}


def of_size(size):
    """A JSON object of exactly so many bytes, as it is sent: without spaces."""
    data = {"reason": "é", "more": [1, 2]}
    data["reason"] += "x" * (size - len(json.dumps(data, separators=(",", ":"))))
    return data


def test_an_event_of_ours_is_kept_whole_with_its_size_in_bytes():
    data = {"actor": "oncall", "reason": "x"}
    letter = DeadLetter.of(OURS, data)
    assert (letter.type, letter.subject, letter.data) == (OURS["type"], OURS["subject"], data)
    assert letter.size == len(b'{"actor":"oncall","reason":"x"}')
    assert letter.why_not_kept is None


@pytest.mark.parametrize(("size", "kept"), [(MOST_BYTES, True), (MOST_BYTES + 1, False)])
def test_one_of_more_than_16_kib_is_not_kept_and_its_size_says_why(size, kept):
    letter = DeadLetter.of(OURS, of_size(size))
    assert (letter.data is not None, letter.size) == (kept, size)
    assert kept or letter.why_not_kept == "Its data (16,385 bytes) was larger than 16 KiB, so it is not kept."


def test_a_notifications_object_of_the_cluster_is_not_kept():
    letter = DeadLetter.of({"type": "dev.knative.apiserver.resource.update", "subject": "/apis/pods/x"}, {"spec": {}})
    assert (letter.type, letter.subject) == ("dev.knative.apiserver.resource.update", "/apis/pods/x")
    assert (letter.data, letter.size) == (None, len('{"spec":{}}'))
    assert letter.why_not_kept == "Data of types that are not modelswitch's own is not kept."


@pytest.mark.parametrize(("data", "size"), [(None, 0), (b"", 0), (b"raw \xff", 5)])
def test_what_is_no_json_is_kept_as_bytes(data, size):
    letter = DeadLetter.of(OURS, data)
    assert (letter.type, letter.subject, letter.data, letter.size) == (OURS["type"], OURS["subject"], None, size)
    assert letter.beginning == ("raw \\xff" if size else "")
    assert letter.why_not_kept == ("Its body (5 bytes) could not be read." if size else None)


def test_of_bytes_that_others_sent_nothing_is_kept():
    letter = DeadLetter.of({"type": "dev.knative.apiserver.resource.update"}, b"secret")
    assert (letter.raw, letter.beginning, letter.size) == (None, "", 6)


@pytest.mark.parametrize(
    ("size", "words"), [(MOST_UNREAD_BYTES, "read."), (2_000_000, "read; its first 12 KiB are kept.")]
)
def test_of_a_body_that_could_not_be_read_the_beginning_is_kept(size, words):
    letter = DeadLetter.unreadable({}, b"x" * size, size)
    assert (letter.type, letter.ref, letter.size) == ("unknown", None, size)
    assert letter.beginning == "x" * MOST_UNREAD_BYTES
    assert letter.why_not_kept.endswith(words)


def test_a_beginning_that_another_version_wrote_otherwise_is_shown_as_nothing():
    assert DeadLetter("unknown", raw="!no base64", size=3).beginning == ""


def test_one_without_a_subject_is_about_no_model():
    letter = DeadLetter.of({"type": OURS["type"]}, {})
    assert (letter.subject, letter.ref) == (None, None)
