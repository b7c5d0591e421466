"""What an adapter has to be: one class that holds one live link to its messenger.

The worker makes a session, awaits `run()`, and does all the rest: epochs, backoff, status events, the outbox, the
instance's own port. A session only reports what it sees and raises one of three errors when it cannot go on:

    NotReady    the messenger is away or asks to wait: the worker runs a new session after a backoff
    NeedsUser   a person must act; the error names the status
    Fatal       nothing helps

Example:

    class EchoSession:
        def __init__(self, context: SessionContext) -> None: ...
        async def run(self) -> None:
            await self.context.client_ready(Account(id="1"))
            await asyncio.Event().wait()
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from mim.contracts.content import Media
from mim.contracts.errors import ErrorCode
from mim.contracts.groups import Group, GroupParticipant, ParticipantChange
from mim.contracts.login import LoginFieldName, LoginKind, LoginStep
from mim.contracts.messages import Change, GroupChanged, Receipt, SendMessage
from mim.contracts.stored import MessageRow
from mim.contracts.values import Account, IncomingMedia, IncomingMessage, Restriction
from mim.runtime.fetch import Fetched

MOST_LOGIN_BYTES = 740_000
"""How long a login may be that is kept: sealed, it has to fit into one message of the bus (1 MB)."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What the messenger said to a message it took: its own id, and the chat it went to.

    Of what was only done to another message, `messenger_id` is that message's. `body` is the text of a forwarded one.
    """

    messenger_id: str
    chat_id: str | None = None
    media: IncomingMedia | None = None
    body: str | None = None


class SessionContext(Protocol):
    """What a session may know and say. Reports return when the event is stored, so awaiting them is backpressure."""

    instance_id: str
    epoch: int
    """Which run of the instance this is: one with a higher epoch began later, perhaps at another worker."""
    login: LoginKind | None
    """As what the account logs in, where its provider has a choice."""
    login_epoch: int
    """Which run kept `secrets["login"]`; 0 if none did."""
    settings: Mapping[str, str]
    """The adapter's own settings, such as `telegram_api_url`, and `media_max_bytes`, `media_private`."""
    secrets: Mapping[str, str]
    """Opened secrets of the instance by name, such as `token` and `proxy`."""
    data_dir: Path
    """A folder of the instance's own, mode 0700; it outlives the session until logout or delete."""
    log: FilteringBoundLogger

    def now(self) -> datetime:
        """The present time, UTC."""
        ...

    async def turn_to_link(self) -> None:
        """Wait until a new login may begin: of those that take memory while they are made, a worker makes some at a
        time. Call it before anything else is done for one."""
        ...

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        """A QR code (its raw text) waits to be scanned; call again for each renewal."""
        ...

    async def login_step(self, step: LoginStep) -> None:
        """A person must enter something: `answer_login` gets it."""
        ...

    async def keep_login(self, login: str | None) -> None:
        """Keep, sealed, what resumes this login without a person, at whichever worker; None forgets it.

        The next run finds it in `secrets` as `login`. At most `MOST_LOGIN_BYTES`. Waits for the bus.
        Raises: NotReady if another run has kept or forgotten one since this one began: this one is over.
        """
        ...

    async def authenticated(self, account: Account) -> None:
        """The messenger accepted the login."""
        ...

    async def client_ready(self, account: Account) -> None:
        """Messages can be sent and received."""
        ...

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        """The link dropped and the messenger's library is already trying again by itself."""
        ...

    async def received(self, message: IncomingMessage) -> None:
        """A message came in. Returns when it is stored; only then tell the messenger that it was taken."""
        ...

    def outlive(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done whether this session goes on or not, before the next one begins: what the messenger has
        been told that it was taken, and will not repeat, is stored so."""
        ...

    async def happened(self, kind: type[Receipt | Change | GroupChanged], *, at: datetime, **fields: Any) -> None:
        """Something happened to a message or a group: a receipt, an edit, a reaction; `fields` are those of `kind`.

        Returns when it is stored.
        """
        ...

    async def restricted(self, restriction: Restriction | None) -> None:
        """The messenger put a limit on the account, or (None) lifted it. One with an end is lifted by itself."""
        ...

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        """The file of a message to be sent, for the length of the block; `most_bytes` is the messenger's own limit.

        Raises: Refused if it cannot be had or is not what it should be, Unavailable.
        """
        ...

    async def stored(self, chat_id: str, messenger_id: str) -> MessageRow | None:
        """A message of the account as it is stored, with what gets its file opened. Raises: NotReady."""
        ...

    def proved(self) -> None:
        """The messenger just answered a real round trip."""
        ...


class GroupSession(Protocol):
    """What can be asked and done about the groups of an account that is connected.

    Only what the provider's capabilities name is asked for. All raise NotReady if the messenger is away or asks to
    wait, and Refused for what it does not allow or know (NOT_FOUND: no such group). Those that change something raise
    MimError (UNCERTAIN) if it is open whether they did.
    """

    async def groups(self) -> tuple[Group, ...]:
        """The groups that the account belongs to; `participants` may be left out."""
        ...

    async def group(self, group_id: str) -> Group:
        """One group with those who are in it."""
        ...

    async def create_group(self, title: str, people: Sequence[str]) -> Group:
        """Make a group with these people. Who could not be taken in is among its participants, with the problem."""
        ...

    async def change_participants(
        self, group_id: str, change: ParticipantChange, people: Sequence[str]
    ) -> tuple[GroupParticipant, ...]:
        """Add, remove, promote or demote people. Returns them, with `problem` on those for whom it was not done."""
        ...

    async def invite_link(self, group_id: str, *, renew: bool) -> str:
        """The link by which anybody can come into a group; `renew` makes the one before useless."""
        ...


class Session(GroupSession, Protocol):
    """One live link of one instance. Made afresh for every attempt; never used by two tasks at once but for `send`."""

    async def run(self) -> None:
        """Connect, log in, stay connected, report. Ends only by raising `NotReady`, `NeedsUser` or `Fatal`, or by
        cancellation, after which nothing of the session may be left running (within 5 s)."""
        ...

    async def send(self, message: SendMessage) -> SentMessage:
        """Say or do what the message's `kind` says, and return the messenger's id.

        Only what the provider's capabilities name is asked for. A file is fetched here (`mim.runtime.fetch`); whatever
        is wrong with it is `Refused`.

        Raises:
            Refused: the messenger refused this message; others may pass.
            NotReady: it was certainly not sent; try again, after `retry_after_s` if that is set.
            Any other error means that it is open whether it was sent.
        """
        ...

    async def download(self, reference: str, path: Path, most_bytes: int) -> None:
        """Write the file of a message that came in to `path`; `reference` is what its `IncomingMedia` had.

        Raises: Refused (MEDIA_UNREACHABLE) if the messenger does not have it any more, (MEDIA_REFUSED) if it is larger,
            NotReady if the account is not connected.
        """
        ...

    async def pairing_code(self, phone_number: str) -> tuple[str, datetime]:
        """A code that logs in the phone with this number, and until when it is good.

        Raises: Rejected(NOT_SUPPORTED) if the messenger has no such login, NotReady if it is not the moment for one,
            Refused if the messenger refused the number.
        """
        ...

    async def answer_login(self, fields: Mapping[LoginFieldName, str]) -> None:
        """What a person entered for the present login step, or in its place. Returns when the messenger took it.

        Raises: Rejected(NOT_SUPPORTED) if the login never asks for anything, Rejected(NOT_READY) if it does not at the
            moment, Rejected(INVALID_FIELDS) if the messenger does not take what was entered, NotReady if it asks to
            wait.
        """
        ...

    async def logout(self) -> None:
        """Revoke the login at the messenger if `run` is connected. What is in `data_dir` is removed by the worker."""
        ...


class SessionFactory(Protocol):
    """How the worker makes a session: the adapter's class itself."""

    def __call__(self, context: SessionContext) -> Session:
        """Make a session that has not done anything yet."""
        ...
