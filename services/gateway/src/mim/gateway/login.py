"""The routes of logging in: QR code, pairing code, the present step, and how far it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from pydantic import SecretStr

from mim.contracts import subjects
from mim.contracts.answers import (
    AuthStatusAnswer,
    CurrentQr,
    LoginAnswer,
    PairingCode,
    QrAnswer,
    QrData,
    account_name,
    whatsapp_state,
)
from mim.contracts.api import LoginBody, PairingCodeBody, QrQuery, checked_token
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.login import LoginField, LoginFieldName, LoginKind, LoginStep
from mim.contracts.messages import UpdateInstance
from mim.contracts.records import InstanceRecord, SessionAnswer, SessionCall
from mim.contracts.states import AuthStatus, Provider, Status, UserAction, auth_status
from mim.gateway import qr
from mim.gateway.access import Access
from mim.gateway.instances import Instances
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.http import HttpError
from mim.runtime.messaging import not_ready
from mim.runtime.routing import Call, Handler
from mim.runtime.secrets import login_secret

QR_WAIT_S = 5.0
PAIRING_S = 21.0
LOGIN_S = 25.0
NEXT_S = 5.0
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Login:
    """Handlers for whoever logs an instance in."""

    bus: Bus
    model: ReadModel
    access: Access
    instances: Instances

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "qr": self.qr,
            "current_qr": self.current_qr,
            "login_step": self.step,
            "login": self.login,
            "pairing_code": self.pairing_code,
            "auth_status": self.auth_status,
        }

    async def auth_status(self, call: Call) -> web.StreamResponse:
        """How far the login is."""
        record = self.access.find(call)
        return http.answer(
            AuthStatusAnswer(
                status=record.status,
                auth_status=_auth(record),
                authenticated=record.logged_in,
                is_ready_for_messages=record.status.is_ready,
                account=account_name(record.account),
                phone_number=record.account.phone_number if record.account else None,
                whatsapp_state=whatsapp_state(record),
                last_seen=record.last_seen,
                reason=record.reason,
            )
        )

    # -------------------------------------------------------------------------------------------------- QR

    async def qr(self, call: Call) -> web.StreamResponse:
        """The QR code that waits now; while a login is just beginning, wait a moment for its first one."""
        form = http.read_query(call.request, QrQuery).format
        data = await self._current(call)
        match form:
            case "png":
                return web.Response(body=qr.png(data.code), content_type="image/png", headers=_NO_STORE)
            case "svg":
                return web.Response(body=qr.svg(data.code), content_type="image/svg+xml", headers=_NO_STORE)
            case "ascii":
                return web.Response(text=qr.ascii_art(data.code) + "\n", content_type="text/plain", headers=_NO_STORE)
            case "raw":
                return web.Response(text=data.code, content_type="text/plain", headers=_NO_STORE)
            case _:
                return http.answer(QrAnswer(**data.model_dump()), headers=_NO_STORE)

    async def current_qr(self, call: Call) -> web.StreamResponse:
        """The QR code in the older shape."""
        data = await self._current(call)
        return http.answer(CurrentQr(qr_code=data.qr_code, data=data), headers=_NO_STORE)

    async def _current(self, call: Call) -> QrData:
        record = self.access.find(call)
        if _is_beginning(record):
            try:
                record = (
                    await self.model.wait(record.id, lambda now: now is None or not _is_beginning(now), QR_WAIT_S)
                    or record
                )
            except TimeoutError:
                record = self.model.get(record.id) or record
        left_s = self._left_s(record)
        if record.qr is None or left_s <= 0:
            raise HttpError(
                ErrorCode.QR_NOT_AVAILABLE,
                f"there is no QR code to scan: the instance is {record.status} ({record.reason.message})",
                status=record.status,
                auth_status=_auth(record),
                reason=record.reason.model_dump(mode="json"),
            )
        code = record.qr.code
        return QrData(
            qr_code=qr.data_uri(code),
            code=code,
            expires_in=round(left_s),
            expires_at=record.qr.expires_at,
            auth_status=_auth(record),
        )

    def _left_s(self, record: InstanceRecord) -> float:
        if record.qr is None or record.status is not Status.QR_READY:
            return 0.0
        return (record.qr.expires_at - self.bus.now()).total_seconds()

    # ----------------------------------------------------------------------------------------------- steps

    async def step(self, call: Call) -> web.StreamResponse:
        """The one thing that is next."""
        record = self.access.find(call)
        return http.answer(LoginAnswer(login_step=login_step(record), status=record.status))

    async def login(self, call: Call) -> web.StreamResponse:
        """Answer the present step with its fields."""
        record = self.access.find(call)
        body = await http.read_body(call.request, LoginBody)
        given = {name for name in body.model_fields_set if getattr(body, name) is not None}
        fields = {field.name for field in login_step(record).fields}
        if not fields:
            raise not_ready(record, "nothing can be entered now")
        if not given & fields:
            raise http.invalid_fields([(name, "is what the present login step asks for") for name in sorted(fields)])
        if "token" in given & fields:
            return await self._new_token(call, record, body)
        if record.provider is Provider.WHATSAPPWEB and body.phone_number is not None:
            return await self._pairing_step(record, body.phone_number)
        return await self._enter(record, body)

    async def _pairing_step(self, record: InstanceRecord, phone_number: str) -> web.StreamResponse:
        paired = await self._pair(record, phone_number)
        step = LoginStep(
            type="display_code",
            instructions="On the phone: Linked devices, Link a device, Link with phone number; type the code",
            code=paired.code,
            expires_at=paired.expires_at,
        )
        return http.answer(LoginAnswer(login_step=step, status=record.status))

    async def _enter(self, record: InstanceRecord, body: LoginBody) -> web.StreamResponse:
        """Give the session what was entered, and answer with the step that follows."""
        plain: dict[LoginFieldName, SecretStr | str | None] = {
            "phone_number": body.phone_number,
            "code": body.code,
            "password": body.password,
        }
        sealed: dict[LoginFieldName, str] = {
            name: self._sealed(record, name, value) for name, value in plain.items() if value is not None
        }
        answer = await self._ask(SessionCall(instance_id=record.id, login=sealed), record, LOGIN_S)
        if answer.code is not None:
            raise _session_error(answer)
        now = record
        with suppress(TimeoutError):
            now = await self.model.wait(record.id, lambda seen: _moved(record, seen), NEXT_S) or record
        return http.answer(LoginAnswer(login_step=login_step(now), status=now.status))

    def _sealed(self, record: InstanceRecord, name: LoginFieldName, value: SecretStr | str) -> str:
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        return self.instances.secrets.seal(record.user_id, record.id, login_secret(name), plain.strip())

    async def _new_token(self, call: Call, record: InstanceRecord, body: LoginBody) -> web.StreamResponse:
        assert body.token is not None  # noqa: S101 - for the type checker
        try:
            token = checked_token(body.token).get_secret_value().strip()
        except ValueError as error:
            raise http.invalid_fields([("token", str(error))]) from None
        command = UpdateInstance(
            instance_id=record.id,
            actor=call.caller.name,
            origin=call.origin,
            sealed={"token": self.instances.secrets.seal(record.user_id, record.id, "token", token)},
            token_hint=token[-4:],
            start=True,
        )
        changed = await self.instances.apply(command, call)
        return http.answer(LoginAnswer(login_step=login_step(changed), status=changed.status), 202)

    async def pairing_code(self, call: Call) -> web.StreamResponse:
        """A code that is typed on the phone."""
        record = self.access.find(call)
        body = await http.read_body(call.request, PairingCodeBody)
        return http.answer(await self._pair(record, body.phone_number))

    async def _pair(self, record: InstanceRecord, phone_number: str) -> PairingCode:
        answer = await self._ask(SessionCall(instance_id=record.id, phone_number=phone_number), record, PAIRING_S)
        if answer.pairing_code is None or answer.expires_at is None:
            raise _session_error(answer)
        left_s = (answer.expires_at - self.bus.now()).total_seconds()
        return PairingCode(code=answer.pairing_code, expires_in=max(0, round(left_s)), expires_at=answer.expires_at)

    async def _ask(self, asked: SessionCall, record: InstanceRecord, within_s: float) -> SessionAnswer:
        """Ask the worker that holds the session. Raises: HttpError (NOT_READY), Unavailable (TIMEOUT)."""
        if record.worker is None or not record.status.is_live:
            raise not_ready(record, "no login is under way: start the instance")
        subject, payload = subjects.session_call(record.worker), asked.model_dump_json().encode()
        try:
            raw = await self.bus.request(subject, payload, within_s)
        except Unavailable:
            message = f"the worker {record.worker} did not answer; the instance is {record.status}: try again"
            raise Unavailable(ErrorCode.TIMEOUT, message) from None
        return SessionAnswer.model_validate_json(raw)


def _moved(before: InstanceRecord, now: InstanceRecord | None) -> bool:
    return now is None or now.instance_seq != before.instance_seq


def _session_error(answer: SessionAnswer) -> MimError:
    code = ErrorCode(answer.code) if answer.code and answer.code in ErrorCode.__members__ else ErrorCode.INTERNAL
    message = answer.message or "the worker could not do it"
    return Unavailable(code, message) if code is ErrorCode.TIMEOUT else MimError(code, message)


def login_step(record: InstanceRecord) -> LoginStep:
    """What is next for the login, from where the instance stands."""
    if record.login_step is not None:
        return record.login_step
    match record.status, record.reason.user_action:
        case Status.QR_READY, _:
            phone = LoginField(name="phone_number", label="Phone number, for a code instead of the QR", required=False)
            return LoginStep(
                type="display_qr",
                instructions=record.reason.message,
                fields=(phone,),
                code=record.qr.code if record.qr else None,
                expires_at=record.qr.expires_at if record.qr else None,
            )
        case ((Status.AUTHENTICATED | Status.CLIENT_READY | Status.RECONNECTING), _):
            return LoginStep(type="done", instructions=record.reason.message)
        case _, UserAction.NEW_TOKEN:
            token = LoginField(name="token", label="Bot token from @BotFather", required=True, secret=True)
            return LoginStep(type="input_code", instructions=record.reason.message, fields=(token,))
        case Status.ACTION_REQUIRED, _:
            kind = "passkey" if record.reason.code == ErrorCode.PASSKEY_REQUIRED else "confirm"
            return LoginStep(type=kind, instructions=record.reason.message)
        case Status.STOPPED, _ if record.logged_in:
            return LoginStep(type="done", instructions="Logged in; start the instance to go on")
        case _:
            return LoginStep(type="confirm", instructions=record.reason.message)


def _is_beginning(record: InstanceRecord) -> bool:
    shows_qr = record.provider is Provider.WHATSAPPWEB or record.login is LoginKind.USER
    return shows_qr and record.status in (Status.PENDING, Status.STARTING)


def _auth(record: InstanceRecord) -> AuthStatus:
    return auth_status(record.status, logged_in=record.logged_in)
