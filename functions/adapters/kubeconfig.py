"""Credentials from a kubeconfig, by the official client's loader; the one module that imports the client."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

from functions.adapters.access import Access
from functions.adapters.credentials import REREAD_SECONDS, Unusable

EARLY_SECONDS = 30.0
"""How long before their end credentials are renewed; where they live shorter than ten times that, a tenth of their
life.
"""

_FAILURES = (
    *(ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError),
    *(yaml.YAMLError, aiohttp.ClientError, asyncio.IncompleteReadError),
)
"""What reading a kubeconfig that can't be used raises in the client."""


class Kubeconfig:
    """One or more files, as KUBECONFIG names them; read again each time, but for an identity provider's.

    Its refresh token may have been used up, and the next one is only in memory.
    """

    def __init__(self, paths: str) -> None:
        self._paths = paths
        self._loader: Any = None

    async def load(self, into: Access, *, afresh: bool) -> float:
        try:
            return await self._load(into, afresh=afresh)
        except _FAILURES as error:
            raise Unusable(str(error) or type(error).__name__) from error

    async def _load(self, into: Access, *, afresh: bool) -> float:
        if afresh or self._loader is None or self._loader.provider is None:
            self._loader = KubeConfigLoader(self._read(), config_base_path=None)
        await self._loader.load_and_set(into)
        user = self._loader._user  # noqa: SLF001 - as the client's own refresh_token does
        if user is None or "exec" not in user:
            return REREAD_SECONDS
        if not (into.api_key or into.cert_file):
            raise ConfigException("the kubeconfig's exec program gave no credentials; the lines above say why")
        expiry: datetime | None = getattr(self._loader, "exec_plugin_expiry", None)
        if expiry is None:
            return float("inf")
        left = (expiry - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise ConfigException("the kubeconfig's exec program gave no credentials that are still valid")
        return left - min(EARLY_SECONDS, left / 10)

    def _read(self) -> Any:
        """The merged files. A relative command is looked for beside its kubeconfig, as kubectl does."""
        merged = KubeConfigMerger(self._paths).config
        if merged is None:
            raise ConfigException(f"{self._paths} does not exist")
        for user in merged.value["users"]:
            program = ((user.value.get("user") or {}).get("exec")) or {}
            command = program.get("command")
            if command and os.sep in command:
                program["command"] = str(Path(user.path).resolve().parent / command)
        return merged
