"""The session's view of its runner (`mim.runtime.session.SessionContext`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from mim.contracts.content import Media
from mim.runtime.fetch import Fetched, Limits
from mim.runtime.media import file_of

if TYPE_CHECKING:
    from mim.runtime.runner import Runner


class RunnerContext:
    """What a session may use of its runner, and nothing else."""

    # ruff: noqa: SLF001 - a friend: it shows sessions only what they may use

    def __init__(self, runner: Runner, secrets: Mapping[str, str]) -> None:
        self.instance_id = runner.order.instance_id
        self.login = runner.order.login
        self.settings = runner._settings
        self.secrets = secrets
        self.data_dir = runner._folder
        self.log = runner._log
        self.now = runner._bus.now
        self.qr_ready = runner.qr_ready
        self.login_step = runner.login_step
        self.keep_login = runner.keep_login
        self.authenticated = runner.authenticated
        self.client_ready = runner.client_ready
        self.reconnecting = runner.reconnecting
        self.received = runner.received
        self.happened = runner.happened
        self.restricted = runner.restricted.change
        self._runner = runner

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        """The file of a message to be sent, for the length of the block."""
        runner, limits = self._runner, Limits.of(self.settings, most_bytes)
        return file_of(media, self.instance_id, self.data_dir, limits, runner._media)

    def proved(self) -> None:
        """The messenger just answered a real round trip."""
        self._runner.observed_at = self._runner._bus.now()
        self._runner._count_proof(self.instance_id)
