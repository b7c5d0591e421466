"""What the configured container engine runs for this system (https://docs.docker.com/reference/api/engine/)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mim.contracts.answers import Containers

if TYPE_CHECKING:
    import docker

LABEL = "mim"
"""Every container of this system carries this label."""
ANSWER_S = 2.0


class Engine:
    """One engine, such as `unix:///var/run/docker.sock`; without an address there is none."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: docker.DockerClient | None = None

    async def containers(self) -> Containers | None:
        """The containers of this system; None without an engine. Never raises: a silent engine is told as such."""
        if not self._address:
            return None
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                return await asyncio.to_thread(self._ask)
        except Exception as error:  # noqa: BLE001 - the library raises its own, those of requests and of the system
            reason = "it does not answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            message = f"the engine cannot be asked ({reason}); check MIM_DOCKER_HOST and that it runs"
            return Containers(engine=self._address, running=0, total=0, names=[], error=message)

    def _ask(self) -> Containers:
        import docker  # noqa: PLC0415 - 30 MB that only a gateway with an engine needs

        if self._client is None:
            self._client = docker.DockerClient(base_url=self._address, timeout=int(ANSWER_S))
        found = self._client.containers.list(all=True, filters={"label": LABEL}, sparse=True)
        names = sorted(container.attrs["Names"][0].lstrip("/") for container in found)
        running = sum(container.attrs["State"] == "running" for container in found)
        return Containers(engine=self._address, running=running, total=len(found), names=names)
