"""The routes of credentials: API keys of instances, access tokens of callers, and who changed what."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.answers import (
    ApiKeyData,
    AuditAnswer,
    AuditItem,
    Credentials,
    CurrentApiKey,
    MessageAnswer,
    Session,
    Token,
    TokenCreated,
    TokenList,
)
from mim.contracts.api import AuditQuery, CreateTokenBody
from mim.contracts.errors import ErrorCode, Invalid, MimError
from mim.contracts.messages import SYSTEM, Audited, UpdateInstance, unwrap
from mim.contracts.records import AccessToken, InstanceRecord, SessionCall
from mim.contracts.states import Expose
from mim.gateway.access import Access, Tokens
from mim.gateway.instances import Instances
from mim.gateway.workers import Workers
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.history import newest
from mim.runtime.routing import Call, Handler
from mim.runtime.store import Secrets

OBEYED_S = 2.5
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Keys:
    """Handlers around credentials."""

    bus: Bus
    access: Access
    tokens: Tokens
    instances: Instances
    secrets: Secrets
    workers: Workers

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "credentials": self.credentials,
            "current_api_key": self.current,
            "rotate_api_key": self.rotate,
            "session": self.session,
            "create_token": self.create_token,
            "tokens": self.list_tokens,
            "revoke_token": self.revoke_token,
            "audit": self.audit,
        }

    # --------------------------------------------------------------------------------------------- API keys

    async def credentials(self, call: Call) -> web.StreamResponse:
        """How to call the instance's own port."""
        record = self.access.find(call)
        key = await self._open(record)
        url = self.workers.url_of(record)
        if record.expose is Expose.GATEWAY:
            url = f"{call.request.url.origin()}/i/{record.id}"
        return http.answer(Credentials(api_key=key, api_url=url), headers=_NO_STORE)

    async def current(self, call: Call) -> web.StreamResponse:
        """The API key and how it was used."""
        record = self.access.find(call)
        return http.answer(self._answer(record, await self._open(record)), headers=_NO_STORE)

    async def rotate(self, call: Call) -> web.StreamResponse:
        """Replace the API key."""
        record = self.access.find(call)
        command = UpdateInstance(instance_id=record.id, actor=call.caller.name, origin=call.origin, rotate_api_key=True)
        changed = await self.instances.apply(command, call)
        await self._is_obeyed(changed)
        return http.answer(self._answer(changed, await self._open(changed)), headers=_NO_STORE)

    async def _is_obeyed(self, record: InstanceRecord) -> None:
        """Return when the instance's port knows the new key, so that whoever gets it can use it."""
        if record.worker is not None and record.api_key_sha256 is not None:
            asked = SessionCall(instance_id=record.id, api_key_sha256=record.api_key_sha256)
            with suppress(MimError):  # a worker that is away learns of the key before it opens the port
                await self.bus.request(subjects.session_call(record.worker), asked.model_dump_json().encode(), OBEYED_S)

    async def _open(self, record: InstanceRecord) -> str:
        key = await self.secrets.api_key(record, self.instances.model.get) if record.api_keys else None
        if key is None:
            raise MimError(ErrorCode.NOT_READY, f"the instance is {record.status}: it has no API key yet; try again")
        return key

    def _answer(self, record: InstanceRecord, key: str) -> CurrentApiKey:
        use = (self.instances.model.get(record.id) or record).api_keys[-1]
        data = ApiKeyData(
            api_key=key, generated_at=use.created_at, last_use=use.last_used_at, usage_count=use.usage_count
        )
        return CurrentApiKey(api_key=key, data=data)

    # ---------------------------------------------------------------------------------------- access tokens

    async def session(self, call: Call) -> web.StreamResponse:
        """Who calls, and what they may do."""
        caller = call.caller
        return http.answer(
            Session(name=caller.name, role=caller.role, user_id=caller.user_id, needs_token=self.access.needs_token)
        )

    async def create_token(self, call: Call) -> web.StreamResponse:
        """Make an access token."""
        body = await http.read_body(call.request, CreateTokenBody)
        text, token = await self.tokens.create(body, call.caller, call.seed.id("token")[-12:])
        return http.answer(TokenCreated(token=text, data=_shown(token)), 201, _NO_STORE)

    async def list_tokens(self, _call: Call) -> web.StreamResponse:
        """All access tokens."""
        data = [_shown(token) for token in self.tokens.all()]
        return http.answer(TokenList(data=data, total=len(data)))

    async def revoke_token(self, call: Call) -> web.StreamResponse:
        """Revoke an access token."""
        token = await self.tokens.revoke(call.request.match_info["token_id"])
        return http.answer(MessageAnswer(message=f"the token {token.name} is revoked"))

    # ----------------------------------------------------------------------------------------------- audit

    async def record(self, call: Call, error: MimError | None) -> None:
        """Tell who did what by a route that is audited here."""
        instance_id = call.request.match_info.get("id", "").lower() or SYSTEM
        with suppress(MimError):
            record = None if instance_id == SYSTEM else self.access.visible(call.caller, instance_id)
            await self.bus.emit(
                Audited(
                    instance_id=instance_id,
                    user_id=record.user_id if record else call.caller.user_id,
                    actor=call.caller.name,
                    action=call.route.operation,
                    origin=call.origin,
                    ok=error is None,
                    code=error.code if error else None,
                    message=error.message if error else _what(call),
                )
            )

    async def audit(self, call: Call) -> web.StreamResponse:
        """Who changed what, newest first."""
        query = http.read_query(call.request, AuditQuery)
        about = query.instance_id
        subject = subjects.ALL_AUDITS if about is None else subjects.audits_of(about)
        since = self.bus.now() - timedelta(hours=query.hours)
        entries, _ = await newest(self.bus, subjects.EVENTS, subject, query.limit, since=since)
        data = [item for entry in reversed(entries) if (item := _audit_item(entry.data or b""))]
        return http.answer(AuditAnswer(data=data, count=len(data), limit=query.limit))


def _what(call: Call) -> str:
    """The token or worker that the call is about."""
    parts = call.request.match_info
    return (parts.get("token_id") or parts.get("worker", ""))[:63]


def _shown(token: AccessToken) -> Token:
    return Token(**token.model_dump(exclude={"sha256"}))


def _audit_item(data: bytes) -> AuditItem | None:
    try:
        envelope = unwrap(data)
    except Invalid:
        return None
    if envelope is None or not isinstance(envelope.data, Audited):
        return None
    return AuditItem(timestamp=envelope.time, **envelope.data.model_dump())
