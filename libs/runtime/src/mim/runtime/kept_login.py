"""The login of an account that needs no token, as one run of its instance sees it: kept sealed on the bus.

A run may begin at any worker, so what resumes the login is kept where all find it, with the epoch of the run that kept
it. A run that was overtaken by another changes nothing: a write holds only if nobody else wrote since this run read.
"""

from __future__ import annotations

import asyncio
import re

from mim.contracts.errors import ErrorCode, NotReady
from mim.contracts.login import LoginKind
from mim.contracts.records import SessionOrder
from mim.runtime.bus import Bus, Conflict
from mim.runtime.secrets import LOGIN, SecretsUnreadable
from mim.runtime.store import CHANGE_TRIES, Secrets

SEE_S, SEE_TRIES = 0.4, 25  # longer than a cluster takes to elect and to catch up
OVERTAKEN = "the instance was started elsewhere meanwhile; trying again"
_FORM = re.compile(r"(?:(\d+):)?(.*)", re.DOTALL)  # without an epoch: kept by an earlier version


def is_kept(order: SessionOrder) -> bool:
    """Whether the account has a login that is kept: a bot has its token."""
    return order.login is not LoginKind.BOT


class KeptLogin:
    """Made for each run, whose epoch is `run`; `epoch` is of the run that kept `login`, 0 if none did."""

    def __init__(self, bus: Bus, secrets: Secrets, order: SessionOrder) -> None:
        self._bus = bus
        self._secrets = secrets
        self._order = order
        self._stored: str | None = None
        self._revision = 0
        self.run = order.epoch
        self.login: str | None = None
        self.epoch = 0

    async def load(self) -> None:
        """Read what is kept, however long the bus is away. For one that is not to be seen it looks again: the server
        that answered may lag behind. Raises: SecretsUnreadable, NotReady if this run is over."""
        for turn in range(SEE_TRIES if self._order.resumes else 1):
            await asyncio.sleep(SEE_S if turn else 0)
            self._take(*await self._bus.surely(self._read))
            if self._revision:  # what was there once and was removed has one as well
                break
        if self.epoch > self.run:
            raise NotReady(ErrorCode.SESSION_CRASHED, OVERTAKEN)

    async def find(self) -> None:
        """`load` for one that is to be forgotten, which may as well be unreadable."""
        try:
            self._take(*await self._bus.surely(self._read))
        except SecretsUnreadable:
            order = self._order
            await self._bus.surely(lambda: self._secrets.remove_all(order.provider, order.instance_id, (LOGIN,)))

    async def keep(self, login: str | None) -> None:
        """Keep what resumes the login wherever the instance runs next; None forgets it. Waits for the bus.

        Raises: NotReady if another run has kept or forgotten a login since this one began.
        """
        wanted = None if login is None else f"{self.run}:{login}"
        if wanted == self._stored:
            return
        for _ in range(CHANGE_TRIES):
            try:
                revision = await self._bus.surely(lambda: self._write(wanted))
            except Conflict:
                stored, revision = await self._bus.surely(self._read)
                if stored == self._stored:  # sealed anew, or read from a server that lags behind
                    self._revision = revision
                    continue
                if stored != wanted:  # else it was written by a try whose answer was lost
                    break
            self._take(wanted, revision)
            return
        raise NotReady(ErrorCode.SESSION_CRASHED, OVERTAKEN)

    def _take(self, stored: str | None, revision: int) -> None:
        self._stored, self._revision = stored, revision
        found = _FORM.fullmatch(stored or "")
        self.login = found[2] if found and stored is not None else None
        self.epoch = int(found[1] or 0) if found else 0

    async def _read(self) -> tuple[str | None, int]:
        order = self._order
        return await self._secrets.load(order.user_id, order.provider, order.instance_id, LOGIN)

    async def _write(self, wanted: str | None) -> int:
        order, sealed = self._order, None
        if wanted is not None:
            sealed = self._secrets.seal(order.user_id, order.instance_id, LOGIN, wanted)
        return await self._secrets.replace(order.provider, order.instance_id, LOGIN, sealed, self._revision)
