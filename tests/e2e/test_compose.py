"""docker-compose.yml on a real engine: the whole system in containers does the main job and heals."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import docker
import pytest
import pytest_asyncio
from tests.conftest import free_port
from tests.e2e.engine import ADDRESS, IMAGE, connect

from mim.cli.services import SERVICES
from mim.contracts.errors import ErrorCode

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    ROOT / "docker-compose.yml",
    ROOT / "deploy" / "compose.containers.yml",
    ROOT / "tests" / "e2e" / "compose.sandbox.yml",
)
TOKEN = "123456789:AAEabcdefghijklmnopqrstuvwxyz012345"
WITHIN_S = 90.0
SOCKET = Path(ADDRESS.removeprefix("unix://"))


def _compose() -> list[str]:
    if (old := shutil.which("docker-compose")) is not None:
        return [old]
    return [shutil.which("docker") or "docker", "compose"]


class Composed:
    """The system in containers, under a name and a port of its own."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine
        self.name = f"mim-test-{uuid4().hex[:8]}"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self._env = os.environ | {
            "MIM_IMAGE": IMAGE,
            "MIM_PUBLISH": self.url.removeprefix("http://"),
            "MIM_TELEGRAM_API_URL": "http://bot-api:8081",
            "MIM_NETWORK": self.name,
            "MIM_INSTANCE_PORTS": f"{self.port}-{self.port}",
            "DOCKER_SOCKET": str(SOCKET),
            "DOCKER_GID": str(SOCKET.stat().st_gid),
            "COMPOSE_FILE": os.pathsep.join(map(str, FILES)),
            "COMPOSE_PROJECT_NAME": self.name,
        }
        self.token = ""

    async def compose(self, *arguments: str) -> str:
        """Call Compose; returns what it printed."""
        pipe = asyncio.subprocess.PIPE
        called = await asyncio.create_subprocess_exec(
            *_compose(), *arguments, env=self._env, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL
        )
        out, err = await asyncio.wait_for(called.communicate(), WITHIN_S)
        assert called.returncode == 0, f"{arguments}: {err.decode()[-2000:]}"
        return out.decode()

    async def up(self) -> None:
        """Start, and wait until everything is healthy."""
        await self.compose("up", "-d")
        self.token = await self.compose("exec", "-T", "gateway", "cat", "/secrets/gateway/mim_admin_token")
        await self.until("/health", lambda answer: answer.get("status") == "healthy")

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the gateway as the admin."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._session.request(method, self.url + path, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def until(self, path: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until the answer fits."""
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    try:
                        answer = await self.call("GET", path)
                        if fits(answer):
                            return answer
                    except aiohttp.ClientError as error:
                        answer = {"error": repr(error)}
                    await asyncio.sleep(0.1)
        except TimeoutError:
            lines = await self.compose("logs", "--tail", "20")
            pytest.fail(f"{path} stays {answer}\n{lines[-6000:]}")

    async def create(self, **more: str) -> dict[str, Any]:
        """Create a bot."""
        body = {"user_id": "me", "provider": "telegram", "type_instance": ["api"], "token": TOKEN, **more}
        return await self.call("POST", "/api/v1/instances", body)

    def path(self, made: dict[str, Any]) -> str:
        """Where the gateway has an instance."""
        return f"/api/v1/instances/{made['instance_id']}"

    async def ready(self, made: dict[str, Any]) -> None:
        """Wait until it can send."""
        await self.until(self.path(made), lambda answer: answer["instance"]["is_ready_for_messages"])

    async def send(self, made: dict[str, Any]) -> None:
        """Send a message through the gateway, again if it says so: its bus may have crashed without a farewell."""
        say = {"chatId": "134527512", "message": "hello"}
        async with asyncio.timeout(WITHIN_S):
            while True:
                sent = await self.call("POST", f"/i/{made['instance_id']}/api/v1/telegram/send", say)
                if sent.get("code") != ErrorCode.BUS_UNAVAILABLE:
                    break
                await asyncio.sleep(0.1)
        assert sent["success"], sent

    def container(self, service: str) -> Any:
        """The container of a service."""
        labels = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]
        (found,) = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def crash(self, service: str) -> None:
        """Kill what runs in a container, as the kernel does when memory ends; returns when it was started anew."""
        container = self.container(service)
        pid = container.attrs["State"]["Pid"]
        started = self.engine.events(filters={"container": container.id, "event": "start"}, decode=True)
        self.engine.containers.run(
            self._env["MIM_IMAGE"],
            [f"import os; os.kill({pid}, 9)"],
            entrypoint=["python3", "-c"],
            user="0",
            pid_mode="host",
            remove=True,
        )
        next(started)
        started.close()

    async def close(self) -> None:
        """Remove everything of it."""
        await self._session.close()
        await self.compose("down", "-v", "--timeout", "5")
        self.engine.close()


@pytest_asyncio.fixture(loop_scope="session")
async def composed() -> AsyncIterator[Composed]:
    made = Composed(connect())
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.timeout(400)
async def test_in_containers_it_does_the_main_job_and_nothing_else_and_heals(composed: Composed) -> None:
    await composed.up()
    _have_no_rights(composed)
    health = await composed.call("GET", "/health")
    assert set(health["services"]) == {*SERVICES, "nats"}
    made = await composed.create(expose="gateway")
    await composed.ready(made)
    await composed.send(made)
    assert TOKEN.partition(":")[2] not in await composed.compose("logs")

    for service in ("lifecycle", "nats", "gateway"):
        await asyncio.to_thread(composed.crash, service)
        await composed.until("/health", lambda answer: answer.get("status") == "healthy")
        await composed.ready(made)
        await composed.send(made)
    await _isolates(composed)

    await composed.compose("down")
    await composed.up()
    await composed.ready(made)
    await composed.send(made)


async def _isolates(composed: Composed) -> None:
    made = await composed.create(isolation="container", token=TOKEN.replace("1", "2"))
    await composed.ready(made)
    await composed.send(made)
    say, headers = {"chatId": "134527512", "message": "hello"}, {"Authorization": f"Bearer {made['api_key']}"}
    assert made["port"] == composed.port
    own = f"http://127.0.0.1:{composed.port}/api/v1/telegram/send"
    async with aiohttp.ClientSession() as session, session.post(own, json=say, headers=headers) as response:
        assert response.status == 200
    (container,) = composed.engine.containers.list(filters={"label": f"mim.instance={made['instance_id']}"})
    await asyncio.to_thread(container.kill)
    await composed.until(composed.path(made), lambda answer: answer["instance"]["epoch"] > 1)
    await composed.ready(made)
    await composed.send(made)
    await composed.call("DELETE", composed.path(made))
    await composed.until("/api/v1/resources", lambda answer: answer["containers"]["total"] == 0)


def _have_no_rights(composed: Composed) -> None:
    for service in (*SERVICES, "nats"):
        told = composed.container(service).attrs
        assert told["Config"]["User"] == "10001:10001"
        host = told["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
        code, _ = composed.container(service).exec_run(["touch", "/opt/mim/here"])
        assert code != 0
    code, output = composed.container("webhooks").exec_run(["ls", "/secrets/gateway"])
    assert (code, output) == (0, b"")
