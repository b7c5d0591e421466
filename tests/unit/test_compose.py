"""docker-compose.yml and deploy/Dockerfile say the same as the code, and what containers prove themselves with."""

from __future__ import annotations

import asyncio
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from typer.testing import CliRunner

from mim.cli import credentials
from mim.cli.main import app
from mim.cli.services import SERVICES
from mim.contracts.permissions import Client
from mim.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PREFIXES = ("MIM_TELEGRAM", "MIM_WHATSAPP")
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_every_service_has_a_container() -> None:
    assert set(CONTAINERS) == {*SERVICES, "nats", "secrets"}
    for name in SERVICES:
        assert CONTAINERS[name]["command"] == ["run", name]


async def test_a_container_is_healthy_if_its_address_answers_with_200_and_only_then() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    async def code(url: str) -> int:
        script = ROOT / "deploy" / "health.py"
        null = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", script), env={"HEALTH_URL": url}, stderr=null
        )
        return await asyncio.wait_for(process.wait(), 20)

    site = web.Application()
    site.add_routes([web.get("/{status}", answer)])
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    assert [await code(f"{url}/{status}") for status in ("200?some=thing", "404", "503")] == [0, 1, 1]
    await runner.cleanup()
    assert await code(f"{url}/200") != 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_sees_its_own_secrets_only(name: str) -> None:
    container = CONTAINERS[name]
    assert container["volumes"] == [f"secrets-{name}:/secrets/{name}:ro", f"{name}:/var/lib/mim"]
    environment = container["environment"]
    assert environment["MIM_SECRETS_DIR"] == f"/secrets/{name}"
    assert environment["MIM_NATS_NKEY_FILE"] == f"/secrets/{name}/nats.nk"
    assert environment["MIM_NATS_CA_FILE"] == f"/secrets/{name}/ca.crt"


@pytest.mark.parametrize("name", SERVICES)
def test_all_settings_exist(name: str) -> None:
    known = {f"MIM_{field.upper()}" for field in Settings.model_fields} | {"MIM_SECRETS_DIR", "HEALTH_URL"}
    assert set(CONTAINERS[name]["environment"]) <= known


def test_only_lifecycle_gets_the_engine_and_what_it_gives_to_workers() -> None:
    more = yaml.safe_load((ROOT / "deploy" / "compose.containers.yml").read_text())["services"]
    assert set(more) == {"lifecycle"}
    environment = more["lifecycle"]["environment"]
    assert set(environment) <= {f"MIM_{field.upper()}" for field in Settings.model_fields}
    adapters = {name for name in SERVICES if name.endswith("-adapter")}
    told = {key for name in adapters for key in CONTAINERS[name]["environment"] if key.startswith(PREFIXES)}
    assert told <= set(environment)
    mounts = {volume.partition(":")[0] for volume in more["lifecycle"]["volumes"]}
    assert mounts - {f"secrets-{name}" for name in adapters} == {"${DOCKER_SOCKET"}
    for name in adapters:
        place = environment["MIM_CONTAINER_NKEY_FILE"].format(service=name)
        assert place == CONTAINERS[name]["environment"]["MIM_NATS_NKEY_FILE"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert "\nUSER 10001:10001\n" in DOCKERFILE


def test_only_the_gateway_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    assert published == {"gateway": ["${MIM_PUBLISH:-127.0.0.1:3000}:3000"]}


def test_secrets_are_made_where_they_are_looked_for() -> None:
    places = {*Client, credentials.SERVER}
    assert CONTAINERS["secrets"]["volumes"] == [
        f"secrets-{name}:/secrets/{name}"
        for name in (line.split(":")[0][8:] for line in CONTAINERS["secrets"]["volumes"])
    ]
    assert {line.split(":")[0] for line in CONTAINERS["secrets"]["volumes"]} == {f"secrets-{name}" for name in places}
    made = re.search(r"for name in ([a-z -]+);", DOCKERFILE)
    assert made is not None
    assert set(made[1].split()) == places
    assert set(COMPOSE["volumes"]) == {*(f"secrets-{name}" for name in places), *SERVICES, "nats"}


def test_the_image_is_made_with_the_same_uv() -> None:
    pinned = re.search(r"^uv_version=(\S+)$", (ROOT / "mim").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"\nARG UV_VERSION={pinned[1]}\n" in DOCKERFILE


# ----------------------------------------------------------------------------------------------- what is made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_made_fits_together_and_is_made_once(tmp_path: Path) -> None:
    assert credentials.make(tmp_path, "bus.example.com") is True
    made = contents(tmp_path)
    keys = {made[f"{client}/mim_secret_key"] for client in credentials.SEALING}
    assert len(keys) == 1
    assert re.fullmatch(rb"[0-9a-f]{64}", keys.pop())
    assert {name for name in made if name.endswith("mim_admin_token")} == {"gateway/mim_admin_token"}
    assert "message-store/mim_secret_key" not in made
    assert len({made[f"{client}/nats.nk"] for client in Client}) == len(Client)
    assert len(made["nats/public.env"].splitlines()) == len(Client)
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert credentials.make(tmp_path, "bus.example.com") is False
    assert contents(tmp_path) == made


def test_the_certificate_is_the_servers_and_signed(tmp_path: Path) -> None:
    credentials.make(tmp_path, "bus.example.com")
    certificate = x509.load_pem_x509_certificate((tmp_path / "nats" / "tls.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bus.example.com", "localhost"]
    for client in Client:
        authority = x509.load_pem_x509_certificate((tmp_path / client / "ca.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)


@pytest.mark.parametrize("lost", ["gateway/nats.nk", "nats/tls.crt", "webhooks/ca.crt", "webhooks/mim_secret_key"])
def test_what_opens_stored_things_is_kept_when_something_else_is_lost(tmp_path: Path, lost: str) -> None:
    credentials.make(tmp_path, "nats")
    before = contents(tmp_path)
    (tmp_path / lost).unlink()
    assert credentials.make(tmp_path, "nats") is True
    after = contents(tmp_path)
    assert set(after) == set(before)
    for name in before:
        if name.endswith(("mim_secret_key", "mim_admin_token", "store.env")):
            assert after[name] == before[name]
    assert (after["gateway/nats.nk"] == before["gateway/nats.nk"]) == (lost == "webhooks/mim_secret_key")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["secrets", "make", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "cannot write below" in result.output
