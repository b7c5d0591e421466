"""The session's view of its runner (`mim.runtime.session.SessionContext`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from mim.contracts.content import Media
from mim.contracts.errors import NotReady, Unavailable
from mim.contracts.stored import MessageRow
from mim.runtime.fetch import Fetched, Limits
from mim.runtime.kept_login import KeptLogin
from mim.runtime.media import file_of
from mim.runtime.stored_messages import stored_message

if TYPE_CHECKING:
    from mim.runtime.runner import Runner


class RunnerContext:
    """What a session may use of its runner, and nothing else."""

    # ruff: noqa: SLF001 - a friend: it shows sessions only what they may use

    def __init__(self, runner: Runner, secrets: Mapping[str, str], kept: KeptLogin) -> None:
        self.instance_id = runner.order.instance_id
        self.epoch = kept.run
        self.login = runner.order.login
        self.login_epoch = kept.epoch
        self.settings = runner._settings
        self.secrets = secrets
        self.data_dir = runner._folder
        self.log = runner._log
        self.now = runner._bus.now
        self.turn_to_link = runner.turn_to_link
        self.qr_ready = runner.qr_ready
        self.login_step = runner.login_step
        self.keep_login = kept.keep
        self.authenticated = runner.authenticated
        self.client_ready = runner.client_ready
        self.reconnecting = runner.reconnecting
        self.received = runner.received
        self.outlive = runner._outliving.begin
        self.happened = runner.happened
        self.restricted = runner.restricted.change
        self._runner = runner

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        """The file of a message to be sent, for the length of the block."""
        runner, limits = self._runner, Limits.of(self.settings, most_bytes)
        return file_of(media, self.instance_id, self.data_dir, limits, runner._media)

    async def stored(self, chat_id: str, messenger_id: str) -> MessageRow | None:
        """A message of the account as it is stored."""
        runner = self._runner
        try:
            found = await stored_message(runner._bus, self.instance_id, chat_id, messenger_id)
        except Unavailable as error:
            raise NotReady(error.code, error.message, error.retry_after_s) from None
        if found is None or found.media is None or found.media.reference is None:
            return found
        opened = runner.files.opened(found.media.reference)
        return found.model_copy(update={"media": found.media.model_copy(update={"reference": opened})})

    def proved(self) -> None:
        """The messenger just answered a real round trip."""
        self._runner.observed_at = self._runner._bus.now()
        self._runner._count_proof(self.instance_id)
