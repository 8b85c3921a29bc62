"""What NetworkPolicies let through, as Kubernetes defines it: a pod that no policy selects is open, else the union
counts.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from rendered import of_kind

OURS = "modelswitch"


@dataclass(frozen=True)
class Pod:
    labels: dict[str, str]
    namespace: str = OURS
    namespace_labels: dict[str, str] = field(default_factory=dict)
    address: str = "10.244.0.9"

    @property
    def of_namespace(self):
        return {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}


@dataclass(frozen=True)
class Address:
    """Outside the cluster's pods."""

    address: str


def allows(manifests, source, target, port, protocol="TCP"):
    """Whether `source` may connect to `target`; our policies concern the pods of our namespace only."""
    policies = list(of_kind(manifests, "NetworkPolicy").values())
    out = not _ours(source) or _admits(policies, source, "Egress", target, port, protocol)
    return out and (not _ours(target) or _admits(policies, target, "Ingress", source, port, protocol))


def selecting(manifests, pod, direction):
    return [
        name
        for name, policy in of_kind(manifests, "NetworkPolicy").items()
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], pod.labels)
    ]


def matches(selector, labels):
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def _holds(expression, labels):
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise AssertionError(expression)


def _ours(place):
    return isinstance(place, Pod) and place.namespace == OURS


def _admits(policies, pod, direction, peer, port, protocol):
    selected = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], pod.labels)
    ]
    key, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    rules = [rule for spec in selected for rule in spec.get(key, [])]
    return not selected or any(
        _peer(rule.get(side), peer) and _port(rule.get("ports"), port, protocol) for rule in rules
    )


def _port(ports, port, protocol):
    return not ports or any(one["port"] == port and one.get("protocol", "TCP") == protocol for one in ports)


def _peer(peers, peer):
    return not peers or any(_is_peer(one, peer) for one in peers)


def _is_peer(one, peer):
    if "ipBlock" in one:
        return ip_address(peer.address) in ip_network(one["ipBlock"]["cidr"])
    if not isinstance(peer, Pod):
        return False
    if "namespaceSelector" in one:
        inside = matches(one["namespaceSelector"], peer.of_namespace)
    else:
        inside = peer.namespace == OURS
    return inside and matches(one.get("podSelector", {}), peer.labels)
