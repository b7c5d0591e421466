"""The login of a person's account: a QR code that renews itself, or a phone number, a code, and where there is one the
two-factor password (https://core.telegram.org/api/auth, https://core.telegram.org/api/qr-login).

What a person enters comes through `Answers`: whoever waits for the outcome gets it before the next step is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from telethon import errors

from mim.contracts.errors import ErrorCode, MimError, NeedsUser, Rejected
from mim.contracts.login import LoginField, LoginFieldName, LoginStep
from mim.contracts.states import Status, UserAction
from mim.runtime.session import SessionContext
from mim.telegram_adapter.user_failures import flooded, word

WINDOW_S = 600.0
"""So long a login may take with nothing entered and nothing scanned."""
_PHONE = LoginField(name="phone_number", label="Phone number, for a code instead of the QR", required=False)
_CODE = LoginField(name="code", label="Code from Telegram", required=True)
_PASSWORD = LoginField(name="password", label="Two-factor password", required=True, secret=True)

Fields = Mapping[LoginFieldName, str]


class Answers:
    """Passes on what a person enters, one answer at a time."""

    def __init__(self) -> None:
        self._wanted: frozenset[LoginFieldName] = frozenset()
        self._given: asyncio.Queue[tuple[Fields, asyncio.Future[None]]] = asyncio.Queue(1)

    async def give(self, fields: Fields) -> None:
        """Returns when the messenger took it. Raises: MimError that says why not."""
        if not self._wanted & fields.keys():
            raise Rejected(ErrorCode.NOT_READY, "the login does not ask for this at the moment")
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._given.put_nowait((fields, outcome))
        except asyncio.QueueFull:
            raise Rejected(ErrorCode.NOT_READY, "another answer is being tried at this moment") from None
        await outcome

    @asynccontextmanager
    async def wanted(self, *names: LoginFieldName) -> AsyncIterator[None]:
        """Take answers with these fields for the length of the block."""
        self._wanted = frozenset(names)
        try:
            yield
        finally:
            self._wanted = frozenset()

    async def take(self, try_it: Callable[[Fields], Awaitable[bool]]) -> None:
        """Wait for answers until `try_it` is done; an error of it is for who gave the answer, and the next counts."""
        done = False
        while not done:
            fields, outcome = await self._given.get()
            try:
                done = await try_it(fields)
            except MimError as error:
                _settle(outcome, error)
            except BaseException:
                _settle(outcome, Rejected(ErrorCode.NOT_READY, "the login ended before this was tried"))
                raise
            else:
                _settle(outcome, None)


def _settle(outcome: asyncio.Future[None], error: MimError | None) -> None:
    if outcome.done():
        return
    if error is None:
        outcome.set_result(None)
    else:
        outcome.set_exception(error)


class UserLogin:
    """Logs a client in; `client` is Telethon's, connected."""

    def __init__(self, client: Any, context: SessionContext, answers: Answers) -> None:
        self._client = client
        self._context = context
        self._answers = answers
        self._phone = ""
        self._needs_password = False

    async def run(self) -> None:
        """Return when the client is logged in.

        Raises: NeedsUser if nobody did anything for `WINDOW_S`, NotReady if Telegram asks to wait.
        """
        try:
            async with asyncio.timeout(WINDOW_S):
                await self._enter()
        except TimeoutError:
            raise expired() from None
        except errors.FloodError as error:
            raise flooded(error) from None

    async def _enter(self) -> None:
        if not await self._by_qr():
            async with self._answers.wanted("code", "phone_number"):
                await self._show_code_step()
                await self._answers.take(self._try_code)
        if self._needs_password:
            async with self._answers.wanted("password"):
                text = "The account is protected by a two-factor password: enter it"
                await self._context.login_step(LoginStep(type="input_password", instructions=text, fields=(_PASSWORD,)))
                await self._answers.take(self._try_password)

    # -------------------------------------------------------------------------------------------------- QR

    async def _by_qr(self) -> bool:
        """Show QR codes, one after the other. True if one was scanned, False if a phone number was entered."""
        async with self._answers.wanted("phone_number"):
            entering = asyncio.create_task(self._answers.take(self._try_phone))
            try:
                while not entering.done():
                    if await self._one_qr(entering):
                        return True
                await entering
                return False
            finally:
                entering.cancel()
                with suppress(asyncio.CancelledError, MimError):
                    await entering

    async def _one_qr(self, entering: asyncio.Task[None]) -> bool:
        qr = await self._ask(self._client.qr_login())
        scanned = asyncio.create_task(qr.wait())  # before anybody can scan it: a scan that nobody waits for is lost
        try:
            await asyncio.sleep(0)
            await self._context.qr_ready(qr.url, qr.expires)
            await asyncio.wait({scanned, entering}, return_when=asyncio.FIRST_COMPLETED)
            if not scanned.done():
                return False
            await scanned
        except errors.SessionPasswordNeededError:
            self._needs_password = True
        except TimeoutError:
            # Accepted between two waits: then the token is no longer asked for, and the account is there.
            return bool(await self._client.is_user_authorized())
        finally:
            scanned.cancel()
        return True

    # ---------------------------------------------------------------------------------- phone, code, password

    async def _try_phone(self, fields: Fields) -> bool:
        with _taken("this phone number"):
            await self._ask(self._client.send_code_request(fields["phone_number"]))
        self._phone = fields["phone_number"]
        return True

    async def _show_code_step(self) -> None:
        text = f"Telegram sent a code to {self._phone}, in the app or as a text message: enter it"
        again = _PHONE.model_copy(update={"label": "Another phone number"})
        await self._context.login_step(LoginStep(type="input_code", instructions=text, fields=(_CODE, again)))

    async def _try_code(self, fields: Fields) -> bool:
        if "code" not in fields:
            await self._try_phone(fields)
            await self._show_code_step()
            return False
        try:
            with _taken("this code"):
                await self._ask(self._client.sign_in(self._phone, fields["code"]))
        except errors.SessionPasswordNeededError:
            self._needs_password = True
        return True

    async def _try_password(self, fields: Fields) -> bool:
        with _taken("this password"):
            await self._ask(self._client.sign_in(password=fields["password"]))
        return True

    async def _ask(self, question: Awaitable[Any]) -> Any:
        answer = await question
        self._context.proved()
        return answer


@contextmanager
def _taken(what: str) -> Iterator[None]:
    """Turns Telegram's refusal of what a person entered into words for them."""
    try:
        yield
    except errors.SessionPasswordNeededError:
        raise
    except errors.FloodError as error:
        raise flooded(error) from None
    except errors.PhoneCodeExpiredError:
        message = "the code is too old: enter the phone number once more to get a new one"
        raise Rejected(ErrorCode.INVALID_FIELDS, message) from None
    except (errors.BadRequestError, errors.UnauthorizedError) as error:
        raise Rejected(ErrorCode.INVALID_FIELDS, f"Telegram does not take {what}: {word(error)}") from None


def expired() -> NeedsUser:
    """Nobody logged in."""
    message = "nobody scanned the QR code or entered what was asked for; start the instance to try again"
    return NeedsUser(ErrorCode.QR_EXPIRED, message, status=Status.LOGGED_OUT, user_action=UserAction.SCAN_QR)
