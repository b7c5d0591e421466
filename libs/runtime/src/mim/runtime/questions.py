"""What a worker is asked about the sessions that it holds, over the bus: a login step, a pairing code, a new key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import nats.errors
import structlog
from nats.aio.msg import Msg
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Rejected
from mim.contracts.login import LoginFieldName
from mim.contracts.messages import problems
from mim.contracts.records import SessionAnswer, SessionCall, SessionOrder
from mim.runtime.bus import Bus
from mim.runtime.runner import Runner
from mim.runtime.secrets import login_secret
from mim.runtime.store import Secrets

log = structlog.get_logger()

MOST_QUESTIONS = 64
KEY_S = 2.0


class Questions:
    """Answers them, some at a time. `runners` are those of the worker by instance."""

    def __init__(self, bus: Bus, runners: Mapping[str, Runner], secrets: Secrets) -> None:
        self._bus = bus
        self._secrets = secrets
        self._runners = runners
        self._answering: set[asyncio.Task[None]] = set()

    async def listen(self, worker: str) -> None:
        """Subscribe to what is asked of a worker."""
        await self._bus.nc.subscribe(subjects.session_call(worker), cb=self._asked)

    async def _asked(self, msg: Msg) -> None:
        if len(self._answering) >= MOST_QUESTIONS:
            busy = SessionAnswer(code=ErrorCode.TIMEOUT, message="the worker is asked too much at once; try again")
            await msg.respond(busy.model_dump_json().encode())
            return
        task = asyncio.create_task(self._answer(msg))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, msg: Msg) -> None:
        try:
            asked = SessionCall.model_validate_json(msg.data)
            answer = await self._about(asked)
        except ValidationError as error:
            answer = SessionAnswer(code=ErrorCode.INVALID_MESSAGE, message=problems(error))
        except MimError as error:
            answer = SessionAnswer(code=error.code, message=error.message)
        except TimeoutError:
            answer = SessionAnswer(code=ErrorCode.TIMEOUT, message="the worker has not heard of the new key yet")
        except Exception:
            log.exception("session_call_failed")
            answer = SessionAnswer(code=ErrorCode.INTERNAL, message="something broke in the worker; its log says what")
        with suppress(nats.errors.Error):
            await msg.respond(answer.model_dump_json().encode())

    async def _about(self, asked: SessionCall) -> SessionAnswer:
        runner = self._runners.get(asked.instance_id)
        if runner is None:
            raise Rejected(ErrorCode.NOT_READY, "the worker does not hold the instance any more; try again")
        if asked.api_key_sha256 is not None:
            async with asyncio.timeout(KEY_S):
                while runner.order.api_key_sha256 != asked.api_key_sha256:  # noqa: ASYNC110 - it is a few ms away
                    await asyncio.sleep(0.005)
            return SessionAnswer()
        session = runner.session
        if asked.login is not None:
            if session is None:
                raise Rejected(ErrorCode.NOT_READY, f"the instance is {runner.status}: it asks for nothing now")
            await session.answer_login(self._opened(runner.order, asked.login))
            return SessionAnswer()
        if session is None:
            message = f"the instance is {runner.status}: a pairing code can be had while a QR code is shown"
            raise Rejected(ErrorCode.NOT_READY, message)
        code, until = await session.pairing_code(asked.phone_number or "")
        return SessionAnswer(pairing_code=code, expires_at=until)

    def _opened(self, order: SessionOrder, sealed: Mapping[LoginFieldName, str]) -> dict[LoginFieldName, str]:
        """What a person entered, in the clear."""
        place = (order.user_id, order.instance_id)
        return {name: self._secrets.unseal(*place, login_secret(name), text) for name, text in sealed.items()}
