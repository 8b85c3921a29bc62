"""A volume on the cluster's node for a test, and what is needed to write there as an ordinary user."""

import io
import pickle
import types

from deadlines import eventually
from kserve_models import IMAGE

PVS, CLASSES = "/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"


class Volume:
    """A StorageClass that deletes, and one volume for its retaining clone; both named after the namespace."""

    def __init__(self, api, namespace):
        self.api, self.name = api, namespace
        self._path = f"/var/tmp/modelswitch-e2e/{namespace}"

    def prepare(self):
        self._as_root("make-folder", "mkdir -p /host/claim && chmod 777 /host/claim")
        body = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
        self.api.create(CLASSES, {"metadata": {"name": self.name}, "reclaimPolicy": "Delete", **body})
        spec = {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": f"{self.name}-retain",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"{self._path}/claim", "type": "Directory"},
        }
        self.api.create(PVS, {"metadata": {"name": self.name}, "spec": spec})
        return self

    def _as_root(self, name, command):
        """By a pod: the node need not be this machine."""
        pods = f"/api/v1/namespaces/{self.name}/pods"
        volume = {"name": "host", "hostPath": {"path": self._path, "type": "DirectoryOrCreate"}}
        container = {
            "name": name,
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", command],
            "securityContext": {"runAsUser": 0},
            "volumeMounts": [{"name": "host", "mountPath": "/host"}],
        }
        spec = {"restartPolicy": "Never", "containers": [container], "volumes": [volume]}
        self.api.create(pods, {"metadata": {"name": name}, "spec": spec})
        eventually(lambda: self.api.get(f"{pods}/{name}")["status"]["phase"] == "Succeeded", f"{name} on the node", 60)

    def leave(self):
        self._as_root("clear-folder", "rm -rf /host/claim")
        for name in (self.name, f"{self.name}-retain"):
            self.api.delete(f"{CLASSES}/{name}")
        self.api.delete(f"{PVS}/{self.name}")


def model_file():
    """A pickle that the model server loads without this machine having scikit-learn: it predicts what it is given."""
    out = io.BytesIO()
    pickle.dump(types.SimpleNamespace(predict=list), out)
    return out.getvalue()
