"""`mim up`: the whole system on one machine."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from rich.console import Console
from rich.table import Table

from mim.allocator.handlers import can_listen
from mim.cli import stores
from mim.cli.nursery import Nursery, raise_children
from mim.cli.processes import CannotStart, Child, NatsServer, Process, Sandbox, Store
from mim.cli.services import SERVICES, module_of, preload
from mim.contracts.answers import Health
from mim.runtime import cancellation, http
from mim.runtime.secrets import Vault
from mim.runtime.settings import Settings, is_loopback

log = structlog.get_logger()

LAYOUT = 2
"""Version of the data folder; raised when an older program could not read it any more."""
STOP_S = 3.0
READY_S = 60.0
MIN_FREE_BYTES = 64_000_000
MOST_BYTES = 65_536
"""Of an answer to how the system is."""


# ---------------------------------------------------------------------------------------------- data folder


@contextmanager
def hold(folder: Path, url: str) -> Iterator[None]:
    """Hold the data folder; it belongs to one `mim up` at a time. Raises: CannotStart."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} cannot be used: {error.strerror}; choose another with --data-dir"
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 1000, 0).decode(errors="replace").strip() or "another program"
            raise CannotStart(
                f"the data folder {folder} is held by {holder}; stop it or choose another with --data-dir"
            ) from None
        _check_layout(folder)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"mim up, process {os.getpid()}, serving {url}".encode(), 0)
        yield
    finally:
        os.close(lock)


def _check_layout(folder: Path) -> None:
    path = folder / "version.json"
    if path.exists():
        layout = json.loads(path.read_text()).get("layout", 0)
        if layout > LAYOUT:
            raise CannotStart(
                f"the data folder {folder} was written by a newer version (layout {layout}, this program knows "
                f"{LAYOUT}); update the program or choose another folder with --data-dir"
            )
    path.write_text(json.dumps({"layout": LAYOUT}))


# ----------------------------------------------------------------------------------------------------- up


def up(settings: Settings, *, external_nats: bool, console: Console) -> int:
    """Run the whole system until SIGTERM or Ctrl-C. Raises: CannotStart, SystemExit."""
    http.need_credentials(settings.host, settings.admin_token is not None)
    url = f"http://{_shown(settings.host)}:{settings.port}"
    began = time.monotonic()
    preload()
    with hold(settings.data_dir, url):
        if not can_listen(settings.host, settings.port):
            raise CannotStart(f"port {settings.port} is in use by another program; choose another with --port")
        free = shutil.disk_usage(settings.data_dir).free
        if free < MIN_FREE_BYTES:
            need = f"{free // 1_000_000} MB free, {MIN_FREE_BYTES // 1_000_000} MB needed"
            raise CannotStart(
                f"the disk of {settings.data_dir} is full: {need}; free some or choose another folder with --data-dir"
            )
        vault = stores.vault_of(settings)
        store = None if external_nats else stores.find(settings, vault)
        cancellation.mend()

        async def supervise(nursery: Nursery) -> int:
            try:
                return await _run(settings, vault, store, console, url, began, nursery)
            except CannotStart as error:  # another process than that which reports it when nothing runs yet
                raise SystemExit(f"mim up: {error}") from None

        return raise_children(supervise)


def _shown(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host


async def _run(
    settings: Settings, vault: Vault, store: Store | None, console: Console, url: str, began: float, nursery: Nursery
) -> int:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    env = _child_env(settings, external_nats=store is None)
    nats = None
    if store is not None:
        nats = NatsServer(settings, stores.home(settings), await stores.renewed(settings, vault, store, stop))
    sandbox = Sandbox(settings.data_dir / "sandbox", nursery) if settings.sandbox else None
    watchers: list[asyncio.Task[Any]] = []

    async def fork(name: str) -> Process:
        more = await sandbox.settings(name) if sandbox else {}
        access = nats.env_of(name) if nats else {}
        if name == "lifecycle" and settings.docker_host:
            more |= await _for_containers(nats, sandbox)
        return await nursery.fork("mim.cli", ["run", name], env | access | more, needs=module_of(name))

    services = [Child(name, partial(fork, name)) for name in SERVICES]
    others = [*([nats.child] if nats else []), *(sandbox.children.values() if sandbox else [])]
    try:
        if sandbox is not None:
            await sandbox.start()
        if nats is not None:
            await nats.start()
        watchers += [asyncio.create_task(child.supervise()) for child in (*services, *others)]
        if nats is not None:
            watchers.append(asyncio.create_task(nats.watch()))
        _leave_note(settings, url, sandbox)
        if await _until_healthy(settings, stop):
            _announce(console, settings, url, services, others, time.monotonic() - began)
        await _first_crash_or(stop, watchers)
    finally:
        await _end(watchers, services, others)
    return 0


async def _for_containers(nats: NatsServer | None, sandbox: Sandbox | None) -> dict[str, str]:
    """What lifecycle has to know to start workers in containers."""
    found = {"MIM_CONTAINER_NKEY_FILE": nats.env_of("{service}")["MIM_NATS_NKEY_FILE"]} if nats else {}
    for service in ("telegram-adapter", "whatsapp-adapter"):
        found |= await sandbox.settings(service) if sandbox else {}
    return found


async def _first_crash_or(stop: asyncio.Event, watchers: list[asyncio.Task[Any]]) -> None:
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({waiting, *watchers}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        task.result()


async def _end(watchers: list[asyncio.Task[Any]], services: list[Child], others: list[Child]) -> None:
    for task in watchers:
        task.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    # Lifecycle first: it shall not take the end of the workers for a loss of them.
    for first in (True, False):
        await asyncio.gather(*(child.stop(STOP_S) for child in services if (child.name == "lifecycle") is first))
    await asyncio.gather(*(child.stop(1.0) for child in others))


def _child_env(settings: Settings, *, external_nats: bool) -> dict[str, str]:
    # The embedded server's password is its owner's: services have a key each.
    owners = set() if external_nats else {"nats_user", "nats_password"}
    given = settings.model_dump(exclude_defaults=True, exclude={"worker", "metrics_port"} | owners)
    env = {f"MIM_{name.upper()}": Settings.text(value) for name, value in given.items()}
    # One source of truth for the machine's name: ports are handed out per host.
    return env | {"MIM_DATA_DIR": str(settings.data_dir), "MIM_HOST_NAME": settings.host_name}


def _leave_note(settings: Settings, url: str, sandbox: Sandbox | None) -> None:
    """Tell `mim sandbox` where this system and its emulators are."""
    note = {"url": url, "pid": os.getpid(), "sandbox": str(sandbox.folder) if sandbox else None}
    (settings.data_dir / "up.json").write_text(json.dumps(note))


async def _until_healthy(settings: Settings, stop: asyncio.Event) -> bool:
    url = f"http://{_shown(settings.host)}:{settings.port}/health"
    deadline = time.monotonic() + READY_S
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            down = await _down(session, url)
            if not down:
                return True
            if time.monotonic() > deadline:
                log.error("not_healthy", after_s=READY_S, down=down)
                deadline += READY_S
            await asyncio.sleep(0.05)
    return False


async def _down(session: aiohttp.ClientSession, url: str) -> list[str]:
    """The services that are not up; the gateway if nobody answers, or another program that took its port meanwhile."""
    with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=1)) as response:
            health = Health.model_validate_json(await response.content.read(MOST_BYTES))
            return [name for name, state in health.services.items() if state != "up"]
    return ["gateway"]


def _announce(
    console: Console, settings: Settings, url: str, services: list[Child], others: list[Child], took_s: float
) -> None:
    title = "SANDBOX: emulated messengers, no real accounts" if settings.sandbox else None
    table = Table(title=title, title_justify="left", title_style="bold yellow")
    for column in ("what", "process", "where"):
        table.add_column(column)
    where = {
        "gateway": url,
        "nats": settings.nats_url if not others else "loopback",
        "telegram-adapter": settings.instance_ports,
    }
    where["whatsapp-adapter"] = settings.instance_ports
    for child in (*others, *services):
        table.add_row(child.name, str(child.pid or "starting"), where.get(child.name, ""))
    console.print(table)
    console.print(f"data in {settings.data_dir}, up after {took_s:.1f} s, stop with Ctrl-C")
    console.print(f"ready {url}")
    if not is_loopback(settings.host):
        console.print(f"reachable from other machines on port {settings.port}; callers need MIM_ADMIN_TOKEN")
