"""What gateway and instance ports have in common over HTTP: one error shape, one way to read a body, one guard.

A JSON body is read whatever the content type says (curl's default is a form). Because loopback needs no credentials,
a web page of another site must not get in: foreign `Host` names (DNS rebinding) and requests that a browser marks as
another site's (`Origin`, `Sec-Fetch-Site`: https://www.w3.org/TR/fetch-metadata/) are refused.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar, cast
from uuid import uuid4

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from mim.contracts.answers import Shape
from mim.contracts.api import Query
from mim.contracts.errors import ErrorCode, MimError, Unavailable, http_status
from mim.contracts.fields import Model
from mim.runtime import tracing
from mim.runtime.logs import correlated, correlation
from mim.runtime.ratelimit import Allowance
from mim.runtime.settings import is_loopback
from mim.runtime.traffic import Traffic

log = structlog.get_logger()
Body = TypeVar("Body", bound=Model)
Asked = TypeVar("Asked", bound=Query)

UNKNOWN = "unknown"
"""The route of a request that fits none, for metrics and traces."""
MAX_BODY_BYTES = 1_000_000
FILE_METHOD = "PUT"
"""Bodies of this method are files: whoever takes one reads it block by block, and sees to its size and its time."""
BODY_S = 30.0
GRACE_S = 0.3
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class HttpError(MimError):
    """An error answer with fields of its own, such as `details` or the present status."""

    def __init__(self, code: ErrorCode, message: str, **fields: Any) -> None:
        super().__init__(code, message)
        self.fields = fields


class TooManyRequests(MimError):
    """The caller has used up what it may ask for; `headers` say so to programs."""

    def __init__(self, allowance: Allowance) -> None:
        message = f"too many requests: {allowance.limit} a minute; try again in {allowance.retry_after_s} s"
        super().__init__(ErrorCode.TOO_MANY_REQUESTS, message)
        self.headers = {"Retry-After": str(allowance.retry_after_s), **allowance.headers()}


def answer(body: Shape, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer of the contract as JSON."""
    raw = body.model_dump_json(by_alias=True).encode()
    return web.Response(body=raw, status=status, content_type="application/json", headers=headers)


def json_answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def error_answer(error: MimError, request_id: str) -> web.Response:
    """An error answer of the contract."""
    status = http_status(error.code)
    headers = {"X-Request-Id": request_id}
    if isinstance(error, TooManyRequests):
        headers |= error.headers
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    elif status == 503:
        headers["Retry-After"] = "5"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    fields = error.fields if isinstance(error, HttpError) else {}
    body = {"success": False, "error": error.message, "code": error.code, "request_id": request_id, **fields}
    return json_answer(body, status, headers)


Check = Callable[[web.Request], None]
Mark = Callable[[web.Request, web.StreamResponse], None]


class Ending:
    """What is still being answered when a server ends: after a moment it is told to come again, not broken off."""

    def __init__(self) -> None:
        self.over = False
        self._answering: set[asyncio.Task[Any]] = set()

    async def answer(self, request: web.Request, answer: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        """The answer, if it comes before the end."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._answering.add(task)
        try:
            return await answer
        except asyncio.CancelledError:
            if not self.over or request.writer.output_size > 0:  # of a stream it has begun to answer
                raise
            return _error_answer(request, shutting_down())
        finally:
            self._answering.discard(task)

    async def tell(self, _app: web.Application) -> None:
        """End all of them."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=GRACE_S)
        self.over = True
        for task in self._answering:
            task.cancel()


def shutting_down() -> Unavailable:
    """The server ends before it could answer."""
    return Unavailable(ErrorCode.SHUTTING_DOWN, "this server is being restarted; ask again", retry_after_s=1)


def entrance(*checks: Check, traffic: Traffic, ending: Ending) -> Middleware:
    """The one middleware: whatever a check or a handler raises becomes an answer in the error shape, and is measured.

    Checks are plain functions, and there is one layer: each would cost a tenth of the speed (measured). A body is read
    under a deadline: a client that trickles it does not hold a handler for ever.
    """

    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            for check in checks:
                check(request)
            if request.body_exists and request.method != FILE_METHOD:
                await _read_in_time(request)
            return await handler(request)
        except (MimError, web.HTTPException) as error:
            return _error_answer(request, error)
        except ConnectionResetError:
            raise
        except Exception:
            request_id = correlation() or uuid4().hex
            log.exception("request_failed", method=request.method, path=request.path, request_id=request_id)
            message = f"something broke; the log has it as {request_id}"
            return error_answer(MimError(ErrorCode.INTERNAL, message), request_id)

    async def correlate(request: web.Request, handler: Handler) -> web.StreamResponse:
        with correlated(request.headers.get("X-Request-Id")):
            response = await respond(request, handler)
            response.headers["X-Request-Id"] = correlation() or ""
            return response

    @web.middleware
    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = UNKNOWN if resource is None else resource.canonical
        # What only reads causes nothing that another service would log.
        serve = respond if request.method in ("GET", "HEAD") else correlate
        began = traffic.begin()
        response: web.StreamResponse | None = None
        try:
            with tracing.request_span(request.method, route, request.headers) as span:
                response = await ending.answer(request, serve(request, handler))
                span.answered(response.status)
            return response
        finally:
            traffic.end(request.method, route, response, began)

    return enter


async def _read_in_time(request: web.Request) -> None:
    try:
        async with asyncio.timeout(BODY_S):
            await request.read()
    except TimeoutError:
        raise MimError(ErrorCode.TIMEOUT, f"the body did not arrive within {BODY_S:g} s") from None


def _error_answer(request: web.Request, error: MimError | web.HTTPException) -> web.Response:
    request_id = correlation() or uuid4().hex
    match error:
        case MimError():
            return error_answer(error, request_id)
        case web.HTTPNoContent():
            return web.Response(status=204, headers=error.headers)
        case web.HTTPRequestEntityTooLarge():
            message = f"the body is larger than {MAX_BODY_BYTES:,} bytes"
            return error_answer(MimError(ErrorCode.TOO_LARGE, message), request_id)
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{request.method} is not possible here; use {allowed}"
            answer = error_answer(MimError(ErrorCode.METHOD_NOT_ALLOWED, message), request_id)
            answer.headers["Allow"] = allowed
        case web.HTTPNotFound():
            message = f"there is no route {request.method} {request.path}"
            answer = error_answer(MimError(ErrorCode.ROUTE_NOT_FOUND, message), request_id)
        case _:
            code = ErrorCode.BAD_JSON if error.status < 500 else ErrorCode.INTERNAL
            answer = error_answer(MimError(code, error.reason), request_id)
            answer.set_status(error.status)
    return answer


def guard(hosts: Collection[str], origins: Collection[str], *, any_host: bool = False) -> Check:
    """Refuse requests that a web page of another site may have caused.

    `hosts` are names under which this server may be called beside loopback, `origins` the other sites that may.
    The check raises: MimError (FORBIDDEN_ORIGIN).
    """
    names = LOOPBACK_NAMES | {host.lower() for host in hosts}
    allowed = {origin.lower().rstrip("/") for origin in origins}

    def check(request: web.Request) -> None:
        host = request.headers.get("Host", "").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if not any_host and name not in names:
            raise MimError(
                ErrorCode.FORBIDDEN_ORIGIN,
                f"this server does not answer to the name {name[:80]!r}; add it to MIM_ALLOWED_HOSTS if it should",
            )
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if origin is None and site is None:  # no browser
            return
        origin, site = (origin or "").lower().rstrip("/"), (site or "none").lower()
        if origin in allowed or _is_link(request):
            return
        same = not origin or origin in (f"http://{host}", f"https://{host}")
        if not same or site not in ("same-origin", "none"):
            raise MimError(
                ErrorCode.FORBIDDEN_ORIGIN,
                "pages of other sites may not call this server; add the origin to MIM_ALLOWED_ORIGINS if this one may",
            )

    return check


def application(*checks: Check, traffic: Traffic, marks: Collection[Mark] = ()) -> web.Application:
    """An application behind the entrance, which answers what is still open when it ends; `marks` see every answer."""

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        for each in marks:
            each(request, response)

    ending = Ending()
    app = web.Application(
        middlewares=[entrance(*checks, traffic=traffic, ending=ending)], client_max_size=MAX_BODY_BYTES
    )
    app.on_shutdown.append(ending.tell)
    if marks:
        app.on_response_prepare.append(mark)
    return app


def cors(origins: Collection[str]) -> tuple[Check, Mark]:
    """Let pages of other sites read answers (https://fetch.spec.whatwg.org/#http-cors-protocol): a check that answers
    preflights, and a mark for every answer."""
    allowed = {origin.lower().rstrip("/") for origin in origins}

    def check(request: web.Request) -> None:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            raise web.HTTPNoContent(headers=_PREFLIGHT)

    def mark(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin", "")
        if origin.lower().rstrip("/") in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy"

    return check, mark


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id",
    "Access-Control-Max-Age": "600",
}


def read_query(request: web.Request, model: type[Asked]) -> Asked:
    """The query parameters as a model; of one that is given twice the first counts.

    Raises: HttpError (INVALID_FIELDS) naming each one that does not fit.
    """
    if not request.query_string:
        return model()
    try:
        return model.model_validate(dict(reversed(list(request.query.items()))))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise invalid_fields([(_field(problem["loc"]), problem["msg"]) for problem in problems]) from None


def _is_link(request: web.Request) -> bool:
    """Whether somebody follows a link: that shows a page and tells the site that the link is on nothing."""
    headers = request.headers
    fetched = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest"))
    return request.method == "GET" and "Origin" not in headers and fetched == ("navigate", "document")


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """The body as a model.

    Raises: MimError (BAD_JSON) if it is no JSON object, HttpError (INVALID_FIELDS) naming each field that does not fit.
    """
    raw = await request.read()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if any(problem["type"] == "json_invalid" for problem in problems):
            text = problems[0].get("ctx", {}).get("error", "it cannot be parsed")
            raise MimError(ErrorCode.BAD_JSON, f"the body is not valid JSON: {text}") from None
        if any(not problem["loc"] and problem["type"] != "value_error" for problem in problems):
            raise MimError(ErrorCode.BAD_JSON, "the body must be a JSON object") from None
        raise invalid_fields([(_field(problem["loc"]), problem["msg"]) for problem in problems]) from None


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"


def invalid_fields(problems: list[tuple[str, str]]) -> HttpError:
    """The 422 answer for (field, problem) pairs."""
    tidy = [{"field": field, "problem": problem.removeprefix("Value error, ")} for field, problem in problems]
    names = ", ".join(dict.fromkeys(item["field"] for item in tidy))
    return HttpError(ErrorCode.INVALID_FIELDS, f"some fields do not fit: {names}", details=tidy)


def bearer(request: web.Request) -> str | None:
    """The token of the Authorization header; None if there is none."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, value = given.partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def need_credentials(host: str, has_token: bool) -> None:
    """Refuse to open a listener that strangers can reach without credentials. Raises: SystemExit that says how."""
    if not is_loopback(host) and not has_token:
        raise SystemExit(
            f"refusing to listen on {host} without credentials: set MIM_ADMIN_TOKEN to a long random value "
            "(for example the output of: openssl rand -hex 32), or use --host 127.0.0.1"
        )


Route = Callable[[web.Request], Awaitable[web.StreamResponse]]
