"""Which proxy the environment names for a URL, with NO_PROXY read as Kubernetes' own clients (Go) read it.

Python's libraries differ from them: urllib knows no networks, requests none of IPv6. A NO_PROXY that works for kubectl
must work here too, since clusters are commonly listed in it by their service network.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str) -> str | None:
    """None where the URL is reached directly."""
    proxies = getproxies()
    if is_direct(url, proxies.get("no", "")):
        return None
    return proxies.get(urlsplit(url).scheme) or proxies.get("all")


def is_direct(url: str, no_proxy: str) -> bool:
    """Entries: `*`, an address, a network (10.96.0.0/12, fd00::/8), a domain (and all below it), `.domain` (only those
    below).

    An address or a domain may name a port. What can't be read as one of these is passed over.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or _PORTS.get(parts.scheme)
    address = _address(host)
    return any(_covers(entry.strip().lower(), host, address, port) for entry in no_proxy.split(","))


def _covers(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
    if not entry:
        return False
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _contains(entry, address)
    name, wanted = _split_port(entry)
    if wanted is not None and wanted != port:
        return False
    if (listed := _address(name)) is not None:
        return listed == address
    name = name.removeprefix("*")
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdigit() else None
    name, found, port = entry.rpartition(":")
    if found and ":" not in name and port.isdigit():
        return name, int(port)
    return entry, None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _contains(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False
