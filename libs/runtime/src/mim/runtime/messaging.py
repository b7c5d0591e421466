"""What the gateway and the ports of instances answer alike: messages that are sent, files that come and go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from mim.contracts.answers import Answer, Queued, Sent, Uploaded
from mim.contracts.api import SendBody
from mim.contracts.errors import ErrorCode
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage
from mim.contracts.providers import check_supported
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Status
from mim.contracts.stored import MediaRow
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.http import HttpError
from mim.runtime.media import BLOCK, MediaStore
from mim.runtime.routing import Call
from mim.runtime.runner import Runner
from mim.runtime.sending import Sender
from mim.runtime.settings import Settings

SEND_DEADLINE_S = 15.0
_OURS = frozenset({ErrorCode.NO_WORKER, ErrorCode.BUS_UNAVAILABLE})
"""Why an instance is not connected when its messenger is not the reason."""


async def send_any(call: Call, stands: Runner | InstanceRecord, sender: Sender, bus: Bus) -> web.StreamResponse:
    """Say or do what the request's body says.

    Raises: HttpError (NOT_READY) if the instance is not ready and the body does not let it wait, Rejected
        (NOT_SUPPORTED) if its provider has nothing like it, Unavailable.
    """
    body = await http.read_body(call.request, SendBody)
    known = stands if isinstance(stands, InstanceRecord) else stands.order
    check_supported(known.provider, known.login, body)
    if not (may_wait(stands) or body.queue):
        raise not_ready(stands)
    message = SendMessage(
        id=call.seed.id("message"),
        instance_id=_id_of(stands),
        provider=known.provider,
        expires_at=bus.now() + timedelta(seconds=body.expires_in_s),
        actor=call.caller.name,
        **body.fields(),
    )
    outcome = None
    if may_wait(stands):
        outcome = await sender.send(message, SEND_DEADLINE_S)
    else:
        await sender.queue(message)
    return send_answer(message, outcome, lambda sent: sent_answer(sent, bus.now()))


def may_wait(stands: Runner | InstanceRecord) -> bool:
    """Whether a message is taken and its outcome waited for: the instance is ready, or will be in a moment, as its
    account is logged in and it is only between two workers."""
    comes = stands.status in (Status.STARTING, Status.AUTHENTICATED) or stands.reason.code in _OURS
    return stands.status.is_ready or (stands.status.is_live and stands.logged_in and comes)


def sent_answer(outcome: MessageSent, at: datetime) -> Sent:
    """The answer to a message that the messenger took."""
    return Sent(
        id=outcome.id,
        messageId=outcome.messenger_id,
        message_id=outcome.messenger_id,
        to=outcome.to,
        provider=outcome.provider,
        timestamp=at,
    )


def _id_of(stands: Runner | InstanceRecord) -> str:
    return stands.id if isinstance(stands, InstanceRecord) else stands.order.instance_id


def not_ready(stands: Runner | InstanceRecord, message: str | None = None) -> HttpError:
    """The 409 of an instance that cannot do it now."""
    closed = "the instance has no session at the moment; it comes back by itself" if stands.status.is_ready else None
    text = message or closed or f"the instance is {stands.status}, not client_ready: {stands.reason.message}"
    reason = stands.reason.model_dump(mode="json")
    return HttpError(ErrorCode.NOT_READY, text, instance_id=_id_of(stands), status=stands.status, reason=reason)


def send_answer(
    message: SendMessage, outcome: MessageSent | MessageFailed | None, answer: Callable[[MessageSent], Answer]
) -> web.Response:
    """200 with what the messenger said, 202 while it is still queued, or the messenger's refusal."""
    if outcome is None:
        return http.answer(Queued(id=message.id, to=message.to, provider=message.provider), 202)
    if isinstance(outcome, MessageFailed):
        code = ErrorCode(outcome.code) if outcome.code in ErrorCode.__members__ else ErrorCode.MESSENGER_REFUSED
        raise HttpError(code, outcome.message, id=message.id, to=message.to)
    return http.answer(answer(outcome))


async def upload(call: Call, instance_id: str, store: MediaStore, settings: Settings, bus: Bus) -> web.StreamResponse:
    """Take in a file of an instance, block by block. Raises: MimError (TOO_LARGE, INVALID_FIELDS), Unavailable."""
    blocks = call.request.content.iter_chunked(BLOCK)
    folder = settings.data_dir / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken = await store.upload(instance_id, blocks, folder, settings.media_max_bytes)
    answer = Uploaded(
        upload=taken.id,
        content_type=taken.content_type,
        size_bytes=taken.size_bytes,
        expires_at=bus.now() + timedelta(days=1),
    )
    return http.answer(answer, 201)


async def send_file(request: web.Request, path: Path, media: MediaRow) -> web.StreamResponse:
    """A file as the answer: never shown by a browser as part of a page, whatever it is."""
    name = quote(media.fileName or media.kind)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
    }
    response = web.StreamResponse(headers=headers)
    with path.open("rb") as file:
        response.content_length = os.fstat(file.fileno()).st_size
        await response.prepare(request)
        while block := await asyncio.to_thread(file.read, BLOCK):
            await response.write(block)
    await response.write_eof()
    return response
