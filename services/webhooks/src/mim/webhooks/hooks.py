"""The webhooks of all instances, as the read model has them, and the secrets that go with them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from mim.contracts import subjects
from mim.contracts.deliveries import WEBHOOK_SECRET
from mim.contracts.errors import ErrorCode, NotReady, Unavailable
from mim.contracts.fields import UUID_PATTERN, Model
from mim.contracts.messages import UpdateInstance, command_subject
from mim.contracts.states import Provider, Status
from mim.contracts.values import Webhook
from mim.runtime.bus import Bus
from mim.runtime.secrets import SecretsUnreadable
from mim.runtime.store import Secrets
from mim.webhooks.target import random_secret

HEADERS = "webhook_headers"
ACTOR = "webhooks"
_UUID = re.compile(UUID_PATTERN)


class Hook(Model):
    """What of an instance's record matters here."""

    id: str
    user_id: str
    provider: Provider
    status: Status
    secrets: tuple[str, ...] = ()
    webhook: Webhook | None = None
    instance_seq: int = 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a request needs beside its body."""

    secret: str
    headers: dict[str, str]


class Hooks:
    """Filled by `run`. `changed` is called with the id of each instance whose record changed."""

    def __init__(self, bus: Bus, secrets: Secrets) -> None:
        self._bus = bus
        self._secrets = secrets
        self._hooks: dict[str, Hook] = {}
        self._moved = asyncio.Event()
        self.changed: Callable[[str], None] = lambda _instance_id: None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Follow the read model for ever."""
        async for batch in self._bus.follow_bucket(subjects.INSTANCES_BUCKET):
            for entry in batch:
                if _UUID.fullmatch(entry.subject):
                    self._take(entry.subject, entry.data)
            self._moved.set()
            self._moved = asyncio.Event()
            if not batch:
                self.ready.set()

    def _take(self, instance_id: str, data: bytes | None) -> None:
        if data is None:
            self._hooks.pop(instance_id, None)
        else:
            self._hooks[instance_id] = Hook.model_validate_json(data)
        self.changed(instance_id)

    def get(self, instance_id: str) -> Hook | None:
        """What the read model has of an instance; None if it has none."""
        hook = self._hooks.get(instance_id)
        return None if hook is None or hook.status is Status.DELETED else hook

    async def shows(self, instance_id: str, seq: int, timeout_s: float) -> None:
        """Return when the status event `seq` of an instance is in its record, or after `timeout_s` if nobody folds."""
        try:
            async with asyncio.timeout(timeout_s):
                while (hook.instance_seq if (hook := self._hooks.get(instance_id)) else 0) < seq:
                    await self._moved.wait()
        except TimeoutError:
            return

    # ---------------------------------------------------------------------------------------------- secrets

    async def open(self, hook: Hook) -> Sealed:
        """What goes into a request beside its body. Raises: NotReady, SecretsUnreadable, Unavailable."""
        secret, headers = await self.signing(hook), await self._headers(hook)
        return Sealed(secret, orjson.loads(headers) if headers else {})

    async def _headers(self, hook: Hook) -> str | None:
        names = (HEADERS,) if HEADERS in hook.secrets else ()
        return (await self._secrets.open_all(hook.user_id, hook.provider, hook.id, names)).get(HEADERS)

    async def signing(self, hook: Hook) -> str:
        """The secret that signs, made if there is none yet. Raises: Unavailable, SecretsUnreadable."""
        found = await self._secrets.open(hook.user_id, hook.provider, hook.id, WEBHOOK_SECRET)
        if found is not None:
            return found
        stored = await self._secrets.put_new(hook.provider, hook.id, WEBHOOK_SECRET, self._new(hook))
        return self._secrets.unseal(hook.user_id, hook.id, WEBHOOK_SECRET, stored)

    async def rotate(self, hook: Hook) -> None:
        """Replace the secret that signs; the old one is good for nothing from now on. Raises: Unavailable."""
        await self._secrets.put(hook.provider, hook.id, WEBHOOK_SECRET, self._new(hook))

    def _new(self, hook: Hook) -> str:
        return self._secrets.seal(hook.user_id, hook.id, WEBHOOK_SECRET, random_secret())

    async def forget(self, instance_id: str) -> None:
        """Remove the signing secret of an instance that is gone. Raises: Unavailable."""
        hook = self._hooks.get(instance_id)
        for provider in Provider if hook is None else (hook.provider,):
            # Without looking: the server that is asked may lag behind.
            await self._secrets.remove_all(provider, instance_id, (WEBHOOK_SECRET,))

    # ------------------------------------------------------------------------------------------------ pause

    async def switch_off(self, hook: Hook, command_id: str) -> None:
        """Switch a webhook off for its owner to see, because the target wants no more. Raises: Unavailable."""
        assert hook.webhook is not None  # noqa: S101 - for the type checker
        command = UpdateInstance(
            instance_id=hook.id,
            actor=ACTOR,
            origin=ACTOR,
            webhook=hook.webhook.model_copy(update={"enabled": False}),
            sealed=await self._sealed_headers(hook),  # a webhook is replaced together with its headers
        )
        await self._bus.publish(command_subject(command), command.model_dump_json().encode(), msg_id=command_id)

    async def _sealed_headers(self, hook: Hook) -> dict[str, str]:
        try:
            plain = await self._headers(hook)
        except (SecretsUnreadable, NotReady):
            raise Unavailable(ErrorCode.INTERNAL, "the headers of the webhook cannot be opened") from None
        return {} if plain is None else {HEADERS: self._secrets.seal(hook.user_id, hook.id, HEADERS, plain)}
