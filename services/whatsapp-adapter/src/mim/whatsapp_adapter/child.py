"""One WhatsApp session in a process of its own: `python -m mim.whatsapp_adapter.child PARENT`, its worker's process id.

The client library is Go code that can abort the whole process, keeps a thread for life and cannot be stopped in every
state, so nothing else lives here. Commands come as JSON lines on stdin, events go as JSON lines to stdout; whatever
the library prints itself goes to stderr. The process ends when stdin closes, which is also how it is asked to stop:
a session never outlives its worker.

    command                    event that answers it (its `answers` is the command's `id`)
    start {db, proxy?, room_bytes}    -
    send {id, to, content}     sent {message_id} | failed {message}
    send {id, to, content, message}    the same with what `upload` gave
    upload {id, path, kind, mime_type, file_name, caption}    uploaded {message} | failed {message}
    read {id, chat, sender, message_id}    done | failed {message}
    typing {id, chat}          done | failed {message}
    pairing_code {id, phone}   pairing_code {code} | failed {message}
    download {id, message, path, most_bytes}    done | failed {message}
    groups {id}                          groups {groups} | failed {message}
    group {id, group}                    group {group} | failed {message}
    create_group {id, title, members}    group {group} | failed {message}
    participants {id, group, change, members}    participants {participants} | failed {message}
    invite {id, group, renew}            invite {link} | failed {message}
    logout {id}                done | failed {message}
    ping {id}                  done | failed {message}

    events of the session's own
    qr {code}                              a QR code to show now
    login {outcome}                        how showing QR codes ended: success, timeout, passkey-request, ...
    paired {phone_number}, pair_failed {message}
    connected {phone_number, lid, push_name}, disconnected
    silent                                 no answer to a keep-alive on an open connection
    logged_out {reason}, replaced, banned {expires_in_s}, outdated, refused {message}
    incoming {...}                         see `incoming.incoming`
    happened {kind, at, ...}               an edit, a reaction, a receipt, a change of a group: see `incoming`
    error {message}                        it could not connect; the process ends
    full                                   less than `room_bytes` are free where `db` is; it is not connected now
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import queue
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from mim.whatsapp_adapter.lean import leave_out
from mim.whatsapp_adapter.library import Library

Fields = dict[str, Any]

# The library keeps one thread of the default executor for as long as it is connected. On two cores that executor has
# six threads, which calls that wait for WhatsApp would soon use up.
_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/prctl.2.html
_THREADS = 32
_MOST_WAITING = 1_000  # events that nobody has read; more slow the library down
_FASTEST, _LOOK_S, _LOOK_SELDOM_S = 1e9, 0.05, 5.0  # bytes a second that a disk fills with
_FINISH_WITHIN_S, _CLOSE_WITHIN_S = 0.8, 0.5  # in all less than the parent waits before it sends SIGTERM


class Child:
    """Obeys commands and tells events; `out` is the file descriptor of the real stdout."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._library = Library(self.say)
        self._life: asyncio.Task[None] | None = None
        self._minding: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self._said: queue.Queue[bytes] = queue.Queue(_MOST_WAITING)
        # Beside the work: while the worker is held and reads nothing, the disk has to be minded all the same.
        threading.Thread(target=self._write, daemon=True).start()

    def say(self, event: str, **fields: object) -> None:
        """Tell one event. Blocks while too many wait to be read, which is how the library is slowed down."""
        self._said.put(json.dumps({"event": event, **fields}).encode() + b"\n")

    def _write(self) -> None:
        while True:
            line = memoryview(self._said.get())
            with suppress(OSError):  # the worker is gone
                while line:
                    line = line[os.write(self._out, line) :]
            self._said.task_done()

    async def told(self) -> None:
        """Return when all is written that was said; the worker ends who takes too long for it."""
        await asyncio.to_thread(self._said.join)

    async def obey(self) -> None:
        """Follow commands until stdin closes."""
        reader = asyncio.StreamReader(limit=1 << 22)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            if command["command"] == "start":
                self._life = asyncio.create_task(self._start(command))
                continue
            # Tasks take the library's lock in the order they are made, so messages keep their order.
            task = asyncio.create_task(self._run(command))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def close(self) -> None:
        """Finish what is under way and disconnect, unless that takes too long."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=_FINISH_WITHIN_S)
        await asyncio.wait_for(self._library.close(), _CLOSE_WITHIN_S)

    async def _run(self, command: Fields) -> None:
        try:
            event, fields = await self._answer(command)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
            self.say("failed", answers=command["id"], message=str(error) or type(error).__name__)
        else:
            self.say(event, answers=command["id"], **fields)

    async def _answer(self, command: Fields) -> tuple[str, Fields]:
        match command["command"]:
            case "send":
                return "sent", await self._library.send(command["to"], command["content"], command.get("message"))
            case "read":
                await self._library.read(command["chat"], command["sender"], command["message_id"])
                return "done", {}
            case "typing":
                await self._library.typing(command["chat"])
                return "done", {}
            case "upload":
                about = {name: command[name] for name in ("path", "kind", "mime_type", "file_name", "caption")}
                return "uploaded", {"message": await self._library.upload(**about)}
            case "pairing_code":
                return "pairing_code", {"code": await self._library.pairing_code(command["phone"])}
            case "download":
                await self._library.download(command["message"], command["path"], command["most_bytes"])
                return "done", {}
            case "logout":
                await self._library.logout()
                return "done", {}
            case "ping":
                await self._library.ping()
                return "done", {}
            case _:
                return await self._answer_about_groups(command)

    async def _answer_about_groups(self, command: Fields) -> tuple[str, Fields]:
        match command["command"]:
            case "groups":
                return "groups", {"groups": await self._library.groups()}
            case "group":
                return "group", {"group": await self._library.group(command["group"])}
            case "create_group":
                return "group", {"group": await self._library.create_group(command["title"], command["members"])}
            case "participants":
                about = {name: command[name] for name in ("group", "change", "members")}
                return "participants", {"participants": await self._library.participants(**about)}
            case "invite":
                return "invite", {"link": await self._library.invite(command["group"], renew=command["renew"])}
            case unknown:
                raise ValueError(f"there is no command {unknown}")

    async def _start(self, command: Fields) -> None:
        folder, room_bytes = Path(command["db"]).parent, command["room_bytes"]
        if _free_bytes(folder) < room_bytes:  # as it connects the library takes all that waited
            self.say("full")
            return
        self._minding = asyncio.create_task(self._mind_the_disk(folder, room_bytes))
        try:
            await self._library.start(command["db"], command.get("proxy"))
        except Exception as error:  # noqa: BLE001 - the parent decides what it means
            self.say("error", message=str(error) or type(error).__name__)
            await self.told()
            _exit(1)

    async def _mind_the_disk(self, folder: Path, room_bytes: int) -> None:
        """Disconnect before the disk is full: the library takes messages from WhatsApp also if it has no room for what
        it needs to decrypt them, and they would be lost."""
        while (spare := _free_bytes(folder) - room_bytes) >= 0:  # noqa: ASYNC110 - a disk tells nobody
            await asyncio.sleep(min(max(spare / _FASTEST, _LOOK_S), _LOOK_SELDOM_S))
        self.say("full")
        while True:  # also if it connects only now; the worker ends this process
            with suppress(Exception):
                await self._library.close()
            await asyncio.sleep(_LOOK_S)


async def _live(out: int) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    child = Child(out)
    try:
        await child.obey()
        await child.close()
    finally:
        await child.told()
        _exit(0)


def _exit(code: int) -> NoReturn:
    """End at once: the library's thread never ends, and a normal exit would wait for it."""
    sys.stderr.flush()
    os._exit(code)


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _die_with(parent: int) -> None:
    """End at once with the worker: the one that is started in its place connects the account within a second."""
    with suppress(OSError, AttributeError):  # prctl is Linux only; elsewhere the end of stdin is noticed
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before this; what it has told to do meanwhile is not to be done
        _exit(0)


def main() -> None:
    """Keep stdout for events alone, then live until told to stop."""
    _die_with(int(sys.argv[1]))
    leave_out()
    os.umask(0o077)  # the library's files hold the keys of the login
    out = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    asyncio.run(_live(out))


if __name__ == "__main__":
    main()
