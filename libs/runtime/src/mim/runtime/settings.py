"""All settings, as `MIM_*` variables. Nothing else reads the environment."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EPHEMERAL_FIRST = 32_768  # Linux's net.ipv4.ip_local_port_range begins here: ports above may be taken any time


class Settings(BaseSettings):
    """Settings of every service; `mim up` hands them to its children as variables."""

    model_config = SettingsConfigDict(
        env_prefix="MIM_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        # Settings as files of a folder, as container engines mount secrets: `mim_admin_token` and the like.
        secrets_dir=os.environ.get("MIM_SECRETS_DIR") or None,  # noqa: TID251 - this is the place
    )

    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str | None = None
    nats_password: SecretStr | None = None
    nats_nkey_file: Path | None = None
    """A file with the seed of this service's nkey, instead of user and password; see `mim bus keys`."""
    nats_ca_file: Path | None = None
    """The certificates to trust instead of the system's; with it the connection is encrypted."""
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """On how many servers of a NATS cluster everything is kept: 1, 3 or 5."""
    data_dir: Path = Path("~/.local/share/mim")
    secret_key: SecretStr | None = None
    """32 bytes as 64 hex digits; without it the key file `<data_dir>/secret.key` is used."""
    secret_key_previous: SecretStr | None = None
    """The key before `secret_key`, while what it sealed is not sealed anew; see `mim secrets rotate`."""
    database_url: SecretStr | None = None
    """Such as `postgresql://user:password@host/database`; without it SQLite, `<data_dir>/<service>.db`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 3000
    admin_token: SecretStr | None = None
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further names under which the gateway may be called, comma-separated."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Other sites whose pages may call the gateway, comma-separated, such as `https://desk.example.com`."""
    dashboard_dir: Path | None = None
    """The built dashboard; by default `services/dashboard/dist` of the source tree."""

    instance_ports: str = "3001-7999"
    instance_host: str = "127.0.0.1"
    host_name: str = Field(default_factory=lambda: socket.gethostname() or "host")

    worker: str = ""
    """Name of this worker, unique among all workers; by default `<provider>-<host>`."""
    worker_capacity: Annotated[int, Field(ge=1)] = 5000
    worker_only: str = ""
    """The one instance that this worker is for; by default any."""
    worker_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Where the gateway reaches all instances of this worker by their ids; 0 for any free port."""

    log_format: Literal["auto", "pretty", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sandbox: bool = False
    sync_interval: str = "always"
    """How the embedded nats-server flushes to disk; `always` survives a power cut."""

    report_s: Annotated[float, Field(gt=0)] = 300.0
    """How often a worker reports the round trips to its messengers (`observed_at` and `health_check_count`)."""
    media_max_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024
    """The largest file that is fetched and sent."""
    media_private: bool = False
    """Whether files may be fetched from private addresses, such as another program on this machine."""
    media_download: Literal["on_demand", "at_once"] = "on_demand"
    """When the files of messages that came in are fetched from the messenger; they are kept for a day."""
    webhook_private: bool = False
    """Whether webhooks may go to private addresses."""

    messages_days: Annotated[float, Field(gt=0)] = 90.0
    """How long stored messages are kept."""
    messages_most: Annotated[int, Field(ge=1)] = 100_000
    """How many of the newest messages of each instance are kept."""

    subscribers_most: Annotated[int, Field(ge=1)] = 10_000
    """How many may follow the events of a gateway at a time, over SSE and WebSockets together."""
    rate_limit: Annotated[int, Field(ge=0)] = 6000
    """Requests a minute for one token or one instance's API key; 0 for no limit."""
    docker_host: str = ""
    """The container engine for instances with `isolation: container`, such as `unix:///var/run/docker.sock`."""
    container_image: str = "mim"
    container_network: str = "host"
    """The network of these containers, on which NATS is reached: `host`, or a name; then instances' ports are published
    at `instance_host`."""
    container_nats_url: str = ""
    """Where these containers reach NATS, if not at `nats_url`."""
    container_nkey_file: str = ""
    """The nkey seed of their workers; `{service}` stands for `telegram-adapter` or `whatsapp-adapter`."""
    container_memory_mb: Annotated[int, Field(ge=64)] = 512
    container_cpus: Annotated[float, Field(gt=0)] = 1.0
    container_pids: Annotated[int, Field(ge=16)] = 256
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Where a service other than the gateway serves `/metrics`; 0 for nowhere (the gateway passes them on)."""
    metrics_host: str = "127.0.0.1"
    otel_endpoint: str = ""
    """OTLP over HTTP, such as `http://127.0.0.1:4318`; empty for no traces."""

    telegram_api_url: str = "https://api.telegram.org"
    telegram_poll_s: Annotated[int, Field(ge=1, le=45)] = 25
    """How long Telegram may hold a bot's poll; an answer that is 10 s late then shows that the link is dead."""
    telegram_pacing: Literal["on", "off"] = "on"
    telegram_api_id: Annotated[int, Field(ge=0)] = 0
    """With `telegram_api_hash` what lets people's accounts log in: both from https://my.telegram.org."""
    telegram_api_hash: Annotated[str, Field(repr=False)] = ""
    telegram_ping_s: Annotated[float, Field(gt=0)] = 30.0
    """How often an account that seems connected has to prove it by a round trip; a dead one is found after this and the
    time for the answer, `…_ping_within_s`."""
    telegram_ping_within_s: Annotated[float, Field(gt=0)] = 20.0
    telegram_dc: str = ""
    telegram_dc_key_file: str = ""
    telegram_connecting_most: Annotated[int, Field(ge=1)] = 50
    """How many bots and people's accounts of a worker connect at a time; the others wait in a queue."""
    whatsapp_proxy_url: str = ""
    whatsapp_ca_file: str = ""
    whatsapp_child_wrapper: str = ""
    whatsapp_ping_s: Annotated[float, Field(gt=0)] = 30.0
    whatsapp_ping_within_s: Annotated[float, Field(gt=0)] = 20.0
    whatsapp_connecting_most: Annotated[int, Field(ge=1)] = 8
    """How many linked accounts of a worker connect at a time: each starts a process."""
    whatsapp_linking_most: Annotated[int, Field(ge=1)] = 20
    """How many accounts of a worker show a QR code, or get their history just after it was scanned, at a time."""

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("instance_ports")
    @classmethod
    def _range(cls, value: str) -> str:
        first, dash, last = value.partition("-")
        if not (dash and first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) < EPHEMERAL_FIRST):
            raise ValueError(f"must be FIRST-LAST with 1 <= FIRST <= LAST < {EPHEMERAL_FIRST}, such as 3001-7999")
        return value

    @staticmethod
    def text(value: object) -> str:
        """A setting as the text of its variable, secrets too."""
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        reveal: Callable[[], str] | None = getattr(value, "get_secret_value", None)
        return reveal() if reveal else str(value).lower() if isinstance(value, bool) else str(value)

    def port_range(self) -> range:
        """The ports that instances may get."""
        first, _, last = self.instance_ports.partition("-")
        return range(int(first), int(last) + 1)

    def reached_at(self) -> str:
        """Where others reach what listens on `instance_host`: if that means all addresses, the one that this machine
        has on its way to the bus."""
        if self.instance_host not in ("0.0.0.0", "::"):
            return self.instance_host
        server = urlsplit(self.nats_url.partition(",")[0])
        with suppress(OSError):
            family, *_, address = socket.getaddrinfo(server.hostname, server.port or 4222, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)  # sends nothing
                return str(probe.getsockname()[0])
        return self.instance_host

    def adapter_settings(self) -> dict[str, str]:
        """What an adapter may know, by name."""
        names = [name for name in type(self).model_fields if name.startswith(("telegram_", "whatsapp_", "media_"))]
        return {name: str(getattr(self, name)) for name in names}


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
