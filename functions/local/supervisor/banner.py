"""What is said once everything is up: where it is, and three things to try."""

import os
import shutil
import sys
from pathlib import Path

from functions.local.supervisor.plan import Plan
from functions.local.supervisor.settings import Settings

_CURL = """curl -i {broker} -H 'content-type: application/json' \\
      -H 'ce-specversion: 1.0' -H "ce-id: $(date +%s)" -H 'ce-source: /me' \\
      -H 'ce-type: dev.modelswitch.model.stop-requested.v1' \\
      -H 'ce-subject: namespaces/{namespace}/inferenceservices/{name}' -d '{{}}'"""


def banner(settings: Settings, plan: Plan, seconds: float) -> str:
    """`seconds`: how long it took."""
    simulated = settings.kubeconfig is None
    namespace, name = ("fraud", "anomaly-detector") if simulated else ("NAMESPACE", "MODEL")
    server = "" if settings.port == 8080 else f" --server {settings.url}"
    lines = [
        "",
        f"modelswitch is up after {seconds:.1f} s:  {settings.url}",
        f"  broker    {plan.broker_url}",
        f"  kubectl   export KUBECONFIG={plan.kubeconfig}"
        + ("   (simulated: 4 GPUs, a dozen models)" if simulated else ""),
        "",
        "Stop a model, any of these ways; start it again the same way:",
        f"  {_command()} stop {name} --namespace {namespace}{server}",
        f"  curl -X POST {settings.url}/api/v1/namespaces/{namespace}/models/{name}/stop",
        f"  {_CURL.format(broker=plan.broker_url, namespace=namespace, name=name)}",
        *([] if simulated else ["  (by event: once its namespace has the label modelswitch.dev/events=allow)"]),
        "",
        "Ctrl-C ends everything.",
        "",
    ]
    return "\n".join(lines)


def _command() -> str:
    """As it can be typed here: by its name where that is found, else by its path in the virtual environment."""
    if shutil.which("modelswitch"):
        return "modelswitch"
    return os.path.relpath(Path(sys.executable).parent / "modelswitch")
