"""Messages to instances that do not exist: nobody's worker takes them, so they are failed here, with the reason.

A program may publish a message just before or after its instance is created or deleted, so one that nobody knows is
looked at twice.
"""

from __future__ import annotations

import asyncio

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import MessageFailed, SendMessage
from mim.lifecycle.model import ReadModel
from mim.runtime.bus import SILENT, Bus
from mim.runtime.flow import Entry
from mim.runtime.history import newest, subjects_in
from mim.runtime.service import park

log = structlog.get_logger()
EVERY_S = 30.0
AT_A_TIME = 100


class Orphans:
    """Finds and fails them."""

    def __init__(self, bus: Bus, model: ReadModel) -> None:
        self._bus = bus
        self._model = model
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
        """Fail what was nobody's at the last look already. Raises: Unavailable if the bus is away."""
        waiting = await subjects_in(self._bus, subjects.OUTBOX)
        nobodys = {subject for subject in waiting if self._model.get(subjects.last_token(subject)) is None}
        for subject in nobodys & self._suspected:
            entries, _ = await newest(self._bus, subjects.OUTBOX, subject, AT_A_TIME)
            for entry in entries:
                await self._fail(entry)
        self._suspected = nobodys

    async def _fail(self, entry: Entry) -> None:
        try:
            message = SendMessage.model_validate_json(entry.data or b"")
        except ValidationError as error:
            unread = Msg(self._bus.nc, subject=entry.subject, data=entry.data or b"")
            await park(self._bus, self._bus.source, unread, error)
        else:
            event = MessageFailed(
                instance_id=message.instance_id,
                provider=message.provider,
                id=message.id,
                to=message.to,
                code=ErrorCode.NOT_FOUND,
                message="there is no such instance: nobody could send the message",
            )
            await self._bus.emit(event, id=f"{message.instance_id}/{message.id}/{event.name}")
            log.warning("orphan_failed", instance_id=message.instance_id, message_id=message.id)
        try:
            await self._bus.js.delete_msg(subjects.OUTBOX, entry.seq)
        except NotFoundError:
            return
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error
