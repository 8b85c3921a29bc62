"""The admission policy that a rolling reload relies on, put on the cluster as `make deploy` puts it, unless it is there."""

from pathlib import Path

import yaml

MANIFEST = Path(__file__).parents[2] / "knative" / "base" / "handover.yaml"
GROUP = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


class HandoverPolicy:
    def __init__(self, api):
        self._api = api
        self._made = []

    def put(self):
        for manifest in yaml.safe_load_all(MANIFEST.read_text()):
            collection = f"{GROUP}/{PLURALS[manifest['kind']]}"
            path = f"{collection}/{manifest['metadata']['name']}"
            if self._api.find(path) is None:
                self._api.create(collection, manifest)
                self._made.append(path)
        return self

    def remove(self):
        for path in reversed(self._made):
            self._api.delete(path)
