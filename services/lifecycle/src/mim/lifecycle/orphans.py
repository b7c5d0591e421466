"""Messages that no worker takes are failed here, with the reason: those to instances that do not exist, and those whose
time is over while nobody holds their instance, such as one that is stopped.

A program may publish a message just before or after its instance is created or deleted, so one to nobody is looked at
twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import MessageFailed, SendMessage
from mim.contracts.records import InstanceRecord
from mim.lifecycle.model import ReadModel
from mim.runtime.bus import SILENT, Bus
from mim.runtime.flow import Entry
from mim.runtime.history import newest, subjects_in
from mim.runtime.service import park

log = structlog.get_logger()
EVERY_S = 30.0
AT_A_TIME = 100
OVERDUE = timedelta(seconds=30)
"""Workers fail what expires themselves; one that is about to take the instance over is not forestalled."""


class Orphans:
    """Finds and fails them. `held(record)` says whether a live worker holds an instance."""

    def __init__(self, bus: Bus, model: ReadModel, held: Callable[[InstanceRecord], bool]) -> None:
        self._bus = bus
        self._model = model
        self._held = held
        self._suspected: set[str] = set()

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except MimError as error:
                log.warning("orphans_not_looked_for", code=error.code, why=error.message)

    async def look(self) -> None:
        """Fail what was nobody's at the last look already, and what is overdue. Raises: Unavailable."""
        nobodys: set[str] = set()
        for subject in await subjects_in(self._bus, subjects.OUTBOX, subjects.MESSAGE_COMMANDS):
            record = self._model.get(subjects.last_token(subject))
            if record is None:
                nobodys.add(subject)
            if (record is None and subject in self._suspected) or (record is not None and not self._held(record)):
                entries, _ = await newest(self._bus, subjects.OUTBOX, subject, AT_A_TIME)
                for entry in entries:
                    await self._fail(entry, record)
        self._suspected = nobodys

    async def _fail(self, entry: Entry, record: InstanceRecord | None) -> None:
        try:
            message = SendMessage.model_validate_json(entry.data or b"")
        except ValidationError as error:
            unread = Msg(self._bus.nc, subject=entry.subject, data=entry.data or b"")
            await park(self._bus, self._bus.source, unread, error)
        else:
            if record is not None and message.expires_at + OVERDUE > self._bus.now():
                return
            await self._tell(message, record)
        await self._remove(entry)

    async def _tell(self, message: SendMessage, record: InstanceRecord | None) -> None:
        code, text = ErrorCode.NOT_FOUND, "there is no such instance: nobody could send the message"
        if record is not None:
            code = ErrorCode.NOT_READY
            text = f"it waited too long: the instance is {record.status} ({record.reason.message})"
        event = MessageFailed(
            instance_id=message.instance_id,
            provider=message.provider,
            id=message.id,
            to=message.to,
            code=code,
            message=text,
        )
        await self._bus.emit(event, id=f"{message.instance_id}/{message.id}/{event.name}")
        log.warning("orphan_failed", instance_id=message.instance_id, message_id=message.id)

    async def _remove(self, entry: Entry) -> None:
        try:
            await self._bus.js.delete_msg(subjects.OUTBOX, entry.seq)
        except NotFoundError:
            return
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error
