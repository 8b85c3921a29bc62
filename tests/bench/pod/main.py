"""functions/command as it runs in a pod: its ServiceAccount is in the folder that BENCH_SERVICE_ACCOUNT names."""

import os
from pathlib import Path

from functions.adapters import credentials

credentials.SERVICE_ACCOUNT = Path(os.environ["BENCH_SERVICE_ACCOUNT"])

from functions.command.main import command  # noqa: F401
