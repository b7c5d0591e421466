"""The folders of sessions on this machine: those of deleted instances go, whoever had the instance last.

A worker removes the folder of an instance that is deleted while it has it. An instance that was stopped has nobody who
would know when its worker was started anew, or when it moved to another.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nats.aio.msg import Msg

from mim.contracts import subjects
from mim.contracts.errors import Invalid, MimError
from mim.contracts.messages import InstanceDeleted
from mim.runtime.bus import Bus


class Folders:
    """Those of one provider, below `root`. `is_in_use(instance_id)` says that the worker sees to one itself."""

    def __init__(self, bus: Bus, root: Path, is_in_use: Callable[[str], bool]) -> None:
        self._bus = bus
        self._root = root
        self._is_in_use = is_in_use
        self._sweeping: asyncio.Task[None] | None = None

    def of(self, instance_id: str) -> Path:
        """Where the session of an instance keeps what it needs."""
        return self._root / instance_id

    async def watch(self) -> None:
        """Hear what is deleted from now on, and remove what was deleted before."""
        await self._bus.nc.subscribe(subjects.all_of(InstanceDeleted.name), cb=self._heard)
        self._bus.on_reconnect(self._returned)
        await self._sweep()

    async def _heard(self, msg: Msg) -> None:
        with suppress(Invalid):
            await self._remove(subjects.token(msg.subject.split(".")[-2]))

    def _returned(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep())  # something may have been deleted meanwhile

    async def _sweep(self) -> None:
        if self._root.is_dir():
            for folder in list(self._root.iterdir()):
                await self.look_at(folder.name)

    async def look_at(self, instance_id: str) -> None:
        """Remove the folder of an instance if that was deleted, as far as the bus tells now."""
        if not self.of(instance_id).is_dir():
            return
        with suppress(MimError):
            # Only the event is proof: a bus that merely lost its data must not cost anybody a login.
            subject = subjects.instance_event(instance_id, InstanceDeleted.name)
            deleted, _ = await self._bus.last(subjects.EVENTS, subject)
            if deleted is not None:
                await self._remove(instance_id)

    async def _remove(self, instance_id: str) -> None:
        if not self._is_in_use(instance_id):
            await asyncio.to_thread(shutil.rmtree, self.of(instance_id), ignore_errors=True)
