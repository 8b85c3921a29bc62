"""Names that other people chose, as parts of a URL: quoted, or none at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from functions.adapters.segments import leads_elsewhere, pod_address, port_number, quoted, quoted_path


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("fraud-detector", "fraud-detector"),
        ("meta-llama/Llama-3.1", "meta-llama%2FLlama-3.1"),
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("http:admin:80", "http%3Aadmin%3A80"),
        ("modèle", "mod%C3%A8le"),
        ("...", "..."),
        ("a..b", "a..b"),
    ],
)
def test_a_name_is_quoted_as_one_segment(name, segment):
    assert quoted(name) == segment


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "x/..",
        "x/./y",
        "x//y",
        "/x",
        "x/",
        "../../../../../../kube-system/services/http:admin:80/proxy/drain?x=",
        "..\\..\\x",
        "%2e%2e",
        "%2E%2E%2Fx",
        "%252e%252e%252fx",
        "%25252525252e%25252525252e",
        "x%2f..%2fy",
        "a\nb",
        "a\x00b",
        "a\u202eb",
        "\ud800",
        "x" * 254,
        None,
        7,
        ["x"],
        {"x": "y"},
    ],
    ids=repr,
)
def test_what_could_lead_elsewhere_is_no_name(name):
    assert quoted(name) is None


@given(st.text())
def test_a_quoted_name_stays_one_segment_however_it_is_decoded_and_normalized(name):
    segment = quoted(name)
    if segment is None:
        return
    for path in (
        URL(f"http://h/v1/{segment}/ready", encoded=True).raw_path,
        URL(f"http://h/v1/{segment}/ready").raw_path,
    ):
        assert path.startswith("/v1/")
        assert path.endswith("/ready")
        assert path.count("/") == 3
    assert not leads_elsewhere(f"/v1/{segment}/ready")


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("/metrics", "/metrics"),
        ("/a/b c", None),
        ("/metrics/", "/metrics/"),
        ("/modèle", "/mod%C3%A8le"),
        ("/a:b", "/a%3Ab"),
        ("/", None),
        ("//", None),
        ("/a//b", None),
        ("/../x", None),
        ("/a/..", None),
        ("/%2e%2e/x", None),
        ("/a?b", None),
        ("/a#b", None),
        ("metrics", None),
        ("@elsewhere/", None),
        ("/" + "x" * 300, None),
        (None, None),
        (["/"], None),
    ],
)
def test_a_path_is_quoted_by_its_segments(path, made):
    assert quoted_path(path) == made


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.244.0.7", "10.244.0.7"),
        ("240.10.0.7", "240.10.0.7"),
        ("fd00:10:244::7", "fd00:10:244::7"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("127.0.0.1", None),
        ("127.1.2.3", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("::ffff:169.254.169.254", None),
        ("64:ff9b::a9fe:a9fe", None),
        ("2002:a9fe:a9fe::1", None),
        ("169.254.169.254", None),
        ("fe80::1", None),
        ("fe80::1%eth0", None),
        ("fd00:ec2::254", None),
        ("168.63.129.16", None),
        ("0.0.0.0", None),
        ("::", None),
        ("224.0.0.1", None),
        ("255.255.255.255", None),
        ("2130706433", None),
        ("0x7f.0.0.1", None),
        ("010.0.0.1", None),
        ("metadata.google.internal", None),
        ("10.0.0.1:80@evil", None),
        ("10.0.0.1/24", None),
        ("", None),
        (None, None),
        (2130706433, None),
        (["10.0.0.1"], None),
    ],
)
def test_only_an_address_that_a_pod_can_have_is_one(text, address):
    assert pod_address(text) == address


@pytest.mark.parametrize(
    ("value", "port"),
    [
        (8080, 8080),
        ("8080", 8080),
        (65535, 65535),
        (0, None),
        (-1, None),
        (65536, None),
        ("9" * 5000, None),
        ("٣", None),
        (True, None),
        (80.0, None),
        ("80 ", None),
        (None, None),
        ([80], None),
    ],
)
def test_a_port_is_a_number_in_range(value, port):
    assert port_number(value) == port
