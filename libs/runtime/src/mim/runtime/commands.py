"""Commands onto the bus, and what became of them."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from nats.aio.msg import Msg

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import (
    ChangeInstance,
    CreateInstance,
    Outcome,
    UpdateInstance,
    action_of,
    command_subject,
)
from mim.runtime.bus import Bus
from mim.runtime.history import count

OUTCOME_S = 5.0
LOOK_S = 1.0
LAST_REPLY_S = 0.3


class Commands:
    """Publishes commands durably and waits for the outcomes that lifecycle replies."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = ""
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}

    async def listen(self) -> None:
        """Subscribe to the outcomes of this process's commands."""
        self._inbox = self._bus.nc.new_inbox()  # of this service's own: nobody else may listen there
        await self._bus.nc.subscribe(f"{self._inbox}.*", cb=self._arrive)

    async def _arrive(self, msg: Msg) -> None:
        future = self._waiting.get(subjects.last_token(msg.subject))
        if future is not None and not future.done():
            future.set_result(Outcome.model_validate_json(msg.data))

    async def create(self, command: CreateInstance) -> None:
        """Store a create command; doing so twice for one id is harmless. Raises: Unavailable."""
        await self._bus.publish(
            command_subject(command), command.model_dump_json().encode(), msg_id=f"create/{command.instance_id}"
        )

    async def change(self, command: ChangeInstance | UpdateInstance, command_id: str) -> Outcome:
        """Store a command to an instance and wait for its outcome.

        Raises: MimError with the code of a refusal, Unavailable if the bus is away or lifecycle does not answer.
        """
        ticket = uuid4().hex
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        told = command.model_copy(update={"reply_to": f"{self._inbox}.{ticket}"})
        try:
            payload = told.model_dump_json().encode()
            await self._bus.publish(command_subject(command), payload, msg_id=command_id)
            outcome = await self._outcome(command, future)
        finally:
            del self._waiting[ticket]
        if not outcome.ok:
            raise MimError(ErrorCode(outcome.code or ErrorCode.INTERNAL), outcome.message)
        return outcome

    async def _outcome(self, command: ChangeInstance | UpdateInstance, future: asyncio.Future[Outcome]) -> Outcome:
        """What became of a command. One that was done before, for an earlier request with the same id, has told its
        outcome then: it is no longer in the queue, and no reply will come."""
        for _ in range(int(OUTCOME_S / LOOK_S)):
            await asyncio.wait({future}, timeout=LOOK_S)
            if not future.done() and await count(self._bus, subjects.COMMANDS, command_subject(command)) == 0:
                await asyncio.wait({future}, timeout=LAST_REPLY_S)  # the reply comes before the command is taken out
                if not future.done():
                    return Outcome(instance_id=command.instance_id, ok=True, message="it was done before")
            if future.done():
                return future.result()
        what = action_of(command).replace("_", " ")
        message = f"the command to {what} the instance is stored and will be done, but not within {OUTCOME_S:g} s"
        raise Unavailable(ErrorCode.TIMEOUT, message)
