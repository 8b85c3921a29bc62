"""Objects as the cluster has them, for tests of the plan."""

from dataclasses import replace

from functions.admin.pvc.seen import Seen
from functions.admin.pvc.wish import Wish, target

DIGEST = f"sha256:{'a' * 64}"
INITIALIZER = {"name": "storage-initializer", "image": "kserve/storage-initializer:v0.17.0"}


def wish(**more):
    options = {"namespace": "llm", "model": "granite", "target": target("llm", "cache", "granite"), "size": "20Gi"}
    return Wish(**{**options, **more})


def isvc(name="granite", annotations=None, runtime="vllm", predictor=None, **model):
    model = {"modelFormat": {"name": "vLLM"}, "runtime": runtime, **(model or {"storageUri": "s3://models/granite"})}
    if runtime is None:
        del model["runtime"]
    metadata = {"name": name, "namespace": "llm", "uid": f"uid-{name}", "annotations": annotations or {}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": {"model": model, **(predictor or {})}},
    }


def storage_class(name="gp3", policy="Delete", default=False, **more):
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    metadata = {"name": name, "uid": "u", "resourceVersion": "7", "annotations": annotations}
    return {"metadata": metadata, "provisioner": "ebs.csi.aws.com", "reclaimPolicy": policy, **more}


def claim(size="20Gi", modes=("ReadWriteOnce",), class_name="gp3", annotations=None, **spec):
    asked = {"accessModes": list(modes), "resources": {"requests": {"storage": size}}, "storageClassName": class_name}
    metadata = {"name": "cache", "namespace": "llm", "annotations": annotations or {}}
    return {
        "metadata": metadata,
        "spec": {**asked, **spec},
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    }


def runtime(empty_dir=None):
    container = {"name": "kserve-container", "image": "vllm"}
    spec = {"containers": [container]}
    if empty_dir:
        container["volumeMounts"] = [{"name": "m", "mountPath": empty_dir}, {"name": "shm", "mountPath": "/dev/shm"}]
        spec["volumes"] = [{"name": "m", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "vllm"},
        "spec": spec,
    }


def seen(model=None, **more):
    model = model or isvc()
    usual = Seen(
        model=model,
        served=model,
        classes=(storage_class(default=True),),
        runtime=runtime(),
        nodes=1,
        initializer=INITIALIZER,
    )
    return replace(usual, **more)
