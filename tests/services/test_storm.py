"""Many bots whose worker is started anew, on the emulator: so many connect at a time, and nobody is left out.

A thousand, and how long they take, are the benchmark `storm`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mim.contracts import subjects
from mim.contracts.messages import ClientReady, CloudEvent, Event, InstanceWaiting
from mim.contracts.records import OrderAction, SessionOrder
from mim.contracts.states import Provider, Status
from mim.contracts.values import Account, Ports, Reason
from mim.emulators.telegram import Emulator, serve
from mim.runtime import admission
from mim.runtime.bus import Bus
from mim.runtime.secrets import load_vault
from mim.runtime.session import SessionContext
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store
from mim.runtime.worker import Worker
from mim.telegram_adapter.session import TelegramSession

if TYPE_CHECKING:
    from tests.conftest import ConnectBus
    from tests.services.conftest import Background, Story

from tests.services.test_worker import SENDING

BOTS = 300
AT_A_TIME = 20
WRITES = 20
POISONOUS = 3  # of each kind
HOLD_S = 5.0


class Rig:
    """A worker of real sessions, which counts how many of them connect."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self.bus, self.settings = bus, settings
        self.connecting: dict[str, float] = {}  # since when
        self.most = 0
        self.hangs: set[str] = set()
        self.crashes: set[str] = set()
        self.crashed = 0

    async def live(self, bus: Bus, ids: list[str], epoch: int, background: Background) -> Worker:
        """A new life of the worker, which finds orders for all of its bots."""
        worker = Worker(bus, self.settings, Provider.TELEGRAM, lambda context: Counted(self, context), SENDING)
        few = asyncio.Semaphore(WRITES)  # each write has two seconds, of all that are asked for at once

        async def order(instance_id: str) -> None:
            async with few:
                await self.bus.surely(partial(self.order, worker, instance_id, epoch))

        await asyncio.gather(*map(order, ids))
        self.most = 0
        await worker.start()
        background(worker.beat())
        background(worker.follow_orders())
        return worker

    async def order(self, worker: Worker, instance_id: str, epoch: int) -> None:
        """Let the worker run a bot."""
        bot = int(instance_id[-6:])
        secrets = Secrets(self.bus, load_vault(self.settings))
        if epoch == 1:
            sealed = secrets.seal("u", instance_id, "token", f"{bot + 1}:{'s3cret-' * 5}")
            await secrets.put("telegram", instance_id, "token", sealed)
        order = SessionOrder(
            instance_id=instance_id,
            user_id="u",
            provider=Provider.TELEGRAM,
            action=OrderAction.RUN,
            boot=worker.boot,
            ports=Ports(),
            epoch=epoch,
            api_key_sha256="hash",
            secrets=("token",),
            status=Status.STARTING,
            reason=Reason(code="CONNECTING", message="m", since=self.bus.now()),
        )
        orders = Store(self.bus, subjects.ORDERS_BUCKET, SessionOrder)
        await orders.save(subjects.order_key("telegram", worker.name, instance_id), order)


class Counted(TelegramSession):
    """A bot's session; some are poisonous."""

    def __init__(self, rig: Rig, context: SessionContext) -> None:
        super().__init__(context)
        self._rig, self._id, self._tell_ready = rig, context.instance_id, context.client_ready
        context.client_ready = self._ready  # type: ignore[method-assign]

    async def run(self) -> None:
        rig = self._rig
        if self._id in rig.crashes:
            rig.crashed += 1
            raise RuntimeError("poison")
        if self._id in rig.hangs:
            await asyncio.Event().wait()
        now = rig.connecting[self._id] = time.monotonic()
        # Who takes long, as all do where the machine stands still, has to give its place to the next.
        rig.most = max(rig.most, sum(now - began < HOLD_S / 2 for began in rig.connecting.values()))
        try:
            await super().run()
        finally:
            rig.connecting.pop(self._id, None)

    async def _ready(self, account: Account) -> None:
        self._rig.connecting.pop(self._id, None)
        await self._tell_ready(account)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with serve(emulator=Emulator(conflict_pause_s=0.2)) as server:
        yield server


@pytest.mark.timeout(420)
async def test_many_bots_are_ready_again_some_at_a_time_and_poisonous_ones_starve_nobody(
    bus: Bus,
    connect_bus: ConnectBus,
    settings: Settings,
    emulator: Emulator,
    background: Background,
    events: Story[CloudEvent[Event]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "CONNECT_HOLD_S", HOLD_S)
    monkeypatch.setattr(admission, "TOLD_AFTER_S", 0.2)
    more = {"telegram_api_url": emulator.url, "telegram_connecting_most": AT_A_TIME}
    rig = Rig(bus, settings.model_copy(update=more))
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(BOTS)]
    rig.hangs, rig.crashes = set(ids[:POISONOUS]), set(ids[POISONOUS : 2 * POISONOUS])
    good = set(ids[2 * POISONOUS :])

    async def ready(epoch: int) -> None:
        left, seen = set(good), 0

        def done(items: list[CloudEvent[Event]]) -> bool:
            nonlocal seen
            fresh, seen = items[seen:], len(items)
            left.difference_update(
                item.subject for item in fresh if isinstance(item.data, ClientReady) and item.data.epoch == epoch
            )
            return not left

        await events.until(done, 200)

    first = await rig.live(await connect_bus("telegram-1"), ids, 1, background)
    await ready(1)
    await first.end()
    second = await rig.live(await connect_bus("telegram-1"), ids, 2, background)
    await ready(2)
    assert 1 < rig.most <= AT_A_TIME
    assert rig.crashed > 2 * POISONOUS, "one that breaks off is not tried again"
    waits = [item.data for item in events.items if isinstance(item.data, InstanceWaiting) and item.data.epoch == 2]
    places: dict[str, list[int]] = {}
    for each in waits:
        places.setdefault(each.instance_id, []).append(each.place)
        assert each.reason is not None
        assert (each.reason.code == "QUEUED") is (each.place > 0)
    assert len(places) > BOTS // 2, "who waits says so"
    assert len(waits) < 4 * BOTS
    for of_one in (told for instance_id, told in places.items() if instance_id in good):
        assert of_one == sorted(of_one, reverse=True)
        assert of_one[-1] == 0
    await second.end()
    assert not rig.connecting
