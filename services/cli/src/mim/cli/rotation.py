"""Replacing the key that seals secrets, while everything runs.

A new key is put in front of the old one; services notice by themselves and seal with the new one from then on. What is
stored is then sealed anew, value by value, each only if nothing newer came between. Both keys open until `finish` takes
the old one away, which it does only when nothing needs it any more. All of it can be interrupted and done again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from mim.cli import stores
from mim.contracts import subjects
from mim.contracts.errors import Invalid
from mim.contracts.messages import SYSTEM, Audited, CreateInstance, UpdateInstance, parse_command
from mim.contracts.records import InstanceRecord, Remembered
from mim.runtime import bus as buses
from mim.runtime.bus import Bus, Conflict
from mim.runtime.flow import Entry
from mim.runtime.history import newest
from mim.runtime.secrets import KEY_BYTES, SecretsUnreadable, Vault, key_file, load_vault
from mim.runtime.settings import Settings

CONNECT_S = 5.0
SETTLE_S = 10.0
"""How old a new key must be before the old one goes: whoever was just sealing with that is done by then."""
TRIES = 50


class CannotRotate(Exception):
    """Why it does not go on, and what to do."""


@dataclass
class Resealed:
    """What became of the sealed values of one bucket; keys of the bucket where they matter."""

    anew: int = 0
    already: int = 0
    orphans: list[str] = field(default_factory=list)
    """Of no instance, so that nobody knows whose they are; they stay under the key that they have."""
    unreadable: list[str] = field(default_factory=list)
    """What no key opens."""


@dataclass(frozen=True)
class Report:
    """What a rotation did. `old_stores` are streams of the embedded server that are still under another key."""

    key_ids: tuple[str, ...]
    secrets: Resealed
    answers: Resealed
    old_stores: list[Path]


async def rotate(settings: Settings) -> Report:
    """Put a new key in front, unless a rotation is under way already, and seal everything anew.

    Raises: CannotRotate, Unavailable, OSError.
    """
    with _alone(settings.data_dir):
        file = key_file(settings)
        if settings.secret_key is None and not file.path.exists():
            raise CannotRotate(f"there is no key in {file.path}: is this the data folder of the system?")
        if settings.secret_key is not None and settings.secret_key_previous is None:
            raise CannotRotate(
                "the key is in MIM_SECRET_KEY: put it into MIM_SECRET_KEY_PREVIOUS and a new one (the output of: "
                "openssl rand -hex 32) into MIM_SECRET_KEY, restart everything with both, and call this again with both"
            )
        async with _bus(settings) as bus:
            if settings.secret_key is None and len(keys := file.read()) == 1:
                file.replace((os.urandom(KEY_BYTES), *keys))
            report = await reseal(bus, load_vault(settings), settings)
            await _tell(bus, "rotate_secret_key")
            return report


async def finish(settings: Settings, *, leave_orphans: bool = False) -> Report:
    """Seal anew what is left, and take the old key away. Raises: CannotRotate, Unavailable, OSError."""
    with _alone(settings.data_dir):
        vault = load_vault(settings)
        if len(vault.key_ids) == 1:
            raise CannotRotate("there is one key only: nothing to finish")
        if _old_stores(settings, vault):
            raise CannotRotate("the stored streams are still under the old key: restart mim up first")
        async with _bus(settings) as bus:
            await _settle(settings)
            report = await _nothing_left(bus, vault, settings, leave_orphans)
            if settings.secret_key is None:
                file = key_file(settings)
                file.replace(file.read()[:1])
            await _tell(bus, "finish_secret_key")
            return report


async def _nothing_left(bus: Bus, vault: Vault, settings: Settings, leave_orphans: bool) -> Report:
    # Commands first: what is no longer there has been written to the bucket that is looked at next.
    if waiting := await _waiting_commands(bus, vault):
        raise CannotRotate(f"{waiting} commands with secrets under the old key wait to be done; try again")
    report = await reseal(bus, vault, settings)
    if report.secrets.orphans and not leave_orphans:
        raise CannotRotate(
            f"{len(report.secrets.orphans)} secrets of no instance are still under the old key: "
            f"{', '.join(report.secrets.orphans[:20])}; with --leave-orphans nothing will open them any more"
        )
    return report


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One rotation at a time. Raises: CannotRotate."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CannotRotate(f"the data folder {folder} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRotate("another rotation is under way") from None
        yield
    finally:
        os.close(handle)


async def _settle(settings: Settings) -> None:
    if settings.secret_key is None:
        age_s = time.time() - key_file(settings).path.stat().st_mtime
        await asyncio.sleep(min(SETTLE_S, max(0.0, SETTLE_S - age_s)))


def _old_stores(settings: Settings, vault: Vault) -> list[Path]:
    if not is_embedded(settings):
        return []
    current = stores.store_of(settings, vault, vault.key_ids[0]).folder
    return [path for path in stores.stores(settings) if path != current]


# ----------------------------------------------------------------------------------------------------- the bus


def with_access(settings: Settings) -> Settings:
    """The settings with the address of the embedded server, unless they name one. Raises: CannotRotate."""
    if not is_embedded(settings):
        return settings
    path = stores.home(settings) / "access.json"
    try:
        access = json.loads(path.read_text())
    except (OSError, ValueError):
        raise CannotRotate(
            f"{path} does not say where the bus is; start the system, or choose its folder with --data-dir"
        ) from None
    found = {"nats_url": access["MIM_NATS_URL"], "nats_user": access["MIM_NATS_USER"]}
    return settings.model_copy(update=found | {"nats_password": SecretStr(access["MIM_NATS_PASSWORD"])})


def is_embedded(settings: Settings) -> bool:
    """Whether no other NATS server was named."""
    return "nats_url" not in settings.model_fields_set


@asynccontextmanager
async def _bus(settings: Settings) -> AsyncIterator[Bus]:
    connection = buses.connect(with_access(settings), "cli")
    try:
        bus = await asyncio.wait_for(connection.__aenter__(), CONNECT_S)
    except TimeoutError:
        raise CannotRotate("the bus does not answer; is the system running?") from None
    try:
        yield bus
    finally:
        await connection.__aexit__(None, None, None)


async def _tell(bus: Bus, action: str) -> None:
    await bus.emit(Audited(instance_id=SYSTEM, actor="mim secrets", action=action, origin="command line", ok=True))


async def _waiting_commands(bus: Bus, vault: Vault) -> int:
    entries, _ = await newest(bus, subjects.COMMANDS, subjects.INSTANCE_COMMANDS, 10_000)
    return sum(any(not vault.is_current(text) for text in _sealed_in(entry)) for entry in entries)


def _sealed_in(entry: Entry) -> list[str]:
    try:
        command = parse_command(entry.subject, entry.data or b"")
    except Invalid:
        return []
    return list(command.sealed.values()) if isinstance(command, CreateInstance | UpdateInstance) else []


# ------------------------------------------------------------------------------------------------- sealing anew


async def reseal(bus: Bus, vault: Vault, settings: Settings) -> Report:
    """Seal everything with the current key, and open it again. Raises: CannotRotate, Unavailable."""
    keys = [entry.subject for entry in await _entries(bus, subjects.SECRETS_BUCKET)]
    owners = await _owners(bus)  # after the secrets: those of a new instance are there before it is
    secrets, answers = Resealed(), Resealed()
    for key in keys:
        place = _place(key, owners)
        if place is None:
            await _orphan(bus, vault, key, secrets)
        else:
            await _renew(bus, subjects.SECRETS_BUCKET, key, _again(vault, place), secrets)
    for entry in await _entries(bus, subjects.IDEMPOTENCY_BUCKET):
        key = entry.subject
        await _renew(bus, subjects.IDEMPOTENCY_BUCKET, key, _answer_again(vault, key), answers)
    return Report(vault.key_ids, secrets, answers, _old_stores(settings, vault))


async def _entries(bus: Bus, bucket: str) -> list[Entry]:
    """What a bucket holds now."""
    found: list[Entry] = []
    batches = bus.follow_bucket(bucket)
    try:
        async for batch in batches:
            if not batch:
                break
            found += [entry for entry in batch if entry.data is not None]
    finally:
        await cast(AsyncGenerator[list[Entry]], batches).aclose()
    return found


async def _owners(bus: Bus) -> dict[str, str]:
    records = [
        InstanceRecord.model_validate_json(entry.data or b"")
        for entry in await _entries(bus, subjects.INSTANCES_BUCKET)
        if entry.subject != subjects.FOLD_POSITION_KEY
    ]
    return {record.id: record.user_id for record in records}


def _place(key: str, owners: dict[str, str]) -> tuple[str, str, str] | None:
    _, instance_id, name = key.split(".")
    owner = owners.get(instance_id)
    return None if owner is None else (owner, instance_id, name)


Again = Callable[[bytes], bytes | None]
"""A stored value sealed with the current key; None if it is already. Raises: SecretsUnreadable."""


def _again(vault: Vault, place: tuple[str, ...]) -> Again:
    def again(stored: bytes) -> bytes | None:
        sealed = stored.decode(errors="replace")
        plain = vault.open(sealed, *place)
        return None if vault.is_current(sealed) else vault.seal(plain, *place).encode()

    return again


def _answer_again(vault: Vault, key: str) -> Again:
    secret = "idempotency", key

    def again(stored: bytes) -> bytes | None:
        entry = Remembered.model_validate_json(stored)
        fresh = None if entry.answer is None else _again(vault, secret)(entry.answer.encode())
        return None if fresh is None else entry.model_copy(update={"answer": fresh.decode()}).model_dump_json().encode()

    return again


async def _renew(bus: Bus, bucket: str, key: str, again: Again, report: Resealed) -> None:
    """Seal one value anew, unless something newer came between; what was written is read and opened once more."""
    subject, wrote = subjects.bucket_subject(bucket, key), False
    for _ in range(TRIES):
        stored, revision = await bus.last(f"KV_{bucket}", subject)
        if stored is None:
            return
        try:
            fresh = again(stored)
        except SecretsUnreadable:
            report.unreadable.append(key)
            return
        if fresh is None:
            report.anew += wrote
            report.already += not wrote
            return
        try:
            await bus.publish(subject, fresh, expect=(subject, revision))
            wrote = True
        except Conflict:
            continue
    raise CannotRotate(f"{bucket} {key} changes all the time; try again")


async def _orphan(bus: Bus, vault: Vault, key: str, report: Resealed) -> None:
    stored, _ = await bus.last(f"KV_{subjects.SECRETS_BUCKET}", subjects.bucket_subject(subjects.SECRETS_BUCKET, key))
    if stored is not None and not vault.is_current(stored.decode(errors="replace")):
        report.orphans.append(key)
