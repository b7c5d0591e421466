"""A bucket of typed values with compare-and-set, and the secrets that are sealed in one.

A handler never sees a revision: `Store.change` loads, lets a function decide, and saves only if nothing newer came
between; otherwise it does it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Generic, TypeVar

from pydantic import BaseModel

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, NotReady, Unavailable
from mim.contracts.records import InstanceRecord
from mim.runtime.bus import Bus, Conflict
from mim.runtime.secrets import API_KEY, Vault

Value = TypeVar("Value", bound=BaseModel)
CHANGE_TRIES = 50
SEE_S, SEE_TRIES = 0.4, 3
REMOVED_S = 30 * 86_400
"""How long a bucket remembers that a key was removed: longer than anybody is away, not for ever."""


class Store(Generic[Value]):
    """One bucket whose values are all of one model."""

    def __init__(self, bus: Bus, bucket: str, model: type[Value]) -> None:
        self._bus = bus
        self._bucket = bucket
        self._model = model

    async def load(self, key: str) -> tuple[Value | None, int]:
        """The value and its revision; (None, revision or 0) if there is none.

        Raises: Unavailable if the bus does not answer.
        """
        data, revision = await _read(self._bus, self._bucket, key)
        return (None if data is None else self._model.model_validate_json(data)), revision

    async def save(self, key: str, value: Value, *, revision: int | None = None) -> int:
        """Store a value; with `revision` only if that is still the newest (0: if the key is new).

        Raises: Conflict, Unavailable.
        """
        return await _write(self._bus, self._bucket, key, value.model_dump_json().encode(), revision)

    async def create(self, key: str, value: Value) -> int | None:
        """Store a value if the key holds none; its revision, None if the key holds one. Raises: Unavailable."""
        there, revision = await _create(self._bus, self._bucket, key, value.model_dump_json().encode())
        return revision if there is None else None

    async def change(self, key: str, decide: Callable[[Value | None], Value | None]) -> Value | None:
        """Replace a value by what `decide` makes of it; None leaves it as it is. Returns what is stored afterwards.

        `decide` may be called several times and must have no effects. Raises: Unavailable.
        """
        for _ in range(CHANGE_TRIES):
            current, revision = await self.load(key)
            wanted = decide(current)
            if wanted is None:
                return current
            try:
                await self.save(key, wanted, revision=revision)
            except Conflict:
                continue
            return wanted
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"{self._bucket} is too busy; try again")

    async def remove(self, key: str, *, revision: int | None = None) -> None:
        """Remove a key; removing one that is not there is no error. With `revision` only if that is still the newest.

        Raises: Conflict, Unavailable.
        """
        await _remove(self._bus, self._bucket, key, revision)

    async def follow(self, keys: str = ">") -> AsyncIterator[list[tuple[str, Value | None]]]:
        """Every key as it is, then as it changes (None: removed); an empty list says 'you are up to date'."""
        async for batch in self._bus.follow_bucket(self._bucket, keys):
            yield [
                (entry.subject, None if entry.data is None else self._model.model_validate_json(entry.data))
                for entry in batch
            ]


class Secrets:
    """The sealed secrets of instances, bound to their owner."""

    def __init__(self, bus: Bus, vault: Vault) -> None:
        self._bus = bus
        self._vault = vault

    def seal(self, user_id: str, instance_id: str, name: str, plain: str) -> str:
        """Seal one secret for its place."""
        return self._vault.seal(plain, user_id, instance_id, name)

    def unseal(self, user_id: str, instance_id: str, name: str, sealed: str) -> str:
        """Open what `seal` made for the same place. Raises: SecretsUnreadable."""
        return self._vault.open(sealed, user_id, instance_id, name)

    async def put(self, provider: str, instance_id: str, name: str, sealed: str) -> None:
        """Store a sealed secret, replacing an older one."""
        await _write(
            self._bus, subjects.SECRETS_BUCKET, subjects.secret_key(provider, instance_id, name), sealed.encode(), None
        )

    async def put_new(self, provider: str, instance_id: str, name: str, sealed: str) -> str:
        """Store a sealed secret unless there is one; returns the one that is stored."""
        key = subjects.secret_key(provider, instance_id, name)
        there, _ = await _create(self._bus, subjects.SECRETS_BUCKET, key, sealed.encode())
        return sealed if there is None else there.decode()

    async def put_once(self, provider: str, instance_id: str, name: str, sealed: str) -> str | None:
        """Store a sealed secret unless there is one or was one; returns the one that is stored, None if it was removed.

        Raises: Unavailable.
        """
        key = subjects.secret_key(provider, instance_id, name)
        try:
            await _write(self._bus, subjects.SECRETS_BUCKET, key, sealed.encode(), 0)
        except Conflict:
            there, revision = await _read(self._bus, subjects.SECRETS_BUCKET, key)
            if revision == 0:
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the server that answers lags behind") from None
            return None if there is None else there.decode()
        return sealed

    async def open(self, user_id: str, provider: str, instance_id: str, name: str) -> str | None:
        """The secret in the clear; None if there is none. Raises: SecretsUnreadable, Unavailable."""
        return (await self.load(user_id, provider, instance_id, name))[0]

    async def open_all(self, user_id: str, provider: str, instance_id: str, names: tuple[str, ...]) -> dict[str, str]:
        """The named secrets in the clear. For one that is not to be seen it looks again: the server that answered may
        lag behind. Raises: NotReady if it stays unseen, SecretsUnreadable, Unavailable."""
        opened: dict[str, str] = {}
        for turn in range(SEE_TRIES):
            await asyncio.sleep(turn * SEE_S)
            for name in set(names) - opened.keys():
                if (value := await self.open(user_id, provider, instance_id, name)) is not None:
                    opened[name] = value
            if not (unseen := set(names) - opened.keys()):
                return opened
        message = f"what is stored as {', '.join(sorted(unseen))} is not to be seen yet; set it anew if this stays so"
        raise NotReady(ErrorCode.BUS_UNAVAILABLE, message)

    async def api_key(self, record: InstanceRecord, now: Callable[[str], InstanceRecord | None]) -> str | None:
        """An instance's API key, as `seen`: the one of which its record, as `now` finds it by then, knows the hash."""

        def fits(key: str, _revision: int) -> bool:
            return sha256(key.encode()).hexdigest() == (now(record.id) or record).api_key_sha256

        return await self.seen(record.user_id, record.provider, record.id, API_KEY, fits)

    async def seen(
        self, user_id: str, provider: str, instance_id: str, name: str, fits: Callable[[str, int], bool]
    ) -> str | None:
        """The secret in the clear if it fits, by itself or its revision; None if no such one is to be seen, though it
        looks again: the server that answered may lag behind. Raises: SecretsUnreadable, Unavailable."""
        for turn in range(SEE_TRIES):
            await asyncio.sleep(turn * SEE_S)
            found, revision = await self.load(user_id, provider, instance_id, name)
            if found is not None and fits(found, revision):
                return found
        return None

    async def load(self, user_id: str, provider: str, instance_id: str, name: str) -> tuple[str | None, int]:
        """As `open`, with the revision for `replace`."""
        key = subjects.secret_key(provider, instance_id, name)
        data, revision = await _read(self._bus, subjects.SECRETS_BUCKET, key)
        return (None if data is None else self.unseal(user_id, instance_id, name, data.decode())), revision

    async def replace(self, provider: str, instance_id: str, name: str, sealed: str | None, revision: int) -> int:
        """Store a sealed secret, or remove it, if `revision` is still the newest. Returns the new one.

        Raises: Conflict, Unavailable.
        """
        key = subjects.secret_key(provider, instance_id, name)
        if sealed is None:
            return await _remove(self._bus, subjects.SECRETS_BUCKET, key, revision)
        return await _write(self._bus, subjects.SECRETS_BUCKET, key, sealed.encode(), revision)

    async def remove_all(self, provider: str, instance_id: str, names: tuple[str, ...]) -> None:
        """Remove the named secrets of an instance so that not even a tombstone's history holds them."""
        for name in names:
            await _remove(self._bus, subjects.SECRETS_BUCKET, subjects.secret_key(provider, instance_id, name))


async def _read(bus: Bus, bucket: str, key: str) -> tuple[bytes | None, int]:
    return await bus.last(f"KV_{bucket}", f"$KV.{bucket}.{key}")


async def _write(bus: Bus, bucket: str, key: str, data: bytes, revision: int | None) -> int:
    subject = f"$KV.{bucket}.{key}"
    return await bus.publish(subject, data, expect=None if revision is None else (subject, revision))


async def _create(bus: Bus, bucket: str, key: str, data: bytes) -> tuple[bytes | None, int]:
    """Write a key that holds nothing; returns what it held (None: it is written) and its revision. Most are new, so
    looking comes second."""
    revision = 0
    for _ in range(CHANGE_TRIES):
        try:
            return None, await _write(bus, bucket, key, data, revision)
        except Conflict:
            there, revision = await _read(bus, bucket, key)
            if there is not None:
                return there, revision
    raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"{bucket} is too busy; try again")


async def _remove(bus: Bus, bucket: str, key: str, revision: int | None = None) -> int:
    # A purge with rollup drops the earlier value from the file at once; a plain delete would need history 1 to age.
    subject = f"$KV.{bucket}.{key}"
    headers = {"KV-Operation": "PURGE", "Nats-Rollup": "sub", "Nats-TTL": f"{REMOVED_S}s"}
    return await bus.publish(subject, b"", headers=headers, expect=None if revision is None else (subject, revision))
