"""The rights that each part of the code uses: what its requests to the API server need.

`REQUESTS` says for each module which of the client's methods it calls, and which rights those calls need. A module that
calls a new method, or a new module that calls any, fails test_permissions until its row is here.
"""

import ast
from collections import defaultdict

from rendered import ROOT

KSERVE, ADAPTERS = "serving.kserve.io", "functions/adapters"
MODELS = ("inferenceservices", "llminferenceservices", "inferencegraphs")
METHODS = {"get", "list_all", "page", "pages", "create", "json_patch", "merge_patch", "delete", "raw"}

Right = tuple[str, str, str]


def _models(verb):
    return {(KSERVE, model, verb) for model in MODELS}


def _workloads(verb):
    return {("apps", workload, verb) for workload in ("replicasets", "statefulsets")}


LIST_PODS = {("", "pods", "list")}
ALL_MAY = set()  # /version and the discovery of API groups: system:public-info-viewer, system:discovery
BY_TENANT = set()  # what a tenant lets us read by a Role of its own: examples/smoke-test.yaml, model-credentials.yaml
READ_POLICY = {
    ("admissionregistration.k8s.io", f"validatingadmission{resource}", "get")
    for resource in ("policies", "policybindings")
}
LIST_BINDINGS = {("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "list")}
OUTSIDE_ONLY = set()  # pods/proxy, where models are asked through the API server: not inside a cluster

REQUESTS: dict[str, tuple[set[str], set[Right]]] = {
    f"{ADAPTERS}/identity.py": (
        {"create"},
        {
            ("authentication.k8s.io", "tokenreviews", "create"),
            ("authorization.k8s.io", "subjectaccessreviews", "create"),
        },
    ),
    f"{ADAPTERS}/command_log.py": ({"create"}, {("", "events", "create")}),
    f"{ADAPTERS}/probe.py": ({"raw"}, OUTSIDE_ONLY),
    f"{ADAPTERS}/consents.py": ({"get"}, {("", "namespaces", "get")}),
    f"{ADAPTERS}/kserve/device_claims.py": ({"get"}, {("resource.k8s.io", "resourceclaims", "get")}),
    f"{ADAPTERS}/kserve/volume_claims.py": ({"get"}, {("", "persistentvolumeclaims", "get")}),
    f"{ADAPTERS}/kserve/smoke_tests.py": ({"get"}, BY_TENANT),
    f"{ADAPTERS}/kserve/activity.py": ({"list_all"}, _models("list")),
    f"{ADAPTERS}/kserve/pod_credentials.py": ({"get"}, BY_TENANT),
    f"{ADAPTERS}/kserve/grace.py": (
        {"get", "list_all", "merge_patch", "delete"},
        _workloads("get") | _workloads("list") | _workloads("patch") | LIST_PODS | {("", "pods", "delete")},
    ),
    f"{ADAPTERS}/kserve/handover.py": (
        {"get", "list_all", "merge_patch"},
        _workloads("get") | LIST_PODS | {("", "pods/status", "patch")},
    ),
    f"{ADAPTERS}/kserve/observer.py": (
        {"get", "list_all", "page", "pages"},
        _models("get") | _models("list") | LIST_PODS | {("", "resourcequotas", "list")},
    ),
    f"{ADAPTERS}/kserve/kueue.py": ({"get"}, {("visibility.kueue.x-k8s.io", "localqueues/pendingworkloads", "get")}),
    f"{ADAPTERS}/kserve/pod_events.py": ({"get"}, {("", "events", "list")}),
    f"{ADAPTERS}/kserve/note_policy.py": ({"get"}, READ_POLICY),
    f"{ADAPTERS}/kserve/installations.py": ({"list_all"}, LIST_BINDINGS),
    f"{ADAPTERS}/kserve/resources.py": ({"get"}, ALL_MAY),
    f"{ADAPTERS}/kserve/scaling.py": ({"list_all"}, {("apps", "deployments", "list")}),
    f"{ADAPTERS}/kserve/runtimes.py": (
        {"get"},
        {(KSERVE, "servingruntimes", "get"), (KSERVE, "clusterservingruntimes", "get")},
    ),
    "functions/reconciler.py": ({"json_patch", "delete"}, _models("patch") | {("", "pods", "delete")}),
    "functions/artifact_written/concerned.py": (
        {"get", "list_all"},
        {("", "persistentvolumeclaims", "get"), (KSERVE, "inferenceservices", "list")},
    ),
    "functions/api/health.py": ({"get"}, ALL_MAY),
    "functions/api/pages/kserve_word.py": ({"get"}, _models("get")),
    "functions/api/pages/pods.py": ({"get"}, LIST_PODS),
    "functions/api/pages/quota.py": ({"list_all"}, LIST_PODS | {("", "resourcequotas", "list")}),
    "functions/api/pages/models_of_kind.py": (
        {"list_all"},
        {(KSERVE, "inferencegraphs", "list"), (KSERVE, "llminferenceservices", "list")},
    ),
    "functions/api/pages/requests.py": ({"get"}, LIST_PODS),
}

STEPS = {
    *(
        f"{ADAPTERS}/kserve/{name}.py"
        for name in (
            "activity",
            "device_claims",
            "smoke_tests",
            "grace",
            "handover",
            "kueue",
            "pod_events",
            "installations",
            "observer",
            "resources",
            "runtimes",
            "scaling",
            "volume_claims",
        )
    ),
    f"{ADAPTERS}/command_log.py",
    f"{ADAPTERS}/probe.py",
    "functions/reconciler.py",
}
RUNS: dict[str, set[str]] = {
    "modelswitch-lifecycle": STEPS | {f"{ADAPTERS}/consents.py"},
    "modelswitch-api": STEPS
    | {name for name in REQUESTS if name.startswith("functions/api/")}
    | {f"{ADAPTERS}/identity.py", f"{ADAPTERS}/kserve/note_policy.py"},
    "modelswitch-artifacts": {
        "functions/artifact_written/concerned.py",
        f"{ADAPTERS}/kserve/resources.py",
        f"{ADAPTERS}/consents.py",
    },
    "modelswitch-none": set(),
}
"""Which modules with requests run under which account."""

WRITES_NOTES = {("modelswitch.dev", "stopnotes", "write")}
"""Asked for by the admission policies, of those that write the stop annotation."""
SELECTS_NAMESPACES = {("", "namespaces", "list")}
"""Where rights are bound in some namespaces only, by adapters/selected_cluster.py in front of the client."""


def used(account: str, overlay: str) -> set[Right]:
    rights = set().union(*(REQUESTS[module][1] for module in RUNS[account]), set())
    if overlay == "per-namespace" and RUNS[account]:
        rights |= SELECTS_NAMESPACES
    return rights | (WRITES_NOTES if "functions/reconciler.py" in RUNS[account] else set())


def calls() -> dict[str, set[str]]:
    """By module what it calls of the cluster's client. The local cluster and the command line are no part of a pod."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted((ROOT / "functions").rglob("*.py")):
        module = file.relative_to(ROOT).as_posix()
        if module.startswith(("functions/local/", "functions/admin/")):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                receiver = getattr(node.func.value, "attr", getattr(node.func.value, "id", ""))
                if receiver in {"cluster", "_cluster"}:
                    found[module].add(node.func.attr)
    return dict(found)
