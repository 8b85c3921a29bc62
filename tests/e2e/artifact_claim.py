"""A claim as models and Jobs mount it: a folder of the node, in a PersistentVolume of its own."""

from deadlines import eventually
from kserve_models import IMAGE

CLAIM = "models"
VOLUMES = "/api/v1/persistentvolumes"


class Claim:
    """Its folders are made by Jobs, so that it does not matter on which machine the tests run."""

    def __init__(self, place):
        self.place = place
        self._namespace = f"/api/v1/namespaces/{place.namespace}"
        self._volume = f"{place.namespace}-{CLAIM}"
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": f"/var/tmp/modelswitch-e2e/{self._volume}", "type": "DirectoryOrCreate"},
            "claimRef": {"namespace": place.namespace, "name": CLAIM},
        }
        place.api.create(VOLUMES, {"metadata": {"name": self._volume}, "spec": spec})
        wanted = {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": self._volume,
            "resources": {"requests": {"storage": "1Gi"}},
        }
        place.api.create(f"{self._namespace}/persistentvolumeclaims", {"metadata": {"name": CLAIM}, "spec": wanted})

    def remove(self):
        """The claim's folder is emptied; the volume goes."""
        self.job("remove", "rm -rf /claim/*", root=True)
        self.place.api.delete(f"{VOLUMES}/{self._volume}")

    def empty(self, *names):
        """A folder for each model's artifact with nothing in it; answers the first one's URI."""
        folders = " ".join(f"/claim/{name}" for name in names)
        self.job(f"folders-{names[0]}", f"mkdir -p {folders}", f"chmod 777 {folders}", root=True)
        return f"pvc://{CLAIM}/{names[0]}"

    def job(self, name, *steps, environment=None, root=False):
        """Runs shell commands in order in a pod that has the claim at /claim; answers once it has ended well."""
        jobs = f"/apis/batch/v1/namespaces/{self.place.namespace}/jobs"
        container = {
            "name": "job",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-ec", "\n".join(steps)],
            "env": [{"name": key, "value": value} for key, value in (environment or {}).items()],
            "volumeMounts": [{"name": "claim", "mountPath": "/claim"}],
        }
        if root:
            container["securityContext"] = {"runAsUser": 0}
        volume = {"name": "claim", "persistentVolumeClaim": {"claimName": CLAIM}}
        pod = {"containers": [container], "volumes": [volume], "restartPolicy": "Never"}
        self.place.api.create(
            jobs, {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
        )

        def ended():
            status = self.place.api.get(f"{jobs}/{name}").get("status") or {}
            if status.get("failed"):
                raise AssertionError(f"job {name} failed: {self._log(name)}")
            return status.get("succeeded")

        eventually(ended, f"job {name} has ended", 60)

    def keep_running(self, name, command, environment):
        """A pod that has the claim at /claim, read-only, until the namespace goes."""
        container = {
            "name": name,
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "volumeMounts": [{"name": "claim", "mountPath": "/claim", "readOnly": True}],
        }
        volume = {"name": "claim", "persistentVolumeClaim": {"claimName": CLAIM, "readOnly": True}}
        pod = {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 1}
        self.place.api.create(f"{self._namespace}/pods", {"metadata": {"name": name}, "spec": pod})

    def _log(self, job):
        found = self.place.api.items(f"{self._namespace}/pods", labelSelector=f"job-name={job}")
        if not found:
            return "it had no pod"
        return self.place.api.text(f"{self._namespace}/pods/{found[0]['metadata']['name']}/log")
