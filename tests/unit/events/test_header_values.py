"""The values in ce- headers, as each SDK and Knative's brokers write them."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import read
from events.header_values import attribute_in
from events.senders import is_reserved, within

SUBJECT = "namespaces/fraud/inferenceservices/scorer"
STOP = "dev.modelswitch.model.stop-requested.v1"
AS_IS = {  # Go, Java, JavaScript, Rust, Python 1.x, and Knative's brokers after structured mode
    "escapes in a source": ("source", "/jobs/retrain%20daily"),
    "an escaped slash": ("source", "/jobs/a%2Fb"),
    "an escaped percent sign": ("source", "/jobs/100%25"),
    "escapes in lower case": ("source", "/jobs/a%2fb%3ac"),
    "an escaped control character": ("source", "/jobs/a%0Ab"),
    "escapes that are no UTF-8": ("source", "/jobs/%FC"),
    "a percent sign alone": ("id", "100%"),
    "a percent sign beside escapes": ("id", "100% of a%20b"),
    "an escaped slash among others": ("subject", "artifacts/s3://b/a%2Fb%20c"),
    "an escaped letter": ("source", "/%72est"),
    "escapes in an artifact's URI": ("subject", "artifacts/s3://bucket/my%20model"),
    "escapes in a partition key": ("partitionkey", "namespaces/ml/artifacts/s3://bucket/my%20model"),
    "a query": ("source", "https://ci.example/run?name=a%26b"),
}
ENCODED = {  # our publisher, C# and Python 2.2: what must be; Python 2.0: all that may be
    "a space": ("id", "a%20b", "a b"),
    "non-ASCII characters": ("id", "t2-%C3%BC", "t2-ü"),
    "in lower case": ("id", "t2-%c3%bc", "t2-ü"),
    "a quotation mark": ("correlationid", "%22x%22", '"x"'),
    "an escape of its own": ("source", "/jobs/retrain%2520daily", "/jobs/retrain%20daily"),
    "one escaped slash of its own": ("source", "/jobs/a%252Fb", "/jobs/a%2Fb"),
    "non-ASCII characters in a source": ("source", "/jobs/%C3%BCben", "/jobs/üben"),
    "everything": ("source", "%2Fjobs%2Fretrain", "/jobs/retrain"),
    "everything, with an escape of its own": ("source", "%2Fjobs%2Fretrain%2520daily", "/jobs/retrain%20daily"),
    "everything in a subject": ("subject", quote(SUBJECT, safe=""), SUBJECT),
    "everything in an artifact's": ("subject", quote("artifacts/s3://b/a%20b", safe=""), "artifacts/s3://b/a%20b"),
}
URIS = st.from_regex(r"/?[a-z:/]{0,6}([a-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-F]{2}){1,20}", fullmatch=True)


@pytest.mark.parametrize("case", AS_IS)
def test_a_value_that_no_sender_encoded_stays_as_it_is(case):
    name, value = AS_IS[case]
    assert attribute_in(name, value) == value


@pytest.mark.parametrize("case", ENCODED)
def test_a_value_that_a_sender_encoded_is_decoded_once(case):
    name, header, value = ENCODED[case]
    assert attribute_in(name, header) == value


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_non_ascii_bytes_are_read_in_the_encoding_that_they_are_in(encoding):
    assert attribute_in("id", "t2-ü".encode(encoding).decode("latin-1")) == "t2-ü"


def test_text_that_is_no_latin_1_is_kept():
    assert attribute_in("id", "t2-Ā%20") == "t2-Ā "


@given(URIS.filter(lambda uri: "%" in uri and ("/" in uri or ":" in uri)))
def test_a_uri_through_a_broker_that_encodes_nothing_keeps_its_escapes(uri):
    value = attribute_in("source", uri)
    assert value == uri or "%25" in uri or not value.isascii()


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_what_our_publisher_or_python_encodes_is_read_back(value):
    for safe in ("", "/:?#[]@!$&'()*+,;=~"):
        assert attribute_in("id", quote(value, safe=safe)) == value


# --- nothing is authorised as one sender and acted on as another -------------------------------------------------------

PATTERNS = st.from_regex(r"/?[a-z]{0,3}(/[a-z]{1,3}){0,2}/?", fullmatch=True).filter(bool)
RAW = st.lists(
    st.sampled_from(["/", ":", ".", "..", "a", "ci", "rest", "%2F", "%2f", "%2E", "%3A", "%25", "%61", "%20"])
)


@given(raw=RAW.map("".join).filter(bool), pattern=PATTERNS)
def test_a_filter_that_let_the_raw_value_in_lets_in_the_value_that_is_acted_on(raw, pattern):
    value = attribute_in("source", raw)
    assert raw != pattern or value == pattern
    assert not raw.startswith(pattern) or value.startswith(pattern)
    assert not raw.endswith(pattern) or value.endswith(pattern)


@given(raw=RAW.map("".join).filter(lambda raw: "/" in raw or ":" in raw))
def test_decoding_moves_no_segment(raw):
    value = attribute_in("source", raw)
    assert [char for char in value if char in "/:."] == [char for char in raw if char in "/:."]


@pytest.mark.parametrize(
    "source",
    ["rest%3Aalice", "%2Fmodelswitch", "/modelswitch%2Fcommand", "%72est:alice", "/%6Dodelswitch", "%6Dodelswitch"],
)
def test_no_escape_hides_a_reserved_name(source):
    assert is_reserved(attribute_in("source", source))


@pytest.mark.parametrize("source", ["/ci/%2e%2e/prod", "/ci/%2E/x", "/ci/..%2Fprod", "/ci%2Fjob", "/%63i/job"])
def test_no_escape_brings_a_source_below_another(source):
    assert not within(attribute_in("source", source), "/ci")


@pytest.mark.parametrize("prefix", ["/jobs/üben", "/jobs/%C3%BCben", "/jobs/%c3%bcben"])
@pytest.mark.parametrize("source", ["/jobs/üben/x", "/jobs/%C3%BCben/x"])
def test_a_source_is_below_its_own_in_either_spelling(source, prefix):
    assert within(source, prefix)


def test_a_stop_from_each_kind_of_sender_is_the_same_stop():
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": STOP, "content-type": "application/json"}
    for source, subject in (
        ("/jobs/retrain%20daily", SUBJECT),
        ("/jobs/retrain%2520daily", SUBJECT),
        ("%2Fjobs%2Fretrain%2520daily", quote(SUBJECT, safe="")),
    ):
        received = read({**headers, "ce-source": source, "ce-subject": subject}, b"{}")
        assert (received.source, received.ref.subject) == ("/jobs/retrain%20daily", SUBJECT)
