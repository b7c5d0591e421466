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

OUTCOME_S = 5.0


class Commands:
    """Publishes commands durably and waits for the outcomes that lifecycle replies."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = f"mim.reply.{uuid4().hex}"
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}

    async def listen(self) -> None:
        """Subscribe to the outcomes of this process's commands."""
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
            await self._bus.publish(
                command_subject(command),
                told.model_dump_json().encode(),
                msg_id=command_id,
            )
            async with asyncio.timeout(OUTCOME_S):
                outcome = await future
        except TimeoutError:
            raise Unavailable(
                ErrorCode.TIMEOUT,
                f"the {action_of(command)} was accepted and will be done, but is not confirmed after {OUTCOME_S:g} s",
            ) from None
        finally:
            del self._waiting[ticket]
        if not outcome.ok:
            raise MimError(ErrorCode(outcome.code or ErrorCode.INTERNAL), outcome.message)
        return outcome
