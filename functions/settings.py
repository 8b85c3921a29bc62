"""What the environment decides, read once per process."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from events.duration import parse_duration
from functions.adapters.signature import read_secrets


def _as_timedelta(text: object) -> timedelta:
    return text if isinstance(text, timedelta) else timedelta(seconds=parse_duration(text))


class Settings(BaseSettings):
    """Every name is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="redis:// or rediss://, password included.")
    k_sink: str | None = Field(default=None, description="Where events go: the broker's ingress. None: nowhere.")
    k_ca_certs: str | None = Field(default=None, description="Certificates (PEM) that the broker's is checked against.")
    namespace_selector: str = Field(
        default="",
        description="Only namespaces with these labels (as in kubectl -l) are listed and changed. Empty: all, in one list each.",
    )
    installation: str = Field(
        default="modelswitch",
        description="The namespace that this is installed in, after which its admission policies are named, and which its pins "
        "carry.",
    )
    accelerator_resources: str = Field(
        default="",
        description="Names of extended resources and DRA drivers that count as GPUs besides those that are known, "
        "comma-separated; * stands for any text: example.com/chip-*",
    )
    start_deadline: Annotated[timedelta, BeforeValidator(_as_timedelta)] = timedelta(minutes=15)
    probe: Literal["pods", "apiserver", "off"] | None = Field(
        default=None,
        description="How models are asked whether they answer: pods, apiserver or off. None: pods inside a cluster, else "
        "apiserver.",
    )
    auth: Literal["token", "none"] = "token"
    auth_audience: str = Field(
        default="modelswitch",
        description="The audience that tokens must be for, or several with commas between. Empty: the API server's own, "
        "which OpenShift's OAuth tokens have.",
    )
    auth_forwarded_token: bool = Field(
        default=False,
        description="Whether X-Forwarded-Access-Token counts as a token: only behind a proxy that sets it and is the only way "
        "in, as openshift/oauth-proxy with -pass-access-token.",
    )
    event_streams_per_user: int = Field(default=8, ge=1, description="Event streams of one identity (AUTH=token).")
    event_streams: int = Field(default=1000, ge=1, description="Event streams of one process.")
    tls_cert_file: str | None = Field(
        default=None,
        description="The serving certificate, PEM. With it the API speaks HTTPS; read again when it changes.",
    )
    tls_key_file: str | None = Field(default=None, description="Its key; None: in the same file.")
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
    def audiences(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.auth_audience.split(",") if part.strip())

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
