"""Where the Kubernetes API is and by which credentials it is asked, from the pod or from a kubeconfig; kept valid.

The official client reads credentials once. Those that a program or an identity provider gave end after minutes, a pod's
token is rotated in its file, and `oc login` writes another one into the kubeconfig: here they are read again before
they end, and once more when the API server refuses them.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from events.errors import ModelswitchError
from functions.adapters.access import Access
from functions.adapters.no_proxy import proxy_for
from functions.lifecycle.errors import ClusterUnavailable
from functions.logs import logger

REREAD_SECONDS = 60.0
"""How often files, and tokens of an identity provider, are looked at again."""
LOAD_SECONDS = 30.0
"""How long a program may take to give credentials."""
AGAIN_SECONDS = 5.0
"""The least time between two tries, however often the API server refuses."""

_USUAL_PLACE = "~/.kube/config"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Unusable(ModelswitchError):
    """No credentials can be had; why."""


class Source(Protocol):
    """Where credentials come from."""

    async def load(self, into: Access, *, afresh: bool) -> float:
        """Fills `into`; answers for how many seconds that holds. `afresh`: what is kept in memory was refused.

        Raises Unusable.
        """


class Pod:
    """The ServiceAccount of the pod that this runs in; the kubelet renews its token in place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, into: Access, *, afresh: bool) -> float:  # noqa: ARG002 - the protocol's
        certificate = self._folder / "ca.crt"
        try:
            token = (self._folder / "token").read_text().strip()
            certificate.read_text()
        except (OSError, ValueError) as error:
            raise Unusable(
                f"the pod's ServiceAccount can't be read: {error}; see automountServiceAccountToken"
            ) from error
        if not token:
            raise Unusable(f"{self._folder / 'token'} is empty")
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        into.host = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        into.ssl_ca_cert = str(certificate)
        into.api_key["BearerToken"] = f"Bearer {token}"
        return REREAD_SECONDS


class Credentials:
    """Keeps `access` valid. Raises ClusterUnavailable where nothing valid can be had."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.access = Access()
        self._source = source
        self._lock = asyncio.Lock()
        self._tried = self._due = float("-inf")
        self._trouble: str | None = None

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, clock: Callable[[], float] = time.monotonic) -> "Credentials":
        """From `kubeconfig`, else KUBECONFIG, else the pod's own ServiceAccount, else the usual place."""
        named = kubeconfig or os.environ.get("KUBECONFIG")
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not named
        made = cls(Pod(SERVICE_ACCOUNT) if in_pod else _kubeconfig(named or _USUAL_PLACE), clock)
        try:
            await made._load(afresh=False)
        except (Unusable, TimeoutError) as error:
            raise ClusterUnavailable(f"no cluster is configured ({error}); set KUBECONFIG") from error
        made.access.proxy = made.access.proxy or proxy_for(made.access.host)
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
        return str(self.access.api_key.get("BearerToken", ""))

    async def _renew(self, *, afresh: bool) -> None:
        try:
            await self._load(afresh=afresh)
        except (Unusable, TimeoutError) as error:
            self._trouble = str(error) or type(error).__name__
            self._due = self._tried + AGAIN_SECONDS
            logger().warning("credentials not renewed", action="credentials-not-renewed", reason=self._trouble)

    async def _load(self, *, afresh: bool) -> None:
        self._tried = self._clock()
        fresh = Access()
        async with asyncio.timeout(LOAD_SECONDS):
            holds = await self._source.load(fresh, afresh=afresh)
        if self._due < 0:
            self.access = fresh
        elif fresh.host != self.access.host:
            raise Unusable(f"it names another cluster now, {fresh.host}; restart this process to use that")
        else:
            self.access.api_key = fresh.api_key
            self.access.cert_file, self.access.key_file = fresh.cert_file, fresh.key_file
        self._trouble = None
        self._due = self._tried + holds


def _kubeconfig(paths: str) -> Source:
    """Imported where there is one: its client takes longer to import than all else that a function needs in a pod."""
    from functions.adapters.kubeconfig import Kubeconfig  # noqa: PLC0415

    return Kubeconfig(paths)
