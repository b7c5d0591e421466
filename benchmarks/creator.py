"""Makes instances by commands on the bus, so many under way at once; one is done when its session is `client_ready`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from benchmarks.report import BrokenError
from mim.contracts import subjects
from mim.contracts.messages import ClientReady, CreateInstance, command_subject
from mim.contracts.states import Expose, Provider, Status
from mim.runtime.secrets import Vault

PROVIDERS = (Provider.TELEGRAM, Provider.WHATSAPPWEB)
OF_A_USER = 100
AT_ONCE = 256
LOOK_S, LOOKS = 5.0, 24


class Creator:
    """Instances of both providers by turns, a hundred for each user, without a port of their own."""

    def __init__(self, client: Client, vault: Vault) -> None:
        self._client = client
        self._vault = vault
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: set[str] = set()
        self._moved = asyncio.Event()
        self.ids: list[str] = []

    async def listen(self) -> None:
        """Hear which are ready."""
        await self._client.subscribe(subjects.all_of(ClientReady.name), cb=self._ready)

    async def _ready(self, msg: Msg) -> None:
        instance_id = subjects.instance_of(msg.subject)
        if instance_id in self._under_way:
            self._done(instance_id)

    def _done(self, instance_id: str) -> None:
        self._under_way.remove(instance_id)
        self._room.release()
        self._moved.set()

    async def up_to(self, size: int) -> float:
        """Make instances until there are so many; the seconds it took. Raises: BrokenError if they stall."""
        began = time.perf_counter()
        jetstream = self._client.jetstream()
        while len(self.ids) < size:
            while self._room.locked():
                await self._progress()
            await self._room.acquire()
            command = self._command(len(self.ids))
            self.ids.append(command.instance_id)
            self._under_way.add(command.instance_id)
            await jetstream.publish(command_subject(command), command.model_dump_json().encode())
        while self._under_way:
            await self._progress()
        return time.perf_counter() - began

    async def _progress(self) -> None:
        """Wait until one more is ready. Raises: BrokenError."""
        for _ in range(LOOKS):
            self._moved.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), LOOK_S)
                return
            # On a busy machine the server may have cut this connection for a moment: the read model knows.
            for instance_id in tuple(self._under_way):
                if await self._status(instance_id) == Status.CLIENT_READY:
                    self._done(instance_id)
            if self._moved.is_set():
                return
        found = Counter([await self._status(instance_id) for instance_id in tuple(self._under_way)])
        raise BrokenError(f"of {len(self.ids)} instances {found.total()} do not become ready, but are {dict(found)}")

    async def _status(self, instance_id: str) -> str:
        key = subjects.bucket_subject(subjects.INSTANCES_BUCKET, instance_id)
        try:
            found = await self._client.jetstream().get_last_msg(f"KV_{subjects.INSTANCES_BUCKET}", key, direct=True)
        except NotFoundError:
            return "unknown"
        return str(orjson.loads(found.data or b"{}")["status"])

    def _command(self, number: int) -> CreateInstance:
        instance_id, provider = str(uuid4()), PROVIDERS[number % len(PROVIDERS)]
        user_id = f"user-{number // OF_A_USER}"
        token = self._vault.seal(f"{number}:simulated", user_id, instance_id, "token")
        return CreateInstance(
            instance_id=instance_id,
            actor="bench",
            origin="bench",
            user_id=user_id,
            provider=provider,
            expose=Expose.GATEWAY,
            name=f"instance {number}",
            sealed={"token": token} if provider is Provider.TELEGRAM else {},
        )
