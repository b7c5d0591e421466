"""What a system shows after a load: its event stream, its read model, what the messengers got; put to the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

import nats.js.errors
from nats.aio.client import Client
from tests.chaos import checker
from tests.chaos.checker import Entry
from tests.chaos.load import PEOPLE, Account, Written, again, chat_of
from tests.e2e.conftest import System

from mim.contracts import subjects
from mim.contracts.messages import unwrap
from mim.contracts.records import InstanceRecord

SETTLE_S = 120.0
QUIET_S = 30.0
FOLDED_S = 30.0
AT_ONCE = 64


async def bot(system: System) -> Account:
    """A bot that is connected."""
    made = await system.ready_telegram()
    instance_id = made["instance_id"]
    number = (await system.get(instance_id))["account"].split("_")[1]
    return Account(instance_id, "telegram", made["api_key"], made["port"], number)


async def phone(system: System, number: int) -> Account:
    """A WhatsApp account that is connected."""
    phone = f"1555300{number:04d}"
    made = await system.ready_whatsapp(phone)
    return Account(made["instance_id"], "whatsappweb", made["api_key"], made["port"], phone)


async def settled(system: System, bus: Client, written: Written, unheard: Sequence[tuple[float, float]]) -> list[Entry]:
    """The whole event stream, once every message has an outcome and everything that was said is heard, or at the latest
    when nothing new comes any more: the checks will say what is missing."""
    entries: list[Entry] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            sub = await bus.subscribe(subjects.ALL_EVENTS)
            while True:
                entries += await _stream(bus, entries[-1].seq if entries else 0)
                missing = checker.received(entries, written, await confirmed(system), unheard)
                if not checker.outcomes(entries, written) and not missing:
                    break
                await sub.next_msg(timeout=QUIET_S)
    # A cluster lets subscribers hear an event before it is stored.
    return entries + await _stream(bus, entries[-1].seq if entries else 0)


async def confirmed(system: System) -> dict[str, float]:
    """When (seconds since the epoch) WhatsApp was told last that a message has come, by the ids of messages."""
    seen = await system.control("whatsapp", "events")
    return {event["message_id"]: event["at"] for event in seen["events"] if event["type"] == "confirmed"}


async def _stream(bus: Client, after: int) -> list[Entry]:
    """What came after a sequence, as the server that leads has it: a copy may lag behind."""
    stream = bus.jetstream(timeout=5)
    last = (await again(lambda: stream.stream_info(subjects.EVENTS))).state.last_seq

    async def entry(seq: int) -> Entry:
        envelope = unwrap((await again(lambda: stream.get_msg(subjects.EVENTS, seq))).data or b"")
        assert envelope is not None
        return Entry(seq, envelope)

    found: list[Entry] = []
    for first in range(after + 1, last + 1, AT_ONCE):
        found += await asyncio.gather(*map(entry, range(first, min(first + AT_ONCE, last + 1))))
    return found


async def violations(
    system: System, bus: Client, accounts: list[Account], written: Written, entries: list[Entry]
) -> list[str]:
    """What of that which holds whatever happens does not."""
    wrong = [
        *checker.outcomes(entries, written),
        *checker.delivered(entries, written, await _inboxes(system, accounts)),
        *checker.ports(entries),
        *checker.epochs(entries),
        *checker.created(entries, written),
    ]
    polls = await system.control("telegram", "bots")
    wrong += [f"{bot['username']} was polled twice at a time" for bot in polls["bots"] if bot["max_pollers"] > 1]
    seen = await system.control("whatsapp", "events")
    wrong += [f"connected twice: {event}" for event in seen["events"] if event["type"] == "replaced"]
    shown = {}
    for account in accounts:
        await system.until(account.instance_id, "client_ready")
        path = f"/api/v1/instances/{account.instance_id}/credentials"
        shown[account.instance_id] = (await system.call("GET", path))[1].get("api_key")
    wrong += checker.keys(accounts, shown)
    return wrong + await _folded(bus)


async def _inboxes(system: System, accounts: Iterable[Account]) -> dict[tuple[str, str], list[str]]:
    found = {}
    for account in accounts:
        for person in range(PEOPLE):
            chat = chat_of(account, person)
            if account.provider == "telegram":
                inbox = await system.control("telegram", "inbox", chat=int(chat))
                texts = [message["text"] for message in inbox["messages"]]
            else:
                inbox = await system.control("whatsapp", "inbox", phone=chat)
                texts = [message["text"] for message in inbox["messages"]]
            found[account.instance_id, chat] = texts
    return found


async def _folded(bus: Client) -> list[str]:
    """The stored records against the fold of all events; lifecycle writes what only counts a moment later."""
    wrong, entries = ["the read model never came up to the stream"], await _stream(bus, 0)
    with suppress(TimeoutError):
        async with asyncio.timeout(FOLDED_S):
            while wrong:  # each look asks the bus
                wrong = checker.folded(entries, await again(lambda: _records(bus)))
                entries += await _stream(bus, entries[-1].seq)
    return wrong


async def _records(bus: Client) -> dict[str, InstanceRecord]:
    bucket = await bus.jetstream(timeout=5).key_value(subjects.INSTANCES_BUCKET)
    found = {}
    with suppress(nats.js.errors.NoKeysError, nats.js.errors.KeyNotFoundError):  # a copy that lags behind was asked
        for key in await bucket.keys():
            if not key.startswith("_"):
                entry = await bucket.get(key)
                found[key] = InstanceRecord.model_validate_json(entry.value or b"")
    return found
