"""The container engine, spoken to through its API (https://docs.docker.com/reference/api/engine/), off the event loop.

Everything made here carries the label `mim` with the system's id, so that it is found again, and only that.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.reports import ContainerUse
from mim.runtime import logs

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

LABEL = "mim"
INSTANCE = "mim.instance"
DIGEST = "mim.digest"
ANSWER_S = 20
LOG_BYTES = "1m"
TAIL_LINES = 20
TAIL_LENGTH = 4_000
STOP_S = 10
USER = "10001:10001"  # of deploy/Dockerfile
DATA = "/var/lib/mim"
MB = 1_000_000
AT_ONCE = 8
Got = TypeVar("Got")


class EngineError(Unavailable):
    """The engine cannot do it: it is away (NO_ENGINE), has no such image (NO_IMAGE), a port is taken (PORT_TAKEN), or
    says no for another reason (ENGINE_REFUSED)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One container as it shall be. `ports` are published at `publish_at`; with the network `host` there are none.

    `files` lie in `folder` and are for the container's user only: settings, keys.
    """

    name: str
    labels: dict[str, str]
    image: str
    command: list[str]
    environment: dict[str, str]
    folder: str
    files: dict[str, bytes] = field(repr=False)
    network: str
    ports: tuple[int, ...]
    publish_at: str
    memory_mb: int
    cpus: float
    pids: int

    @property
    def digest(self) -> str:
        """The same for two plans exactly when a container of one does for the other."""
        files = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        shape = [self.name, self.image, self.command, self.environment, self.folder, files, self.network]
        limits = [self.ports, self.publish_at, self.memory_mb, self.cpus, self.pids]
        return hashlib.sha256(json.dumps([shape, limits], sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Found:
    """A container of this system."""

    name: str
    instance_id: str
    state: str
    digest: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that the engine tells of a container: `start`, `oom`, or `die` with the code it ended with."""

    action: str
    instance_id: str
    exit_code: int | None = None


class Engine:
    """One engine, such as `unix:///var/run/docker.sock`. Every call raises EngineError if it cannot be done."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: docker.DockerClient | None = None
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._cpu: dict[str, tuple[int, int]] = {}  # by container: what it has used, and the machine

    async def image(self, name: str) -> str:
        """The id of the image that a name means now."""
        return await self._call(lambda client: str(client.images.get(name).id))

    async def start(self, plan: Plan) -> bool:
        """Let the container run exactly as planned; returns whether it had to be started."""
        return await self._call(partial(_start, plan))

    async def stop(self, name: str) -> None:
        """Let it end in order and remove it; its data stays. Harmless if there is none."""
        await self._call(partial(_stop, name))

    async def forget(self, name: str) -> None:
        """Remove it with its data. Harmless if there is none."""
        await self._call(partial(_forget, name))

    async def tail(self, name: str) -> str:
        """The last lines that it wrote, without secrets."""
        return await self._call(partial(_tail, name))

    async def containers(self, system: str) -> list[Found]:
        """All containers of the system, running or not."""
        return await self._call(partial(_containers, system))

    async def data(self, system: str) -> list[str]:
        """The names of everything of the system that has data."""
        return await self._call(
            lambda client: [volume.name for volume in client.volumes.list(filters={"label": f"{LABEL}={system}"})]
        )

    async def usage(self, found: Found) -> ContainerUse:
        """What a container takes now."""
        stats = await self._call(lambda client: _stats(client, found.name)) if found.state == "running" else {}
        memory = stats.get("memory_stats", {})
        return ContainerUse(
            name=found.name,
            instance_id=found.instance_id,
            state=found.state,
            memory_mb=_megabytes(memory.get("usage")),
            memory_limit_mb=_megabytes(memory.get("limit")),
            cpu_percent=self._percent(found.name, stats.get("cpu_stats", {})),
        )

    def _percent(self, name: str, cpu: dict[str, Any]) -> float | None:
        used, machine = cpu.get("cpu_usage", {}).get("total_usage"), cpu.get("system_cpu_usage")
        before = self._cpu.pop(name, None)
        if used is None or machine is None:
            return None
        self._cpu[name] = (used, machine)
        if before is None or machine <= before[1]:
            return None
        share = float(used - before[0]) / float(machine - before[1])
        return round(100 * share * int(cpu.get("online_cpus", 1)), 2)

    async def follow(self, system: str) -> AsyncGenerator[Happened]:
        """What happens to the system's containers from now on, until the engine goes away (then EngineError)."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Happened | None]()
        stream = await self._call(
            lambda client: client.events(
                decode=True,
                filters={"type": "container", "label": f"{LABEL}={system}", "event": ["start", "die", "oom"]},
            )
        )

        def read() -> None:
            with suppress(Exception):  # a stream that breaks has ended
                for event in stream:
                    loop.call_soon_threadsafe(queue.put_nowait, _happened(event))
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(queue.put_nowait, None)

        threading.Thread(target=read, name="engine events", daemon=True).start()
        try:
            while (happened := await queue.get()) is not None:
                yield happened
        finally:
            stream.close()
        raise EngineError(ErrorCode.NO_ENGINE, _away("its events ended"))

    async def _call(self, work: Callable[[docker.DockerClient], Got]) -> Got:
        async with self._limit:
            return await asyncio.to_thread(self._asked, work)

    def _asked(self, work: Callable[[docker.DockerClient], Got]) -> Got:
        import docker  # noqa: PLC0415 - 30 MB that only a system with an engine needs
        from docker.errors import APIError, DockerException, ImageNotFound  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        try:
            if self._client is None:
                self._client = docker.DockerClient(base_url=self.address, timeout=ANSWER_S)
            return work(self._client)
        except ImageNotFound:
            message = "the engine has no such image; build it as docs/containers.md shows, or set MIM_CONTAINER_IMAGE"
            raise EngineError(ErrorCode.NO_IMAGE, message) from None
        except APIError as error:
            raise _refused(str(error.explanation or error)) from None
        except (DockerException, RequestException, OSError) as error:
            raise EngineError(ErrorCode.NO_ENGINE, _away(type(error).__name__)) from None


def _away(why: str) -> str:
    return f"the container engine cannot be asked ({why}); check MIM_DOCKER_HOST and that it runs"


def _refused(said: str) -> EngineError:
    if "port is already allocated" in said or "address already in use" in said:
        return EngineError(ErrorCode.PORT_TAKEN, "another program or container holds the instance's port")
    return EngineError(ErrorCode.ENGINE_REFUSED, f"the container engine refused: {logs.clean(said)[:300]}")


# ------------------------------------------------------------------------------------- calls, in a thread of theirs


def _get(client: docker.DockerClient, name: str) -> Container | None:
    from docker.errors import NotFound  # noqa: PLC0415

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def _start(plan: Plan, client: docker.DockerClient) -> bool:
    found = _get(client, plan.name)
    if found is not None:
        if found.status == "running" and found.labels.get(DIGEST) == plan.digest:
            return False
        _stop(plan.name, client)
    client.volumes.create(plan.name, labels=plan.labels)
    container = _create(plan, client)
    try:
        container.put_archive(plan.folder, _archive(plan.files))
        container.start()
    except BaseException:
        container.remove(v=True, force=True)  # one that did not start would stand in the way of the next
        raise
    return True


def _create(plan: Plan, client: docker.DockerClient) -> Container:
    from docker.types import LogConfig, Mount  # noqa: PLC0415

    on_host = plan.network == "host"
    return client.containers.create(
        plan.image,
        plan.command,
        name=plan.name,
        labels=plan.labels | {DIGEST: plan.digest},
        environment=plan.environment,
        user=USER,
        network=plan.network,
        ports=None if on_host else {f"{port}/tcp": (plan.publish_at, port) for port in plan.ports},
        # The second one has no name and goes with the container: nothing of an older plan stays in it.
        mounts=[Mount(DATA, plan.name, type="volume"), Mount(plan.folder, None, type="volume")],
        read_only=True,
        tmpfs={"/tmp": "size=64m"},  # noqa: S108 - inside
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit=plan.memory_mb * MB,
        memswap_limit=plan.memory_mb * MB,
        nano_cpus=int(plan.cpus * 1e9),
        pids_limit=plan.pids,
        log_config=LogConfig(type="json-file", config={"max-size": LOG_BYTES, "max-file": "2"}),
        healthcheck={"test": ["NONE"]},  # the worker's heartbeat is watched
    )


def _archive(files: dict[str, bytes]) -> bytes:
    uid, gid = map(int, USER.split(":"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o400, uid, gid
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _stop(name: str, client: docker.DockerClient) -> None:
    from docker.errors import NotFound  # noqa: PLC0415

    with suppress(NotFound):
        container = client.containers.get(name)
        container.stop(timeout=STOP_S)
        container.remove(v=True, force=True)


def _forget(name: str, client: docker.DockerClient) -> None:
    from docker.errors import NotFound  # noqa: PLC0415

    _stop(name, client)
    with suppress(NotFound):
        client.volumes.get(name).remove()


def _tail(name: str, client: docker.DockerClient) -> str:
    container = _get(client, name)
    written = b"" if container is None else container.logs(tail=TAIL_LINES)
    return logs.clean(written.decode(errors="replace"))[-TAIL_LENGTH:].strip()


def _containers(system: str, client: docker.DockerClient) -> list[Found]:
    found = client.containers.list(all=True, sparse=True, filters={"label": f"{LABEL}={system}"})
    return [
        Found(
            name=container.attrs["Names"][0].lstrip("/"),
            instance_id=container.attrs["Labels"].get(INSTANCE, ""),
            state=container.attrs["State"],
            digest=container.attrs["Labels"].get(DIGEST, ""),
        )
        for container in found
    ]


def _stats(client: docker.DockerClient, name: str) -> dict[str, Any]:
    stats: dict[str, Any] = client.api.stats(name, stream=False, one_shot=True)
    return stats


def _megabytes(count: int | None) -> float | None:
    return None if count is None else round(count / MB, 3)


def _happened(event: dict[str, Any]) -> Happened:
    attributes = event["Actor"]["Attributes"]
    code = attributes.get("exitCode")
    return Happened(event["Action"], attributes.get(INSTANCE, ""), int(code) if code is not None else None)
