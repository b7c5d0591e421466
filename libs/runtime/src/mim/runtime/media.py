"""Files on their way through the bus: uploads that will be sent, and what came in and was fetched from the messenger.

They lie in an object store for a day. An upload is named by its content, so uploading it again is harmless, and by its
instance, so that nobody sends another's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import nats.errors
import structlog
from nats.js.errors import APIError, NotFoundError, ObjectDeletedError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from mim.contracts import subjects
from mim.contracts.content import Media
from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused, Unavailable
from mim.contracts.values import IncomingMedia, IncomingMessage
from mim.runtime.bus import SILENT, Bus
from mim.runtime.fetch import Fetched, Limits, fetch, sniff, temporary, uploaded
from mim.runtime.session import Session
from mim.runtime.store import Secrets

log = structlog.get_logger()
BLOCK = 1 << 18
STORE_S = 30.0
UPLOAD_S = 90.0
FETCHED_AT_ONCE = 4
"""So many files that came in does a worker fetch ahead at a time."""
MOST_AHEAD = 100
"""So many of an instance's files wait to be fetched ahead; what is beyond is fetched when somebody asks."""
REFERENCE = "media"
"""Under which name references to files are sealed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What was taken in: `id` is the SHA-256 of its content."""

    id: str
    content_type: str | None
    size_bytes: int


def upload_name(instance_id: str, upload_id: str) -> str:
    """Under which name an upload lies in the store."""
    return f"{instance_id}/up/{upload_id}"


def incoming_name(instance_id: str, chat_id: str, message_id: str) -> str:
    """Under which name the file of a message that came in lies in the store."""
    return f"{instance_id}/in/{chat_id}/{message_id}"


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (ObjectNotFoundError, ObjectDeletedError, NotFoundError):
        raise
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was taken out of the store."""

    path: Path
    size_bytes: int


class MediaStore:
    """The object store. Names are `<instance>/<what>`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._opened: ObjectStore | None = None
        self.ahead = asyncio.Semaphore(FETCHED_AT_ONCE)
        """Held while a file is fetched that nobody has asked for yet."""

    async def upload(self, instance_id: str, blocks: AsyncIterator[bytes], folder: Path, most_bytes: int) -> Upload:
        """Take in a file block by block.

        Raises: MimError (TOO_LARGE, INVALID_FIELDS for an empty one), Unavailable.
        """
        digest, size_bytes, head = hashlib.sha256(), 0, b""
        with temporary(folder) as (path, file):
            try:
                async with asyncio.timeout(UPLOAD_S):
                    async for block in blocks:
                        size_bytes += len(block)
                        if size_bytes > most_bytes:
                            raise MimError(ErrorCode.TOO_LARGE, f"the file is larger than {most_bytes:,} bytes")
                        digest.update(block)
                        head = head or block[:512]
                        await asyncio.to_thread(file.write, block)
            except TimeoutError:
                raise MimError(ErrorCode.TIMEOUT, f"the file did not arrive within {UPLOAD_S:g} s") from None
            file.close()
            if not size_bytes:
                raise MimError(ErrorCode.INVALID_FIELDS, "the body is empty: send the file itself as the body")
            await self.put(upload_name(instance_id, digest.hexdigest()), path)
        return Upload(digest.hexdigest(), sniff(head), size_bytes)

    async def put(self, name: str, path: Path) -> None:
        """Store a file, replacing an older one of the same name. Raises: Unavailable."""
        with _asking(), path.open("rb") as file:
            async with asyncio.timeout(STORE_S):
                await (await self._store()).put(name, cast("BufferedIOBase", file))

    @asynccontextmanager
    async def get(self, name: str, folder: Path) -> AsyncIterator[Stored]:
        """A file, for the length of the block. Raises: Refused (MEDIA_UNREACHABLE) if it is not there, Unavailable."""
        with temporary(folder) as (path, file):
            try:
                with _asking():
                    async with asyncio.timeout(STORE_S):
                        found = await (await self._store()).get(name, writeinto=cast("BufferedIOBase", file))
            except (ObjectNotFoundError, ObjectDeletedError, NotFoundError):
                message = "this file is not there: it was never uploaded for this instance, or is older than a day"
                raise Refused(ErrorCode.MEDIA_UNREACHABLE, message) from None
            file.close()
            yield Stored(path, found.info.size or 0)

    async def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = await self._bus.js.object_store(subjects.MEDIA_STORE)
        return self._opened


@asynccontextmanager
async def file_of(
    media: Media, instance_id: str, folder: Path, limits: Limits, store: MediaStore | None
) -> AsyncIterator[Fetched]:
    """The file of a message that is to be sent, fetched or taken out of the store, for the length of the block.

    Raises: Refused if it cannot be had or is not what it should be, Unavailable.
    """
    if media.upload is None:
        async with fetch(media, folder, limits) as fetched:
            yield fetched
    elif store is None:
        raise Refused(ErrorCode.MEDIA_UNREACHABLE, "there is no store of uploads here")
    else:
        async with store.get(upload_name(instance_id, media.upload), folder) as stored:
            yield uploaded(media, stored.path, stored.size_bytes, limits)


class MessageFiles:
    """The files of one instance's messages. What gets one from the messenger travels sealed: events are for everybody
    who watches."""

    def __init__(self, store: MediaStore, secrets: Secrets, user_id: str, instance_id: str) -> None:
        self._store = store
        self._secrets = secrets
        self._user_id = user_id
        self._instance_id = instance_id
        self._ahead: set[asyncio.Task[None]] = set()

    def fetch_ahead(self, session: Session | None, message: IncomingMessage, folder: Path, most_bytes: int) -> None:
        """Begin to fetch the file of a (sealed) message before anybody asks, unless that is too much."""
        media = message.media
        if session is None or media is None or media.reference is None or (media.size_bytes or 0) > most_bytes:
            return
        if len(self._ahead) >= MOST_AHEAD:
            log.warning("file_left_on_demand", instance_id=self._instance_id, waiting=len(self._ahead))
            return
        which = (session, message.chat_id, message.id, media.reference, folder, most_bytes)
        task = asyncio.create_task(self._keep(*which))
        self._ahead.add(task)
        task.add_done_callback(self._ahead.discard)

    async def _keep(self, *which: Any) -> None:
        async with self._store.ahead:
            try:
                async with self.get(*which):
                    pass
            except MimError as error:
                log.warning("file_left_on_demand", instance_id=self._instance_id, code=error.code, why=error.message)

    async def leave(self) -> None:
        """Fetch nothing more ahead."""
        tasks = list(self._ahead)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def seal(self, message: IncomingMessage) -> IncomingMessage:
        """The message with the reference to its file, if it has one, sealed."""
        return message if message.media is None else message.model_copy(update={"media": self.sealed(message.media)})

    def sealed(self, media: IncomingMedia) -> IncomingMedia:
        """A file with what gets it sealed."""
        if media.reference is None:
            return media
        sealed = self._secrets.seal(self._user_id, self._instance_id, REFERENCE, media.reference)
        return media.model_copy(update={"reference": sealed})

    def opened(self, sealed: str) -> str:
        """What gets a file."""
        return self._secrets.unseal(self._user_id, self._instance_id, REFERENCE, sealed)

    @asynccontextmanager
    async def get(
        self, session: Session | None, chat_id: str, message_id: str, sealed: str, folder: Path, most_bytes: int
    ) -> AsyncIterator[Path]:
        """A file, for the length of the block: from the store, or once from the messenger.

        Raises: Refused if the messenger does not have it any more, NotReady, Unavailable.
        """
        name = incoming_name(self._instance_id, chat_id, message_id)
        async with AsyncExitStack() as stack:
            with suppress(Refused):
                stored = await stack.enter_async_context(self._store.get(name, folder))
                yield stored.path
                return
            if session is None:
                raise NotReady(ErrorCode.NOT_READY, "the account is not connected: the file cannot be had now")
            path, _ = stack.enter_context(temporary(folder))
            await session.download(self.opened(sealed), path, most_bytes)
            await self._store.put(name, path)
            yield path
