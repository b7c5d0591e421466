"""The routes of instances: create, list, get, change."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web
from pydantic import SecretStr

from mim.contracts.answers import (
    BatchItem,
    BatchStatus,
    Changed,
    Created,
    CreationDetails,
    CreationPending,
    InstanceAnswer,
    MessageAnswer,
    ProcessResult,
    instance_of,
)
from mim.contracts.api import (
    BatchBody,
    CreateInstanceBody,
    ListQuery,
    UpdateInstanceBody,
    WebhookBody,
    checked_proxy,
    checked_token,
)
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import ChangeInstance, CreateInstance, SecretName, UpdateInstance, Verb
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Provider, Status, auth_status
from mim.contracts.values import Webhook
from mim.gateway.access import Access
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.commands import Commands
from mim.runtime.routing import Call, Handler
from mim.runtime.store import Secrets

CREATE_S = 2.0
CHANGE_S = 5.0

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

    model: ReadModel
    access: Access
    commands: Commands
    secrets: Secrets

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "create": self.create,
            "list": self.list,
            "batch_status": self.batch_status,
            "get": self.get,
            "update": self.update,
            "clear_errors": self.clear_errors,
            **{verb.value: self._change(verb) for verb in Verb},
        }

    # ---------------------------------------------------------------------------------------------- create

    async def create(self, call: Call) -> web.StreamResponse:
        """Accept an instance and answer when port and key are assigned, at the latest after CREATE_S with 202."""
        body = await http.read_body(call.request, CreateInstanceBody)
        if call.caller.user_id not in (None, body.user_id):
            raise MimError(ErrorCode.FORBIDDEN, "this token may create instances for its own user only")
        command = self._command(body, call)
        await self.commands.create(command)
        try:
            record = await self.model.wait(command.instance_id, _is_assigned, CREATE_S)
        except TimeoutError:
            return self._pending(command.instance_id)
        if record is None or record.api_key_sha256 is None:
            raise _creation_failed(record)
        return await self._created(record)

    def _command(self, body: CreateInstanceBody, call: Call) -> CreateInstance:
        instance_id = call.seed.id("instance")
        token = body.bot_token() if body.provider is Provider.TELEGRAM else None
        hook = body.api_webhook_schema
        return CreateInstance(
            instance_id=instance_id,
            actor=call.caller.name,
            origin=call.origin,
            user_id=body.user_id,
            provider=body.provider,
            login=body.login,
            type_instance=body.type_instance,
            expose=body.expose,
            isolation=body.isolation,
            name=body.name,
            start=body.start,
            webhook=webhook_of(hook) if hook else None,
            sealed=self._seal(body.user_id, instance_id, token, body.proxy, hook),
            token_hint=token[-4:] if token else None,
        )

    def _seal(
        self, user_id: str, instance_id: str, token: str | None, proxy: SecretStr | None, hook: WebhookBody | None
    ) -> dict[SecretName, str]:
        plain: dict[SecretName, str | None] = {
            "token": token,
            "proxy": proxy.get_secret_value() if proxy else None,
            "webhook_headers": orjson.dumps(hook.headers).decode() if hook and hook.headers else None,
        }
        return {
            name: self.secrets.seal(user_id, instance_id, name, value)
            for name, value in plain.items()
            if value is not None
        }

    def _pending(self, instance_id: str) -> web.Response:
        record = self.model.get(instance_id)
        return http.answer(
            CreationPending(
                instance_id=instance_id,
                instance=instance_of(record) if record else None,
                message="accepted; port and key are still being assigned",
                status=record.status if record else Status.PENDING,
                status_check_url=f"/api/v1/instances/{instance_id}",
            ),
            202,
        )

    async def _created(self, record: InstanceRecord) -> web.Response:
        api_key = await self.secrets.api_key(record, self.model.get)
        if api_key is None:
            now = self.model.get(record.id)
            if now is None or now.status is Status.DELETED:
                raise MimError(ErrorCode.NOT_FOUND, f"the instance {record.id} was deleted meanwhile")
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "its API key is not to be seen yet; ask again")
        return http.answer(
            Created(
                instance_id=record.id,
                instance=instance_of(record),
                message="the instance is created",
                status=record.status,
                port=record.ports.api,
                api_key=api_key,
                process_result=ProcessResult(details=CreationDetails(ports=record.ports, api_key=api_key)),
            ),
            201,
        )

    # ------------------------------------------------------------------------------------------------ read

    async def list(self, call: Call) -> web.StreamResponse:
        """The instances that fit the filters, a page of them."""
        query = http.read_query(call.request, ListQuery)
        found = self.access.records(call.caller, query)
        page = self.model.join(found[query.offset : query.offset + query.limit])
        head = b'{"success":true,"total":%d,"limit":%d,"offset":%d,"instances":['
        body = head % (len(found), query.limit, query.offset) + page + b"]}"
        return web.Response(body=body, content_type="application/json")

    async def get(self, call: Call) -> web.StreamResponse:
        """One instance."""
        return shown(self.model, self.access.find(call))

    async def batch_status(self, call: Call) -> web.StreamResponse:
        """Where many instances stand; those of others are not found."""
        body = await http.read_body(call.request, BatchBody)
        data, not_found = [], []
        for instance_id in dict.fromkeys(body.instance_ids):
            try:
                record = self.access.visible(call.caller, instance_id)
            except MimError:
                not_found.append(instance_id)
                continue
            data.append(
                BatchItem(
                    id=record.id,
                    status=record.status,
                    auth_status=auth_status(record.status, logged_in=record.logged_in),
                    is_ready_for_messages=record.status.is_ready,
                )
            )
        return http.answer(BatchStatus(data=data, not_found=not_found))

    # ---------------------------------------------------------------------------------------------- change

    def _change(self, verb: Verb) -> Handler:
        async def change(call: Call) -> web.StreamResponse:
            record = self.access.find(call)
            command = ChangeInstance(instance_id=record.id, verb=verb, actor=call.caller.name, origin=call.origin)
            try:
                outcome = await self.commands.change(command, call.seed.id("command"))
            except Unavailable as error:
                if error.code is not ErrorCode.TIMEOUT:
                    raise
                return self._accepted(record.id, error.message)  # it is stored
            return await self._changed(record.id, verb, outcome.instance_seq)

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
            status = record.status if record else Status.DELETED
            return self._accepted(instance_id, f"accepted, not {_DONE[verb]} yet: the instance is {status}")
        if verb is Verb.DELETE:
            return http.answer(MessageAnswer(message="the instance is deleted"))
        if record is None or record.status is Status.DELETED:
            raise MimError(ErrorCode.NOT_FOUND, f"the instance {instance_id} was deleted meanwhile")
        return http.answer(Changed(message=f"the instance is {_DONE[verb]}", instance=instance_of(record)))

    def _accepted(self, instance_id: str, message: str) -> web.Response:
        record = self.model.get(instance_id)
        return http.answer(Changed(message=message, instance=instance_of(record) if record else None), 202)

    async def update(self, call: Call) -> web.StreamResponse:
        """Change what the body names; null removes a name, webhook or proxy."""
        record = self.access.find(call)
        body = await http.read_body(call.request, UpdateInstanceBody)
        _check_update(record.provider, body)
        hook, given = body.api_webhook_schema, body.model_fields_set
        token = body.token.get_secret_value().strip() if body.token else None
        values = {"name": body.name, "webhook": hook, "proxy": body.proxy}
        fields = {"name": "name", "webhook": "api_webhook_schema", "proxy": "proxy"}
        command = UpdateInstance(
            instance_id=record.id,
            actor=call.caller.name,
            origin=call.origin,
            name=body.name,
            webhook=webhook_of(hook) if hook else None,
            sealed=self._seal(record.user_id, record.id, token, body.proxy, hook),
            removed=tuple(name for name, value in values.items() if value is None and fields[name] in given),
            token_hint=token[-4:] if token else None,
        )
        changed = await self.apply(command, call)
        return http.answer(InstanceAnswer(instance=instance_of(changed)))

    async def clear_errors(self, call: Call) -> web.StreamResponse:
        """Begin the count of errors anew."""
        record = self.access.find(call)
        command = UpdateInstance(instance_id=record.id, actor=call.caller.name, origin=call.origin, clear_errors=True)
        changed = await self.apply(command, call)
        return http.answer(Changed(message="the errors are cleared", instance=instance_of(changed)))

    async def apply(self, command: UpdateInstance, call: Call) -> InstanceRecord:
        """Send an update and return the record that shows it. Raises: MimError, Unavailable."""
        outcome = await self.commands.change(command, call.seed.id("command"))
        try:
            record = await self.model.wait(
                command.instance_id, lambda now: now is None or now.instance_seq >= outcome.instance_seq, CHANGE_S
            )
        except TimeoutError:
            raise Unavailable(ErrorCode.TIMEOUT, "the change is done, but does not show yet; look again") from None
        if record is None:
            raise self.model.unknown(command.instance_id)
        return record


def webhook_of(hook: WebhookBody) -> Webhook:
    """A webhook without its secrets."""
    return Webhook(enabled=hook.enabled, url=hook.url, filters=hook.filters)


def _check_update(provider: Provider, body: UpdateInstanceBody) -> None:
    problems: list[tuple[str, str]] = []
    if "token" in body.model_fields_set and body.token is None:
        problems.append(("token", "cannot be removed, only replaced"))
    elif body.token is not None and provider is not Provider.TELEGRAM:
        problems.append(("token", f"is not used by {provider}"))
    try:
        if body.token is not None and not problems:
            checked_token(body.token)
    except ValueError as error:
        problems.append(("token", str(error)))
    try:
        if body.proxy is not None:
            checked_proxy(body.proxy, provider)
    except ValueError as error:
        problems.append(("proxy", str(error)))
    if problems:
        raise http.invalid_fields(problems)


def _is_assigned(record: InstanceRecord | None) -> bool:
    return record is not None and (record.api_key_sha256 is not None or record.status in (Status.ERROR, Status.DELETED))


def _creation_failed(record: InstanceRecord | None) -> MimError:
    if record is None:
        return Unavailable(ErrorCode.INTERNAL, "the instance could not be created; try again")
    code = ErrorCode(record.reason.code) if record.reason.code in ErrorCode.__members__ else ErrorCode.INTERNAL
    if code is ErrorCode.NO_ENGINE:  # waiting does not help
        return MimError(code, record.reason.message)
    return Unavailable(code, record.reason.message, retry_after_s=30)


def shown(model: ReadModel, record: InstanceRecord) -> web.Response:
    """The answer that shows an instance."""
    body = b'{"success":true,"instance":' + model.json(record) + b"}"
    return web.Response(body=body, content_type="application/json")


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
