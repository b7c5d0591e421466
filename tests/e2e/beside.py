"""Further services on the bus of a running system, each a process of its own, as on a second host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.conftest import free_port
from tests.e2e import warm
from tests.e2e.conftest import Json, System

Process = warm.Process | asyncio.subprocess.Process
READY_S = 120.0  # on a machine that is busy with other tests
END_S = 30.0


class Beside:
    """`place` is where they are: a worker is called by it, such as `telegram-<place>`. `folder` is where they keep
    their files, that of the system if there is none; `env` is for all of them."""

    def __init__(self, system: System, place: str, folder: Path | None = None, **env: str) -> None:
        self._system = system
        self._place = place
        self._folder = folder or system.folder
        self._env = env
        self._processes: dict[str, Process] = {}
        self._drains: set[asyncio.Task[bytes]] = set()
        self.url = f"http://127.0.0.1:{free_port()}"
        """Where its gateway is."""

    async def start(self, *names: str) -> None:
        """Start services; returns when each says that it is ready."""
        await asyncio.gather(*map(self._start, names))

    async def _start(self, name: str) -> None:
        process = await self._run(name)
        self._processes[name] = process
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(READY_S):
            while b"service_ready" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        self._drains.add(asyncio.create_task(process.stdout.read()))

    async def _run(self, name: str) -> Process:
        env = os.environ | self._environment(name)
        if "PYTHONPATH" not in self._env:
            return await warm.start("run", name, env=env)
        return await asyncio.create_subprocess_exec(  # it is other code
            *(sys.executable, "-m", "mim.cli", "run", name),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    def _environment(self, name: str) -> dict[str, str]:
        folder = self._system.folder
        access = json.loads((folder / "nats" / "access.json").read_text())
        ports = self._system.instance_ports
        return {
            "MIM_NATS_URL": access["MIM_NATS_URL"],
            "MIM_NATS_NKEY_FILE": str(folder / "nats" / "keys" / f"{name}.nk"),
            "MIM_DATA_DIR": str(self._folder),
            "MIM_SECRET_KEY": (folder / "secret.key").read_text().splitlines()[0],
            "MIM_LOG_FORMAT": "json",
            "MIM_WORKER": f"{name.partition('-')[0]}-{self._place}",
            "MIM_PORT": self.url.rpartition(":")[2],
            "MIM_INSTANCE_PORTS": f"{ports[0]}-{ports[-1]}",
            **self._messenger(name),
            **self._env,
        }

    def _messenger(self, name: str) -> dict[str, str]:
        kind, is_adapter, _ = name.partition("-adapter")
        if not is_adapter:
            return {}
        folder = self._system.folder / "sandbox" / kind
        ports = json.loads((folder / "ports.json").read_text())
        if kind == "telegram":
            return {"MIM_TELEGRAM_API_URL": f"http://127.0.0.1:{ports['api']}"}
        return {
            "MIM_WHATSAPP_PROXY_URL": f"http://127.0.0.1:{ports['proxy']}",
            "MIM_WHATSAPP_CA_FILE": str(folder / "ca.pem"),
            "MIM_WHATSAPP_CHILD_WRAPPER": f"-m mim.emulators.whatsapp.trust {folder / 'root.pub'}",
        }

    async def workers(self) -> dict[str, Json]:
        """All workers of the system that live, by name."""
        status, answer = await self._system.call("GET", "/api/v1/workers")
        assert status == 200, answer
        return {each["name"]: each for each in answer["workers"]}

    async def until_worker(self, name: str, state: str = "active") -> None:
        """Return once a worker is in a state."""
        async with asyncio.timeout(READY_S):
            while (await self.workers()).get(name, {}).get("state") != state:  # noqa: ASYNC110 - it is asked over HTTP
                await asyncio.sleep(0.05)

    async def restart(self, name: str) -> None:
        """End one in order and start it again."""
        await self._end(name)
        await self._start(name)

    def kill(self, name: str) -> None:
        """End one without a chance to say goodbye."""
        self._processes[name].kill()

    async def stop(self, *names: str) -> None:
        """End these in order, all of them if none is named."""
        await asyncio.gather(*map(self._end, names or tuple(self._processes)))

    async def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), END_S)
