"""`python -m functions.local`, which is `make run`: the whole product on this machine."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from functions.local.supervisor import plan
from functions.local.supervisor.delivery import secrets_of
from functions.local.supervisor.ports import free_ports
from functions.local.supervisor.settings import Refused, check_ports, lock, read
from functions.local.supervisor.supervisor import Supervisor

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Until Ctrl-C; 1 when something must be put right before it can start."""
    try:
        settings = read(os.environ, Path(os.environ.get("RUN_FOLDER") or ROOT / ".run"))
        held = lock(settings.folder)
        check_ports(settings)
        ports = free_ports(plan.PORTS_NEEDED, {settings.port, settings.broker_port})
    except (Refused, OSError) as refusal:
        print(f"modelswitch can't start: {refusal}", file=sys.stderr)
        return 1
    if settings.kubeconfig is None:  # the last run's simulated cluster is gone: so is what was known of it
        shutil.rmtree(settings.state, ignore_errors=True)
    settings.state.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **secrets_of(os.environ, settings.state)}
    made = plan.make(settings, environment, ROOT, ports)
    asyncio.run(Supervisor(settings, made, [held.fileno()]).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
