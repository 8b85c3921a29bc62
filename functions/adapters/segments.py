"""What other people named, as a part of a URL: quoted, or refused where it could lead elsewhere.

A name from a pod's arguments, an annotation or a reference stands in a path that the API server is asked for with our
own rights. Clients, proxies and servers decode and normalize paths, some more than once; so a name that has a step such
as `..` in it in any decoding is refused, and everything else is quoted.
"""

import ipaddress
from urllib.parse import quote, unquote

LONGEST = 253
"""Kubernetes' own limit for a name."""
_DECODINGS = 4
_HIGHEST_PORT = 65_535
_NO_PATH = frozenset(" ?#%\\")
_STEPS = frozenset({"", ".", ".."})
# Broadcast, and where clouds answer their own machines, beside 169.254.0.0/16: credentials may be had there.
_NO_PODS = frozenset(
    map(
        ipaddress.ip_address,
        ("255.255.255.255", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def quoted(name: object) -> str | None:
    """As one segment of a path. None where it can't be one: empty, a step, too long, with control characters."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable():
        return None
    return quote(name, safe="") if not _has_a_step(name) else None


def quoted_path(path: object) -> str | None:
    """A path of several segments, each quoted; it begins with `/`, may end with one, and has no query."""
    if not isinstance(path, str) or not path.startswith("/") or len(path) > LONGEST or set(path) & _NO_PATH:
        return None
    ends = "/" if path.endswith("/") and len(path) > 1 else ""
    segments = [quoted(segment) for segment in path.removesuffix(ends).split("/")[1:]]
    return "".join(f"/{segment}" for segment in segments) + ends if all(segments) else None


def leads_elsewhere(path: str) -> bool:
    """Whether a path of several segments has a step in it, in any decoding."""
    return _has_a_step(path.partition("?")[0].strip("/"))


def pod_address(text: object) -> str | None:
    """An IP address that a pod can have. None for this machine's own, link-local ones and those of a cloud's metadata.

    A user who may patch a pod's status chooses it. The API server's proxy refuses the same kinds (IsProxyableIP).
    """
    if not isinstance(text, str) or "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    meant = _meant(address)
    strange = meant.is_loopback or meant.is_link_local or meant.is_multicast or meant.is_unspecified
    return None if strange or meant in _NO_PODS else text


def port_number(value: object) -> int | None:
    """From 1 to 65535, as a number or in ASCII digits."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_HIGHEST_PORT)):
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _HIGHEST_PORT
    return value if fits and isinstance(value, int) else None


def _has_a_step(text: str) -> bool:
    for _ in range(_DECODINGS):
        if _STEPS & set(text.replace("\\", "/").split("/")):
            return True
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded
    return True


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
