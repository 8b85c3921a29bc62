"""What the environment decides, read once per process."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from events.duration import parse_duration

SHORTEST_SECRET = 16


def _as_timedelta(text: object) -> timedelta:
    return text if isinstance(text, timedelta) else timedelta(seconds=parse_duration(text))


def read_secrets(text: str) -> tuple[str, ...]:
    """At most two; what is too short to be one is left out, as is the placeholder of the manifests."""
    given = [part.strip() for part in text.split(",")]
    return tuple(part for part in given if len(part) >= SHORTEST_SECRET)[:2]


class Settings(BaseSettings):
    """Every name is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="redis:// or rediss://, password included.")
    k_sink: str | None = Field(default=None, description="Where facts go: the broker's ingress. None: nowhere.")
    k_ca_certs: str | None = Field(default=None, description="Certificates (PEM) that the broker's is checked against.")
    start_deadline: Annotated[timedelta, BeforeValidator(_as_timedelta)] = timedelta(minutes=15)
    probe: Literal["pods", "apiserver", "off"] | None = Field(
        default=None,
        description="How models are asked whether they answer: pods, apiserver or off. None: pods inside a cluster, else "
        "apiserver.",
    )
    auth: Literal["token", "none"] = "token"
    auth_audience: str | None = Field(
        default=None, description="The audience that tokens must be for; None: the API server's."
    )
    delivery_secrets: str = Field(
        default="",
        repr=False,
        description="What a Trigger's subscriber URI carries (?delivery=…) so that a function takes the event: the current "
        "secret, and behind a comma the one before it. At least 16 characters each.",
    )
    direct_secrets: str = Field(
        default="", repr=False, description="The same for senders that post to artifact-written without a broker."
    )
    note_keys: str = Field(
        default="",
        repr=False,
        description="What notes on stopped models are signed with: the current key, and behind a comma the one before it. At least "
        "16 characters each. Default: DELIVERY_SECRETS.",
    )
    delivery_audience: str | None = Field(
        default=None, description="The audience of Triggers' tokens. Where it is set, only such tokens count."
    )
    delivery_senders: str = Field(
        default="",
        description="The accounts that deliver for the broker, comma-separated, with * at the end for any that begins so: "
        "system:serviceaccount:modelswitch:oidc-eventing.knative.dev-trigger-*",
    )
    host: str = "127.0.0.1"
    port: int = 8080
    default_namespace: str | None = None
    log_format: Literal["json", "console"] = "json"
    log_level: str = "INFO"
    health_peers: str = Field(default="", description="Comma-separated URLs that must answer before /healthz does.")

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """Of notes, the current one first."""
        return read_secrets(self.note_keys or self.delivery_secrets)

    @property
    def direct_keys(self) -> tuple[str, ...]:
        return read_secrets(self.direct_secrets)

    @property
    def delivery_keys(self) -> tuple[str, ...]:
        """The delivery secrets that count, the current one first."""
        return read_secrets(self.delivery_secrets)
