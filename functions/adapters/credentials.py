"""Where the Kubernetes API is and by which credentials it is asked, from the pod or from a kubeconfig; kept valid.

The official client reads credentials once. Those that a program or an identity provider gave end after minutes, a pod's
token is rotated in its file, and `oc login` writes another one into the kubeconfig: here they are read again before
they end, and once more when the API server refuses them.
"""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

from functions.adapters.no_proxy import proxy_for
from functions.lifecycle.errors import ClusterUnavailable
from functions.logs import logger

REREAD_SECONDS = 60.0
"""How often files, and tokens of an identity provider, are looked at again."""
EARLY_SECONDS = 30.0
"""How long before their end credentials are renewed; where they live shorter than ten times that, a tenth of their
life.
"""
LOAD_SECONDS = 30.0
"""How long a program may take to give credentials."""
AGAIN_SECONDS = 5.0
"""The least time between two tries, however often the API server refuses."""

_USUAL_PLACE = "~/.kube/config"
_FAILURES = (
    *(ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError),
    *(yaml.YAMLError, aiohttp.ClientError, asyncio.IncompleteReadError),
)
"""What reading a kubeconfig that can't be used raises in the client, TimeoutError (an OSError) included."""


class Source(Protocol):
    """Where credentials come from."""

    async def load(self, into: Configuration, *, afresh: bool) -> float:
        """Fills `into`; answers for how many seconds that holds. `afresh`: what is kept in memory was refused."""


class Pod:
    """The ServiceAccount of the pod that this runs in; the kubelet renews its token in place."""

    async def load(self, into: Configuration, *, afresh: bool) -> float:  # noqa: ARG002 - the protocol's
        config.load_incluster_config(client_configuration=into)
        return REREAD_SECONDS


class Kubeconfig:
    """One or more files, as KUBECONFIG names them; read again each time, but for an identity provider's.

    Its refresh token may have been used up, and the next one is only in memory.
    """

    def __init__(self, paths: str) -> None:
        self._paths = paths
        self._loader: Any = None

    async def load(self, into: Configuration, *, afresh: bool) -> float:
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


class Credentials:
    """Keeps `configuration` valid. Raises ClusterUnavailable where nothing valid can be had."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.configuration = Configuration()
        self._source = source
        self._lock = asyncio.Lock()
        self._tried = self._due = float("-inf")
        self._trouble: str | None = None

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, clock: Callable[[], float] = time.monotonic) -> "Credentials":
        """From `kubeconfig`, else KUBECONFIG, else the pod's own ServiceAccount, else the usual place."""
        named = kubeconfig or os.environ.get("KUBECONFIG")
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not named
        made = cls(Pod() if in_pod else Kubeconfig(named or _USUAL_PLACE), clock)
        try:
            await made._load(afresh=False)
        except _FAILURES as error:
            raise ClusterUnavailable(f"no cluster is configured ({error}); set KUBECONFIG") from error
        configuration = made.configuration
        configuration.proxy = configuration.proxy or proxy_for(configuration.host)
        # Otherwise aiohttp asks a thread for ~/.netrc, and another for the proxy, before every request.
        configuration.client_session_kwargs = {"trust_env": False}
        return made

    async def renew_if_due(self) -> None:
        """Where that fails, the old ones are used to their end."""
        if self._clock() < self._due:
            return
        async with self._lock:
            if self._clock() >= self._due:
                await self._renew(afresh=False)

    async def renew_refused(self, refused: str) -> bool:
        """Whether there are others now than `refused`, an Authorization header that the API server answered 401 for."""
        async with self._lock:
            if self._current() == refused and self._clock() - self._tried >= AGAIN_SECONDS:
                await self._renew(afresh=True)
            if self._current() == refused and self._trouble:
                raise ClusterUnavailable(
                    f"the credentials for it could not be renewed ({self._trouble}); sign in again, or correct the kubeconfig"
                )
            return self._current() != refused

    def _current(self) -> str:
        return str(self.configuration.api_key.get("BearerToken", ""))

    async def _renew(self, *, afresh: bool) -> None:
        try:
            await self._load(afresh=afresh)
        except _FAILURES as error:
            self._trouble = str(error) or type(error).__name__
            self._due = self._tried + AGAIN_SECONDS
            logger().warning("credentials not renewed", action="credentials-not-renewed", reason=self._trouble)

    async def _load(self, *, afresh: bool) -> None:
        self._tried = self._clock()
        fresh = Configuration()
        async with asyncio.timeout(LOAD_SECONDS):
            holds = await self._source.load(fresh, afresh=afresh)
        if self._due < 0:
            self.configuration = fresh
        elif fresh.host != self.configuration.host:
            raise ConfigException(f"it names another cluster now, {fresh.host}; restart this process to use that")
        else:
            self.configuration.api_key = fresh.api_key
            self.configuration.cert_file, self.configuration.key_file = fresh.cert_file, fresh.key_file
        self._trouble = None
        self._due = self._tried + holds
