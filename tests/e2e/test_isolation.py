"""Instances in containers of their own, on a real engine: they do what all others do, within limits, and heal."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import docker
import pytest
import pytest_asyncio
from docker.errors import NotFound
from docker.models.containers import Container
from tests.e2e.conftest import BOT_TOKEN, Json, StartSystem, System
from tests.e2e.engine import ADDRESS, IMAGE, connect

WITHIN_S = 30.0
CHAT = "134527512"


class Relay:
    """The engine's socket, which can be cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def join(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def cut(self) -> None:
        """Nobody is there any more."""
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(ADDRESS.removeprefix("unix://"))
        self._open |= {writer, far_writer}
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._open -= {writer, far_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while block := await reader.read(65_536):
                writer.write(block)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()


@dataclass
class Contained:
    """A system with an engine, and what the engine knows."""

    system: System
    engine: docker.DockerClient
    relay: Relay

    def find(self, instance_id: str) -> Container:
        """The container of an instance."""
        (found,) = self.engine.containers.list(all=True, filters={"label": f"mim.instance={instance_id}"})
        return found

    def is_gone(self, instance_id: str, *, data: bool) -> bool:
        label = {"label": f"mim.instance={instance_id}"}
        try:
            left = self.engine.containers.list(all=True, filters=label)
        except NotFound:  # it went between the list and the look at it
            return False
        return not left and not (data and self.engine.volumes.list(filters=label))

    async def until(self, question: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await asyncio.to_thread(question):  # noqa: ASYNC110 - the engine tells nobody but who asks
                await asyncio.sleep(0.1)

    async def kill(self, instance_id: str) -> None:
        """End the process in the container, as the kernel would."""
        container = self.find(instance_id)
        await asyncio.to_thread(container.kill, "SIGKILL")

    async def send(self, made: Json) -> None:
        body = {"chatId": CHAT, "message": "hello"}
        path = "/api/v1/telegram/send"
        status, answer = await self.system.port_call(made["port"], "POST", path, body, made["api_key"])
        assert status == 200, answer

    async def settled(self, instance_id: str, code: str) -> Json:
        """The instance as soon as its reason has a code."""
        async with asyncio.timeout(WITHIN_S), self.system.events(f"?instance_id={instance_id}") as events:
            while (now := await self.system.get(instance_id))["reason"]["code"] != code:
                await anext(events)
        return now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def contained(module_system: StartSystem, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Contained]:
    """A system whose containers share the machine's network, as `mim up` starts them."""
    engine = connect()
    relay = Relay(tmp_path_factory.mktemp("e") / "s")
    await relay.join()
    system = await module_system(MIM_DOCKER_HOST=f"unix://{relay.path}", MIM_CONTAINER_IMAGE=IMAGE)
    yield Contained(system, engine, relay)
    await relay.cut()
    engine.close()


async def test_it_does_the_main_job_within_its_limits(contained: Contained) -> None:
    system = contained.system
    made = await system.ready_telegram(isolation="container")
    await contained.send(made)
    told = contained.find(made["instance_id"]).attrs
    host = told["HostConfig"]
    assert (told["Config"]["User"], host["ReadonlyRootfs"], host["CapDrop"]) == ("10001:10001", True, ["ALL"])
    assert (host["SecurityOpt"], host["Privileged"]) == (["no-new-privileges:true"], False)
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (512_000_000,) * 2 + (
        10**9,
        256,
    )
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "1m"}}
    assert told["Config"]["Labels"]["mim.user"] == "test"
    assert not any("SECRET_KEY" in name or "TOKEN" in name for name in told["Config"]["Env"])
    assert BOT_TOKEN.format(1).partition(":")[2] not in str(told)
    _, answer = await system.call("GET", "/api/v1/resources")
    (use,) = answer["containers"]["containers"]
    assert (use["instance_id"], use["state"]) == (made["instance_id"], "running")
    assert 20 < use["memory_mb"] < use["memory_limit_mb"] == 512
    others = await system.ready_telegram()
    assert (await system.get(others["instance_id"]))["worker"] != (await system.get(made["instance_id"]))["worker"]

    await system.call("POST", f"/api/v1/instances/{made['instance_id']}/stop")
    await system.until(made["instance_id"], "stopped")
    await contained.until(lambda: contained.is_gone(made["instance_id"], data=False))
    await system.call("POST", f"/api/v1/instances/{made['instance_id']}/start")
    await system.until(made["instance_id"], "client_ready")
    await contained.send(made)
    await system.call("DELETE", f"/api/v1/instances/{made['instance_id']}")
    await contained.until(lambda: contained.is_gone(made["instance_id"], data=True))


async def test_a_login_outlives_its_container_and_an_absent_engine(contained: Contained) -> None:
    system = contained.system
    made = await system.ready_whatsapp("491701112233", isolation="container")
    instance_id = made["instance_id"]
    await contained.kill(instance_id)
    gone = await contained.settled(instance_id, "CONTAINER_ENDED")
    assert gone["status"] == "reconnecting"
    assert "137" in gone["reason"]["message"]
    await system.until(instance_id, "client_ready")
    _, answer = await system.call("GET", f"/api/v1/instances/{instance_id}/logs")
    assert any("container_ended" in line["message"] for line in answer["logs"])

    await contained.relay.cut()
    _, answer = await system.call("GET", "/api/v1/resources")
    assert "MIM_DOCKER_HOST" in answer["containers"]["error"]
    await contained.kill(instance_id)
    lost = await contained.settled(instance_id, "NO_ENGINE")
    assert (lost["status"], lost["reason"]["user_action"]) == ("reconnecting", "wait")
    await contained.relay.join()
    await system.until(instance_id, "client_ready")
    assert (await system.get(instance_id))["epoch"] == 3


async def test_what_an_earlier_life_left_behind_is_removed_and_nothing_else(contained: Contained) -> None:
    made = await contained.system.ready_telegram(isolation="container")
    ours = contained.find(made["instance_id"])
    labels = ours.labels | {"mim.instance": str(uuid4())}
    left = contained.engine.containers.create(IMAGE, name=f"left-{uuid4().hex[:8]}", labels=labels)
    foreign = contained.engine.containers.create(IMAGE, name=f"foreign-{uuid4().hex[:8]}", labels={"mim": "another"})
    try:
        await contained.until(lambda: contained.is_gone(labels["mim.instance"], data=False))
        foreign.reload()
        assert contained.find(made["instance_id"]).id == ours.id
    finally:
        for container in (left, foreign):
            with suppress(NotFound):
                container.remove(force=True)


async def test_each_obstacle_is_told_with_the_next_step(own_system: StartSystem) -> None:
    """No image, a taken port, too little memory, one after the other, on a network with published ports."""
    engine = connect()
    later = f"mim-later-{uuid4().hex[:8]}"
    system = await own_system(
        MIM_DOCKER_HOST=ADDRESS,
        MIM_CONTAINER_IMAGE=later,
        MIM_CONTAINER_NETWORK="bridge",
        MIM_CONTAINER_MEMORY_MB="64",
    )
    contained = Contained(system, engine, Relay(Path("nowhere")))
    made = await system.create("telegram", isolation="container", start=False)
    instance_id, port = made["instance_id"], made["port"]
    path = f"/api/v1/instances/{instance_id}"
    try:
        await system.call("POST", f"{path}/start")
        told = await contained.settled(instance_id, "NO_IMAGE")
        assert "MIM_CONTAINER_IMAGE" in told["reason"]["message"]
        with socket.create_server(("127.0.0.1", port)):
            engine.images.get(IMAGE).tag(later)
            told = await contained.settled(instance_id, "PORT_TAKEN")
            assert (told["status"], told["reason"]["user_action"]) == ("error", "restart")
            await system.call("POST", f"{path}/start")
            told = await contained.settled(instance_id, "OUT_OF_MEMORY")
        assert "64 MB" in told["reason"]["message"]
        assert told["port"] != port
        published = contained.find(instance_id).attrs["HostConfig"]["PortBindings"]
        assert published == {f"{told['port']}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(told["port"])}]}
        await system.call("DELETE", path)
        await contained.until(lambda: contained.is_gone(instance_id, data=True))
    finally:
        with suppress(NotFound):
            engine.images.remove(later)
        engine.close()


async def test_without_an_engine_it_is_refused_and_nothing_is_left(system: System) -> None:
    body = {"user_id": "test", "provider": "whatsappweb", "type_instance": ["api"], "isolation": "container"}
    status, answer = await system.call("POST", "/api/v1/instances", body)
    assert (status, answer["code"]) == (422, "NO_ENGINE")
    assert "MIM_DOCKER_HOST" in answer["error"]
    _, answer = await system.call("GET", "/api/v1/resources")
    assert answer["containers"] is None
