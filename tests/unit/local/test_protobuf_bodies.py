"""What kubectl sends in protobuf is read as the JSON that means the same, or refused with the reason."""

import pytest

from functions.local.kubernetes import protobuf
from functions.local.kubernetes.errors import ApiError

NAMESPACE = bytes.fromhex(
    "6b387300 0a0f0a02 7631 1209 4e616d657370616365 121c 0a14 0a0464656d6f 1200 1a00 2200 2a00 3200 3800 4200 1200 1a02 0a00 1a00 2200"
)
"""As `kubectl create namespace demo` of 1.32 sends it, but for its status, of which it says that it has no phase."""


def part(number, data):
    """A field of bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(data)]) + data


def number(field, value):
    return bytes([field << 3, value])


def sent(kind, raw, version="v1"):
    envelope = part(1, part(1, version.encode()) + part(2, kind.encode())) + part(2, raw)
    return b"k8s\x00" + envelope + part(3, b"") + part(4, b"")


def named(name):
    return part(1, part(1, name.encode()) + number(7, 0) + part(8, b""))


def test_a_namespace_as_kubectl_sends_it():
    assert protobuf.read(NAMESPACE) == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}


def test_maps_keep_empty_values_and_bytes_are_base64():
    raw = named("s") + part(2, part(1, b"p") + part(2, b"pw")) + part(4, part(1, b"e") + part(2, b""))
    assert protobuf.read(sent("Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"p": "cHc="},
        "stringData": {"e": ""},
    }


def test_a_zero_that_says_something_stays_and_one_that_is_always_sent_goes():
    spec = number(1, 0) + number(5, 0) + number(7, 0)
    found = protobuf.read(sent("Deployment", named("d") + part(2, spec), "apps/v1"))
    assert found["spec"] == {"replicas": 0}


@pytest.mark.parametrize(
    ("port", "read"), [(number(1, 0) + number(2, 80), 80), (number(1, 1) + number(2, 0) + part(3, b"http"), "http")]
)
def test_a_port_is_a_number_or_a_name(port, read):
    service = named("s") + part(2, part(1, number(3, 80) + part(4, port)))
    assert protobuf.read(sent("Service", service))["spec"]["ports"] == [{"port": 80, "targetPort": read}]


def test_amounts_and_the_fields_of_an_embedded_part():
    quota = named("q") + part(2, part(1, part(1, b"pods") + part(2, part(1, b"10"))))
    assert protobuf.read(sent("ResourceQuota", quota))["spec"] == {"hard": {"pods": "10"}}
    rule = part(1, b"h") + part(2, part(1, part(1, part(1, b"/"))))
    ingress = protobuf.read(sent("Ingress", named("i") + part(2, part(3, rule)), "networking.k8s.io/v1"))
    assert ingress["spec"]["rules"] == [{"host": "h", "http": {"paths": [{"path": "/"}]}}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "it does not begin with k8s"),
        (b"", "it does not begin with k8s"),
        (sent("Lease", b""), "the kind 'Lease' is not known"),
        (sent("ConfigMap", part(9, b"x")), "field 9 of ConfigMap is not known"),
        (sent("ConfigMap", b"\x0a\x7f"), "it ends in the middle of a field"),
        (sent("ConfigMap", b"\x80"), "it ends in the middle of a number"),
        (sent("ConfigMap", number(4, 1)[:1] + b"\xff" * 12), "it ends in the middle of a number"),
        (sent("ConfigMap", b"\x0d1234"), "the wire type 5 is not known"),
        (sent("ConfigMap", number(1, 1)), "is no ObjectMeta"),
        (sent("ConfigMap", part(4, b"x")), "is no bool"),
        (sent("ConfigMap", part(1, part(1, b"\xff"))), "can't decode byte"),
    ],
)
def test_what_is_not_known_is_refused_with_the_way_out(body, said):
    with pytest.raises(ApiError) as refused:
        protobuf.read(body)
    assert refused.value.code == 415
    assert said in refused.value.message
    assert "kubectl create -f" in refused.value.message
