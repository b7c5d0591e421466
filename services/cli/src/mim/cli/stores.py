"""Where the embedded nats-server keeps its streams, and how they come under another key.

The streams lie in `nats/store-<key id>`, encrypted with a key that is derived from the vault's key of that id. So a
wrong key is noticed before the server makes empty streams of it, and one rename puts a new store into its place.

nats-server itself can be told of a previous key (`prev_encryption_key`), but 2.15.1 then loses every stream without
messages and every consumer (measured). Here a second server gets everything by snapshot and restore
(https://docs.nats.io/reference/jetstream/api/stream/snapshot), which keeps sequences, consumers, delivery counts and
ids for deduplication; whatever happens, the old store stays as it is until the new one is complete.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.js import api

from mim.cli.processes import CannotStart, NatsServer, Store
from mim.runtime.secrets import Vault, load_vault
from mim.runtime.settings import Settings

log = structlog.get_logger()

PURPOSE = "jetstream"
CHUNK_BYTES = 512 * 1024
ANSWER_S = 20.0
RESTORE_S = 600.0
"""How long the last answer may take: the server reads a whole stream before it."""
AGREE_TRIES = 50
AGREE_S = 0.2
STOP_S, HURRY_S = 60.0, 1.0
SPARE_BYTES = 64_000_000
LATER = "they keep their key until the next start"


class NotCopied(Exception):
    """Why a store stays under its old key."""


def vault_of(settings: Settings) -> Vault:
    """The vault. Raises: CannotStart if there is no usable key."""
    try:
        return load_vault(settings)
    except (ValueError, OSError) as error:
        raise CannotStart(f"the secret key cannot be used: {error}") from None


def home(settings: Settings) -> Path:
    """The folder of everything that belongs to the embedded server."""
    return settings.data_dir / "nats"


def store_of(settings: Settings, vault: Vault, key_id: str) -> Store:
    """The store of one key."""
    return Store(_place(settings, key_id), vault.derived(PURPOSE, key_id))


def find(settings: Settings, vault: Vault) -> Store:
    """The store that there is, or the empty one that a first start gets.

    Raises: CannotStart if there are streams, but not the key they are encrypted with.
    """
    folder = home(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(_workshop(settings), ignore_errors=True)
    ids = vault.key_ids
    if (folder / "jetstream").exists():  # made before stores were named by their keys
        oldest = _place(settings, ids[-1])
        oldest.mkdir(mode=0o700, exist_ok=True)
        (folder / "jetstream").rename(oldest / "jetstream")
    there = [key_id for key_id in ids if _place(settings, key_id).exists()]
    if not there and (strangers := stores(settings)):
        raise CannotStart(
            f"the streams in {strangers[0]} are encrypted with a key that is not here; restore the file secret.key "
            "or MIM_SECRET_KEY that belongs to them"
        )
    for replaced in there[1:]:  # a copy was complete, and the process ended before it had cleaned up
        shutil.rmtree(_place(settings, replaced), ignore_errors=True)
    found = there[0] if there else ids[0]
    _place(settings, found).mkdir(mode=0o700, exist_ok=True)
    return store_of(settings, vault, found)


def stores(settings: Settings) -> list[Path]:
    """All stores of streams, of whatever key."""
    return sorted(path for path in home(settings).glob("store-*") if path.is_dir())


async def renewed(settings: Settings, vault: Vault, store: Store, stop: asyncio.Event) -> Store:
    """The store under the current key; the same as before if that is not possible now, or `stop` comes first."""
    current = store_of(settings, vault, vault.key_ids[0])
    if store.folder == current.folder:
        return store
    log.info("streams_being_sealed_anew", size_bytes=_size(store.folder))
    work = asyncio.create_task(_renew(settings, store, current))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return store
    except NotCopied as error:
        log.warning("streams_not_sealed_anew", reason=str(error), action=LATER)
        return store
    except Exception:
        # Whatever it is, the system works with the key it has.
        log.exception("streams_not_sealed_anew", action=LATER)
        return store
    finally:
        shutil.rmtree(_workshop(settings), ignore_errors=True)
    log.info("streams_sealed_anew")
    return current


def _place(settings: Settings, key_id: str) -> Path:
    return home(settings) / f"store-{key_id}"


def _workshop(settings: Settings) -> Path:
    return home(settings) / "renewing"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def _renew(settings: Settings, old: Store, new: Store) -> None:
    workshop = _workshop(settings)
    need = _size(old.folder) + SPARE_BYTES
    if (free := shutil.disk_usage(home(settings)).free) < need:
        raise NotCopied(f"no room for a copy: {free // 1_000_000} MB free, {need // 1_000_000} MB needed")
    copy = Store(workshop / "store", new.key)
    copy.folder.mkdir(mode=0o700, parents=True)
    async with (
        _serving(settings, workshop / "old", old) as source,
        _serving(settings, workshop / "new", copy) as target,
    ):
        for stream in await _streams(source):
            await _copy(source, target, stream.config.name or "")
        await _agree(source, target)
    os.sync()
    copy.folder.rename(new.folder)
    os.sync()
    shutil.rmtree(old.folder, ignore_errors=True)


@asynccontextmanager
async def _serving(settings: Settings, folder: Path, store: Store) -> AsyncIterator[Client]:
    """A connection to a server of this store that nobody else knows of."""
    # Nothing counts before the copy is complete, and then all of it is flushed at once.
    server = NatsServer(settings.model_copy(update={"sync_interval": "2m"}), folder, store)
    patience_s = HURRY_S
    try:
        await server.start()
        url = server.env()["MIM_NATS_URL"]
        client = await nats.connect(url, user=server.user, password=server.password, allow_reconnect=False)
        try:
            yield client
            patience_s = STOP_S
        finally:
            await client.close()
    finally:
        try:
            await server.child.stop(patience_s)
        finally:
            await server.child.stop(0)  # a cancelled stop must not leave two servers with one store


async def _copy(source: Client, target: Client, name: str) -> None:
    inbox = source.new_inbox()
    chunks = await source.subscribe(inbox)
    asked = {"deliver_subject": inbox, "chunk_size": CHUNK_BYTES}
    taken = await _ask(source, f"{api.DEFAULT_PREFIX}.STREAM.SNAPSHOT.{name}", json.dumps(asked).encode())
    given = {"config": taken["config"], "state": taken["state"]}
    opened = await _ask(target, f"{api.DEFAULT_PREFIX}.STREAM.RESTORE.{name}", json.dumps(given).encode())
    while (chunk := await chunks.next_msg(timeout=ANSWER_S)).data:
        await _ask(target, opened["deliver_subject"], chunk.data)
        if chunk.reply:  # the server waits for some to be confirmed, so that it does not run ahead
            await chunk.respond(b"")
    await _ask(target, opened["deliver_subject"], b"", RESTORE_S)
    await chunks.unsubscribe()


async def _ask(client: Client, subject: str, payload: bytes, timeout_s: float = ANSWER_S) -> dict[str, Any]:
    answer = (await client.request(subject, payload, timeout=timeout_s)).data
    body: dict[str, Any] = json.loads(answer or b"{}")
    if "error" in body:
        raise NotCopied(f"nats-server: {body['error'].get('description')}")
    return body


async def _agree(source: Client, target: Client) -> None:
    """Both hold the same. What lapses lapses in both, if not at the same instant. Raises: NotCopied."""
    for _ in range(AGREE_TRIES):
        if await _inventory(source) == await _inventory(target):
            return
        await asyncio.sleep(AGREE_S)
    raise NotCopied("the copy does not hold the same as the original")


Held = tuple[int, int, frozenset[str | None]]


async def _inventory(client: Client) -> dict[str | None, Held]:
    """Of each stream: how many messages, the last sequence, the durable consumers."""
    return {
        stream.config.name: (stream.state.messages, stream.state.last_seq, await _durables(client, stream))
        for stream in await _streams(client)
    }


async def _streams(client: Client) -> list[api.StreamInfo]:
    """All streams on disk."""
    js, found = client.jetstream(timeout=ANSWER_S), list[api.StreamInfo]()
    while page := await js.streams_info(offset=len(found)):
        found += page
    return [stream for stream in found if stream.config.storage == api.StorageType.FILE]


async def _durables(client: Client, stream: api.StreamInfo) -> frozenset[str | None]:
    """Others end with their connections; a snapshot leaves them out."""
    js, found = client.jetstream(timeout=ANSWER_S), list[api.ConsumerInfo]()
    while len(found) < stream.state.consumer_count:
        page = await js.consumers_info(stream.config.name or "", offset=len(found))
        if not page:
            break
        found += page
    return frozenset(consumer.config.durable_name for consumer in found if consumer.config.durable_name)
