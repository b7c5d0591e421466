"""Who calls, and what of the system they may see.

With an admin token set, every call needs a credential; without one (loopback only) whoever is on this machine may do
everything, but a wrong credential is still wrong. Access tokens are known by their SHA-256 only and followed live, so
that a revoked one is dead within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_urlsafe

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.api import CreateTokenBody, FilterQuery
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.records import AccessToken, InstanceRecord
from mim.contracts.routes import Route, Scope
from mim.contracts.states import Role
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.activity import Activity
from mim.runtime.bus import Bus
from mim.runtime.http import TooManyRequests
from mim.runtime.instance_port import key_fits
from mim.runtime.ratelimit import RateLimit
from mim.runtime.routing import WRONG_PER_MINUTE, Call, Caller, count_call
from mim.runtime.settings import Settings
from mim.runtime.store import Store

WRONG = "this credential is not valid here"
WEBSOCKET_BEARER = "bearer."
ANYBODY = Caller("anybody", Role.VIEWER)
LOCAL = Caller("local", Role.ADMIN)
ADMIN = Caller("admin", Role.ADMIN, limit="admin")
EVERYTHING = FilterQuery()


class Tokens:
    """The access tokens, in memory as they are in their bucket."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._store = Store(bus, subjects.TOKENS_BUCKET, AccessToken)
        self._by_id: dict[str, AccessToken] = {}
        self._by_hash: dict[str, AccessToken] = {}
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Follow the bucket for ever."""
        async for batch in self._store.follow():
            for token_id, token in batch:
                self._take(token_id, token)
            if not batch:
                self.ready.set()

    def _take(self, token_id: str, token: AccessToken | None) -> None:
        before = self._by_id.pop(token_id, None)
        if before is not None:
            self._by_hash.pop(before.sha256, None)
        if token is not None:
            self._by_id[token_id] = token
            self._by_hash[token.sha256] = token

    def find(self, given: str, now: datetime) -> AccessToken | None:
        """The token that was given, if there is one and it is still good."""
        return _good(self._by_hash.get(_hash(given)), now)

    def get(self, token_id: str, now: datetime) -> AccessToken | None:
        """The token with an id, if it is still good."""
        return _good(self._by_id.get(token_id), now)

    def all(self) -> list[AccessToken]:
        """All tokens, oldest first."""
        return sorted(self._by_id.values(), key=lambda token: (token.created_at, token.id))

    async def create(self, body: CreateTokenBody, caller: Caller, token_id: str) -> tuple[str, AccessToken]:
        """Make a token; the text is known to nobody afterwards. The same id again replaces it. Raises: Unavailable."""
        now = self._bus.now()
        text = f"mimt_{token_urlsafe(32)}"
        days = body.expires_in_days
        token = AccessToken(
            id=token_id,
            name=body.name,
            role=body.role,
            user_id=body.user_id,
            sha256=_hash(text),
            created_at=now,
            created_by=caller.name,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        await self._store.save(token.id, token)
        self._take(token.id, token)
        return text, token

    async def revoke(self, token_id: str) -> AccessToken:
        """Remove a token. Raises: MimError (NOT_FOUND), Unavailable."""
        token = self._by_id.get(token_id)
        if token is None:
            raise MimError(ErrorCode.NOT_FOUND, f"there is no access token {token_id[:40]!r}")
        await self._store.remove(token_id)
        self._take(token_id, None)
        return token


def _good(token: AccessToken | None, now: datetime) -> AccessToken | None:
    return None if token is None or (token.expires_at is not None and token.expires_at <= now) else token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


class Access:
    """Tells who calls, and shows each caller what is theirs. `clock` is monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        model: ReadModel,
        tokens: Tokens,
        activity: Activity,
        limit: RateLimit,
        clock: Callable[[], float],
    ) -> None:
        self._admin = settings.admin_token.get_secret_value() if settings.admin_token else None
        self._model = model
        self._tokens = tokens
        self._activity = activity
        self._limit = limit
        self._wrong = RateLimit(WRONG_PER_MINUTE, clock)

    @property
    def needs_token(self) -> bool:
        """Whether calls need a credential."""
        return self._admin is not None

    def admit(self, request: web.Request, route: Route) -> Caller:
        """Who calls a route. Raises: MimError (UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS)."""
        caller = self._caller(request, route)
        if route.scope is Scope.OPEN:
            return caller
        if route.scope is Scope.SYSTEM and caller.user_id is not None:
            raise MimError(ErrorCode.FORBIDDEN, "this is for operators of the whole system; the token is for one user")
        if not caller.role.may(route.role):
            raise MimError(
                ErrorCode.FORBIDDEN, f"this needs the role {route.role}; the token has the role {caller.role}"
            )
        return caller

    def _caller(self, request: web.Request, route: Route) -> Caller:
        if route.scope is Scope.OPEN:
            return ANYBODY
        if (found := self.at_once(request)) is not None:
            return found
        given = _credential(request)
        if given is None:
            raise MimError(ErrorCode.UNAUTHORIZED, "send an access token as 'Authorization: Bearer <token>'")
        found = self._by_key(request, given) if route.key_opens else None
        if found is None:
            raise MimError(ErrorCode.UNAUTHORIZED, WRONG)
        return found

    def at_once(self, request: web.Request) -> Caller | None:
        """Who calls with an access token, or without one where none is needed; None for everybody else."""
        given = _credential(request)
        if given is None:
            return LOCAL if self._admin is None else None
        return self.by_token(given)

    def by_token(self, given: str) -> Caller | None:
        """Whose token this is; None if it is none."""
        if self._admin is not None and http.same(given, self._admin):
            return ADMIN
        token = self._tokens.find(given, self._model.now())
        if token is None:
            return None
        return Caller(f"token {token.name} ({token.id})"[:128], token.role, token.user_id, limit=token.id)

    def _by_key(self, request: web.Request, given: str) -> Caller | None:
        record = self._model.get(request.match_info.get("id", "").lower())
        if record is None or not record.api_key_sha256 or not key_fits(given, record.api_key_sha256):
            return None
        self._activity.called(record.id, record.api_key_sha256)
        name = f"key of {record.id}"
        return Caller(name, Role.OPERATOR, record.user_id, instance_id=record.id, limit=record.api_key_sha256)

    def wrong(self, request: web.Request) -> MimError:
        """What to answer to a credential that is not valid; guessing is slowed down."""
        allowance = self._wrong.take(request.remote or "")
        if allowance is not None and allowance.retry_after_s:
            return TooManyRequests(allowance)
        return MimError(ErrorCode.UNAUTHORIZED, WRONG)

    def still_admits(self, caller: Caller) -> bool:
        """Whether the credential of a caller that was admitted is still good: streams go on for hours."""
        if caller.limit is None or caller is ADMIN:
            return True
        return self._tokens.get(caller.limit, self._model.now()) is not None

    def limited(self, caller: Caller) -> None:
        """Count a call. Raises: TooManyRequests."""
        count_call(self._limit, caller)

    # --------------------------------------------------------------------------------------------- visible

    def find(self, call: Call) -> InstanceRecord:
        """The instance in the path. Raises: MimError (NOT_FOUND) if there is none, or it is another's."""
        return self.visible(call.caller, call.request.match_info["id"])

    def visible(self, caller: Caller, instance_id: str) -> InstanceRecord:
        """An instance that the caller may see. Raises: MimError (NOT_FOUND)."""
        record = self._model.find(instance_id)
        if not sees(caller, record):
            raise self._model.unknown(instance_id)
        return record

    def records(self, caller: Caller, query: FilterQuery = EVERYTHING) -> list[InstanceRecord]:
        """The instances that the caller may see and that fit what is asked for, oldest first."""
        owner = caller.user_id or query.user_id or query.company_id
        if caller.instance_id is not None:
            own = self._model.get(caller.instance_id)
            found = [] if own is None or not _fits(own, query) else [own]
        elif owner is not None:
            found = [record for record in self._model.records_of(owner) if _fits(record, query)]
        else:
            found = self._model.records(query.provider, query.status)
        needle = query.search.strip().casefold() if query.search else ""
        return [record for record in found if needle in self._model.text(record)] if needle else found


def sees(caller: Caller, record: InstanceRecord) -> bool:
    """Whether an instance is the caller's."""
    if caller.instance_id is not None:
        return record.id == caller.instance_id
    return caller.user_id is None or record.user_id == caller.user_id


def _credential(request: web.Request) -> str | None:
    return http.bearer(request) or _websocket_bearer(request)


def _websocket_bearer(request: web.Request) -> str | None:
    """A browser cannot set headers on a WebSocket, and a URL is no place for a token: it goes as a subprotocol."""
    offered = request.headers.get("Sec-WebSocket-Protocol")
    for part in offered.split(",") if offered else ():
        if part.strip().startswith(WEBSOCKET_BEARER):
            return part.strip().removeprefix(WEBSOCKET_BEARER) or None
    return None


def _fits(record: InstanceRecord, query: FilterQuery) -> bool:
    user_id = query.user_id or query.company_id
    return (
        (user_id is None or record.user_id == user_id)
        and (query.provider is None or record.provider is query.provider)
        and (query.status is None or record.status is query.status)
    )
