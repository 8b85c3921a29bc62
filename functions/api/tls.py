"""The serving certificate of the pod, read again when whoever issues it has renewed it."""

import asyncio
import ssl
from pathlib import Path
from typing import Any, Self

from functions.logs import logger
from functions.settings import Settings

LOOK_SECONDS = 10.0


class Certificate:
    """`certificate` and `key` are files; connections that are open keep what they began with."""

    def __init__(self, certificate: str, key: str | None) -> None:
        """Raises OSError (ssl.SSLError is one) where they can't be used."""
        self._certificate, self._key = Path(certificate), Path(key or certificate)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._read = self._contents()
        self._load()

    @classmethod
    def read(cls, settings: Settings) -> Self | None:
        """None where the API is to speak plain HTTP."""
        return cls(settings.tls_cert_file, settings.tls_key_file) if settings.tls_cert_file else None

    def serve(self, *_: Any) -> ssl.SSLContext:
        """As uvicorn asks for a context."""
        return self.context

    async def watch(self) -> None:
        """Until cancelled. Of a pair that is only half written, or can't be used, the one before stays."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.renew()

    def renew(self) -> bool:
        """Whether there was another one, and it is used from now on."""
        try:
            contents = self._contents()
            if contents == self._read:
                return False
            self._load()
        except OSError as error:
            logger().warning("certificate not renewed", action="certificate-not-renewed", reason=str(error))
            return False
        self._read = contents
        logger().info("certificate renewed", action="certificate-renewed")
        return True

    def _contents(self) -> tuple[bytes, bytes]:
        return self._certificate.read_bytes(), self._key.read_bytes()

    def _load(self) -> None:
        """First into a context that nobody uses: what can't be loaded would leave half of it behind."""
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._certificate, self._key)
        self.context.load_cert_chain(self._certificate, self._key)
