"""One HTTP request to an address that a stranger chose, signed by the rules of Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The socket is guarded as for
files (`mim.runtime.fetch`), redirects are not followed, there is one deadline for everything, and of the answer only
the status and the beginning of a refusal are looked at.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_bytes
from typing import Any, Self

from aiohttp import (
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    NonHttpUrlClientError,
    TraceConfig,
)
from multidict import CIMultiDict
from standardwebhooks import Webhook as Signer

from mim.runtime import logs
from mim.runtime.fetch import Guard
from mim.webhooks.schedule import ASK_AGAIN, Verdict, judge, retry_after_s

ANSWER_S = 15.0
KEEP_S = 15.0
EXCERPT_BYTES = 2048
EXCERPT = 500
PRIVATE = "the target is a private address; set MIM_WEBHOOK_PRIVATE=true if webhooks may go there"
# What belongs to the connection and is not the caller's to set.
_OURS = ("connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one request. `error` says it in a sentence, None if it was delivered; `response` is the beginning
    of a refusal."""

    verdict: Verdict
    status_code: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after_s: float | None = None
    duration_ms: float = 0.0
    answered: bool = False
    """Whether the target is up, whatever it said."""


def random_secret() -> str:
    """A new signing secret, in the form that receivers' libraries take."""
    return f"whsec_{b64encode(token_bytes(_SECRET_BYTES)).decode()}"


class Target:
    """Posts to webhooks: an asynchronous context manager. `now` is the time that goes into signatures."""

    def __init__(self, *, allow_private: bool, now: Callable[[], datetime]) -> None:
        self._guard = Guard(allow_private=allow_private)
        self._now = now
        self._opened: ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        self._opened = ClientSession(
            trace_configs=[trace],
            connector=self._guard.connector(keep_s=KEEP_S),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=ANSWER_S),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def post(self, url: str, body: bytes, *, message_id: str, secret: str, headers: Mapping[str, str]) -> Attempt:
        """Send a body once. `message_id` stays the same for all tries of one message."""
        began = time.perf_counter()
        attempt = await self._send(url, body, self._headers(body, message_id, secret, headers), tuple(headers.values()))
        return replace(attempt, duration_ms=round(1000 * (time.perf_counter() - began), 3))

    def _headers(self, body: bytes, message_id: str, secret: str, more: Mapping[str, str]) -> CIMultiDict[str]:
        now = self._now()
        found = CIMultiDict({name: value for name, value in more.items() if name.lower() not in _OURS})
        found["Content-Type"] = "application/json"
        found["Accept-Encoding"] = "identity"
        found["webhook-id"] = message_id
        found["webhook-timestamp"] = str(int(now.timestamp()))
        found["webhook-signature"] = Signer(secret).sign(message_id, now, body.decode())
        found.setdefault("User-Agent", "mim")
        return found

    async def _send(self, url: str, body: bytes, headers: CIMultiDict[str], secrets: tuple[str, ...]) -> Attempt:
        refused, reused = self._guard.watch(), list[bool]()
        try:
            try:
                return await self._ask(url, body, headers, secrets, reused)
            except ClientConnectionError:
                if not reused:
                    raise
                # A kept connection may have been closed just then; a new one tells whether the target is there.
                return await self._ask(url, body, CIMultiDict(headers, Connection="close"), secrets, reused)
        except TimeoutError:
            return Attempt(Verdict.RETRY, error=f"the target did not answer within {ANSWER_S:g} s")
        except (ValueError, NonHttpUrlClientError):  # aiohttp's InvalidURL is a ValueError
            return Attempt(Verdict.NEVER, error="the address of the webhook cannot be used: check it", answered=True)
        except (ClientConnectorCertificateError, ClientConnectorSSLError):
            return Attempt(Verdict.RETRY, error="no safe connection to the target: its certificate is not valid")
        except ClientConnectorDNSError:
            return Attempt(Verdict.RETRY, error="there is no such host: check the address of the webhook")
        except (ClientError, OSError) as error:
            if refused:
                return Attempt(Verdict.NEVER, error=PRIVATE, answered=True)
            return Attempt(Verdict.RETRY, error=f"the target cannot be reached ({type(error).__name__})")

    async def _ask(
        self, url: str, body: bytes, headers: CIMultiDict[str], secrets: tuple[str, ...], reused: list[bool]
    ) -> Attempt:
        if self._opened is None:
            raise RuntimeError("a Target is used within its context")
        async with self._opened.post(
            url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=reused
        ) as answer:
            return await self._read(answer, secrets)

    async def _read(self, answer: ClientResponse, secrets: tuple[str, ...]) -> Attempt:
        verdict = judge(answer.status)
        if verdict is Verdict.DELIVERED:
            return Attempt(verdict, answer.status, answered=True)
        asked = answer.headers.get("Retry-After") if answer.status in ASK_AGAIN else None
        return Attempt(
            verdict,
            answer.status,
            error=f"the target answered {answer.status}",
            response=await _excerpt(answer, secrets),
            retry_after_s=retry_after_s(asked, self._now()),
            answered=verdict is Verdict.NEVER,
        )


async def _note_reuse(_session: ClientSession, context: Any, _params: object) -> None:
    context.trace_request_ctx.append(True)


async def _excerpt(answer: ClientResponse, secrets: tuple[str, ...]) -> str | None:
    """The beginning of a refusal, without the headers that some targets show in it."""
    raw = b""
    with suppress(ClientError, TimeoutError, OSError, ValueError):
        raw = await answer.content.read(EXCERPT_BYTES)
    text = raw.decode(errors="replace")
    for secret in filter(None, secrets):
        text = text.replace(secret, "[redacted]")
    text = logs.clean(text)
    return re.sub(r"[\x00-\x20\x7f]+", " ", text).strip()[:EXCERPT] or None
