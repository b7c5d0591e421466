"""The routes of instances: create, list, get, change, log in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from mim.contracts.api import CreateInstanceBody, instance_view, whatsapp_state
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import ChangeInstance, CreateInstance, Verb
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Provider, Status, auth_status
from mim.contracts.values import Webhook
from mim.gateway import qr
from mim.gateway.commands import Commands
from mim.gateway.idempotency import Idempotency, Seed
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.http import HttpError
from mim.runtime.store import Secrets

CREATE_S = 2.0
CHANGE_S = 5.0
QR_WAIT_S = 5.0
MAX_LIMIT = 5000
DEFAULT_LIMIT = 100

_DONE = {
    Verb.START: "started",
    Verb.STOP: "stopped",
    Verb.RESTART: "restarted",
    Verb.LOGOUT: "logged out",
    Verb.DELETE: "deleted",
}


@dataclass(frozen=True, slots=True)
class Instances:
    """Handlers around the read model; changes go out as commands."""

    bus: Bus
    model: ReadModel
    commands: Commands
    secrets: Secrets
    idempotency: Idempotency

    def routes(self) -> list[web.RouteDef]:
        """All routes of this part."""
        base = "/api/v1/instances"
        one = base + "/{id}"
        changes = [web.post(f"{one}/{verb}", self._change(verb)) for verb in Verb if verb is not Verb.DELETE]
        return [
            web.post(base, self.create),
            web.get(base, self.list),
            web.get(one, self.get),
            web.delete(one, self._change(Verb.DELETE)),
            *changes,
            web.get(f"{one}/qr", self.qr),
            web.get(f"{one}/current-qr", self.current_qr),
            web.get(f"{one}/auth-status", self.auth_status),
        ]

    # ---------------------------------------------------------------------------------------------- create

    async def create(self, request: web.Request) -> web.Response:
        """Accept an instance and answer when port and key are assigned, at the latest after CREATE_S with 202."""
        body = await http.read_body(request, CreateInstanceBody)

        async def act(seed: Seed) -> web.Response:
            command = self._command(body, seed.id("instance"))
            await self.commands.create(command)
            try:
                record = await self.model.wait(command.instance_id, _is_assigned, CREATE_S)
            except TimeoutError:
                return self._pending(command.instance_id)
            if record is None or record.api_key_sha256 is None:
                raise _creation_failed(record)
            return await self._created(record)

        return await self.idempotency.once(request, act)

    def _command(self, body: CreateInstanceBody, instance_id: str) -> CreateInstance:
        plain = {"token": body.bot_token() if body.provider is Provider.TELEGRAM else None}
        plain["proxy"] = body.proxy.get_secret_value() if body.proxy else None
        hook = body.api_webhook_schema
        plain["webhook_headers"] = orjson.dumps(hook.headers).decode() if hook and hook.headers else None
        token = plain["token"]
        return CreateInstance(
            instance_id=instance_id,
            actor="rest",
            user_id=body.user_id,
            provider=body.provider,
            type_instance=body.type_instance,
            name=body.name,
            start=body.start,
            webhook=Webhook(enabled=hook.enabled, url=hook.url, filters=hook.filters) if hook else None,
            sealed={
                name: self.secrets.seal(body.user_id, instance_id, name, value)
                for name, value in plain.items()
                if value is not None
            },
            token_hint=token[-4:] if token else None,
        )

    def _pending(self, instance_id: str) -> web.Response:
        record = self.model.get(instance_id)
        return http.success(
            202,
            instance_id=instance_id,
            instance=instance_view(record) if record else None,
            message="accepted; port and key are still being assigned",
            status=record.status if record else Status.PENDING,
            status_check_url=f"/api/v1/instances/{instance_id}",
        )

    async def _created(self, record: InstanceRecord) -> web.Response:
        api_key = await self.secrets.open(record.user_id, record.provider, record.id, "api_key")
        ports = record.ports.model_dump()
        return http.success(
            201,
            instance_id=record.id,
            instance=instance_view(record),
            message="the instance is created",
            status=record.status,
            port=record.ports.api,
            api_key=api_key,
            process_result={"success": True, "details": {"ports": ports, "api_key": api_key}},
        )

    # ------------------------------------------------------------------------------------------------ read

    async def list(self, request: web.Request) -> web.Response:
        """The instances that fit the filters, a page of them."""
        query = request.query
        limit = _number(query.get("limit"), "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        offset = _number(query.get("offset"), "offset", 0, 0, 10**9)
        found = filtered(
            self.model,
            user_id=query.get("user_id") or query.get("company_id"),
            provider=query.get("provider"),
            status=query.get("status"),
            search=query.get("search"),
        )
        page = b",".join(self.model.json(record) for record in found[offset : offset + limit])
        head = b'{"success":true,"total":%d,"limit":%d,"offset":%d,"instances":[' % (len(found), limit, offset)
        return web.Response(body=head + page + b"]}", content_type="application/json")

    async def get(self, request: web.Request) -> web.Response:
        """One instance."""
        record = self.model.find(request.match_info["id"])
        body = b'{"success":true,"instance":' + self.model.json(record) + b"}"
        return web.Response(body=body, content_type="application/json")

    async def auth_status(self, request: web.Request) -> web.Response:
        """How far the login is."""
        record = self.model.find(request.match_info["id"])
        view = instance_view(record)
        return http.success(
            status=record.status,
            auth_status=view["auth_status"],
            authenticated=record.logged_in,
            is_ready_for_messages=record.status.is_ready,
            account=view["account"],
            phone_number=view["phone_number"],
            whatsapp_state=whatsapp_state(record),
            last_seen=view["last_seen"],
            reason=view["reason"],
        )

    # ---------------------------------------------------------------------------------------------- change

    def _change(self, verb: Verb) -> http.Route:
        async def change(request: web.Request) -> web.StreamResponse:
            record = self.model.find(request.match_info["id"])

            async def act(seed: Seed) -> web.Response:
                command = ChangeInstance(instance_id=record.id, verb=verb, actor="rest")
                outcome = await self.commands.change(command, seed.id("command"))
                return await self._changed(record.id, verb, outcome.instance_seq)

            return await self.idempotency.once(request, act)

        return change

    async def _changed(self, instance_id: str, verb: Verb, seq: int) -> web.Response:
        def arrived(record: InstanceRecord | None) -> bool:
            if record is None or record.status is Status.DELETED:
                return True
            return record.instance_seq >= seq and _has_effect(record, verb)

        try:
            record = await self.model.wait(instance_id, arrived, CHANGE_S)
        except TimeoutError:
            record = self.model.get(instance_id)
            message = f"accepted, not {_DONE[verb]} yet: the instance is {record.status if record else 'deleted'}"
            return http.success(202, message=message, instance=instance_view(record) if record else None)
        if verb is Verb.DELETE:
            return http.success(message="the instance is deleted")
        if record is None:
            raise MimError(ErrorCode.NOT_FOUND, f"the instance {instance_id} was deleted meanwhile")
        return http.success(message=f"the instance is {_DONE[verb]}", instance=instance_view(record))

    # -------------------------------------------------------------------------------------------------- QR

    async def qr(self, request: web.Request) -> web.Response:
        """The QR code that waits now; while a login is just beginning, wait a moment for its first one."""
        record, code, left_s = await self._current(request)
        match request.query.get("format"):
            case None | "json":
                return http.success(**_qr_fields(record, code, left_s), auth_status=_auth(record))
            case "png":
                return web.Response(body=qr.png(code), content_type="image/png", headers=_NO_STORE)
            case "svg":
                return web.Response(body=qr.svg(code), content_type="image/svg+xml", headers=_NO_STORE)
            case "ascii":
                return web.Response(text=qr.ascii_art(code) + "\n", content_type="text/plain", headers=_NO_STORE)
            case "raw":
                return web.Response(text=code, content_type="text/plain", headers=_NO_STORE)
            case _:
                raise http.invalid_fields([("format", "must be json, png, svg, ascii or raw")])

    async def current_qr(self, request: web.Request) -> web.Response:
        """The QR code in the older shape."""
        record, code, left_s = await self._current(request)
        fields = _qr_fields(record, code, left_s)
        return http.success(qr_code=fields["qr_code"], data={**fields, "auth_status": _auth(record)})

    async def _current(self, request: web.Request) -> tuple[InstanceRecord, str, float]:
        record = self.model.find(request.match_info["id"])
        if _is_beginning(record):
            try:
                record = (
                    await self.model.wait(record.id, lambda now: now is None or not _is_beginning(now), QR_WAIT_S)
                    or record
                )
            except TimeoutError:
                record = self.model.get(record.id) or record
        left_s = (record.qr.expires_at - self.bus.now()).total_seconds() if record.qr else 0.0
        if record.status is not Status.QR_READY or record.qr is None or left_s <= 0:
            raise HttpError(
                ErrorCode.QR_NOT_AVAILABLE,
                f"there is no QR code to scan: the instance is {record.status} ({record.reason.message})",
                status=record.status,
                auth_status=_auth(record),
                reason=record.reason.model_dump(mode="json"),
            )
        return record, record.qr.code, left_s


_NO_STORE = {"Cache-Control": "no-store"}


def _is_assigned(record: InstanceRecord | None) -> bool:
    return record is not None and (record.api_key_sha256 is not None or record.status in (Status.ERROR, Status.DELETED))


def _creation_failed(record: InstanceRecord | None) -> MimError:
    if record is None:
        return Unavailable(ErrorCode.INTERNAL, "the instance could not be created; try again")
    code = ErrorCode(record.reason.code) if record.reason.code in ErrorCode.__members__ else ErrorCode.INTERNAL
    return Unavailable(code, record.reason.message, retry_after_s=30)


def _has_effect(record: InstanceRecord, verb: Verb) -> bool:
    match verb:
        case Verb.STOP:
            return record.status is Status.STOPPED
        case Verb.LOGOUT:
            return record.status is Status.LOGGED_OUT
        case Verb.DELETE:
            return False
        case _:
            return record.status.is_live or record.status in (Status.ERROR, Status.LOGGED_OUT)


def _is_beginning(record: InstanceRecord) -> bool:
    return record.provider is Provider.WHATSAPPWEB and record.status in (Status.PENDING, Status.STARTING)


def _qr_fields(record: InstanceRecord, code: str, left_s: float) -> dict[str, Any]:
    expires_at = record.qr.model_dump(mode="json")["expires_at"] if record.qr else None
    return {"qr_code": qr.data_uri(code), "code": code, "expires_in": round(left_s), "expires_at": expires_at}


def _auth(record: InstanceRecord) -> str:
    return auth_status(record.status, logged_in=record.logged_in)


def _number(given: str | None, name: str, default: int, least: int, most: int) -> int:
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 10 or not least <= int(given) <= most:
        raise http.invalid_fields([(name, f"must be a whole number from {least} to {most}")])
    return int(given)


def filtered(
    model: ReadModel,
    *,
    user_id: str | None = None,
    provider: str | None = None,
    status: str | None = None,
    search: str | None = None,
) -> list[InstanceRecord]:
    """The records that fit all given filters. Raises: HttpError for a provider or status that does not exist."""
    if provider is not None and provider not in list(Provider):
        raise http.invalid_fields([("provider", f"must be one of {', '.join(Provider)}")])
    if status is not None and status not in list(Status):
        raise http.invalid_fields([("status", f"must be one of {', '.join(Status)}")])
    needle = search.casefold() if search else None

    def fits(record: InstanceRecord) -> bool:
        return (
            (user_id is None or record.user_id == user_id)
            and (provider is None or record.provider == provider)
            and (status is None or record.status == status)
            and (needle is None or needle in _haystack(record))
        )

    return [record for record in model.records() if fits(record)]


def _haystack(record: InstanceRecord) -> str:
    account = record.account
    parts = [record.id, record.user_id, record.display_name, record.provider, str(record.ports.api)]
    if account:
        parts += [account.username, account.first_name, account.phone_number]
    return "\n".join(part for part in parts if part).casefold()
