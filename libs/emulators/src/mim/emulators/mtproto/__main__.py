"""Run the emulator: `python -m mim.emulators.mtproto DIR [--port N] [--port-control N]`.

Writes `DIR/server.pub`, the RSA key for `mim.emulators.mtproto.trust`, and then `DIR/ports.json`,
`{"dc": port, "control": port}`, which it also prints. Serves until SIGTERM, SIGINT or its parent's end. Key, people,
groups and logins are the same in the next life, and so are the ports if they are free. The control port's verbs are
those of `mim.emulators.mtproto.control`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from mim.emulators.mtproto.control import control_application
from mim.emulators.mtproto.handshake import ServerKey
from mim.emulators.mtproto.server import MTProtoEmulator
from mim.emulators.mtproto.state import dump, load
from mim.emulators.mtproto.world import World

_PR_SET_PDEATHSIG = 1
_KEEP_EVERY_S = 0.5


async def run(folder: Path, port: int, port_control: int) -> None:
    """Serve until a signal asks to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    _end_with_parent()
    last = _last_ports(folder)
    world = World()
    _load(world, folder)
    emulator = MTProtoEmulator(world, _server_key(folder))
    keeper = asyncio.create_task(_keep(world, folder))
    runner = web.AppRunner(control_application(emulator), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await _listen(emulator, port, last.get("dc", 0))
        control = await _listen_control(runner, port_control, last.get("control", 0))
        _write(folder / "server.pub", emulator.public_pem)
        _announce(folder, {"dc": emulator.port, "control": control})
        await stopped.wait()
    finally:
        keeper.cancel()
        await runner.cleanup()
        await emulator.stop()
        _save(world, folder, final=True)


async def _keep(world: World, folder: Path) -> None:
    """Write what has changed, every now and then; a kill loses what happened since."""
    written = ""
    while True:
        await asyncio.sleep(_KEEP_EVERY_S)
        written = _save(world, folder, written)


def _save(world: World, folder: Path, written: str = "", *, final: bool = False) -> str:
    text = json.dumps(dump(world, final=final))
    if text != written:
        _write(folder / "state.json", text)
    return text


def _load(world: World, folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        load(world, json.loads((folder / "state.json").read_text()))


async def _listen(emulator: MTProtoEmulator, port: int, last: int) -> None:
    try:
        await emulator.start(port or last)
    except OSError:
        if port:
            raise
        await emulator.start()


async def _listen_control(runner: web.AppRunner, port: int, last: int) -> int:
    try:
        await web.TCPSite(runner, "127.0.0.1", port or last).start()
    except OSError:
        if port:
            raise
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    bound: int = runner.addresses[0][1]
    return bound


def _end_with_parent() -> None:
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):  # prctl is Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _server_key(folder: Path) -> ServerKey:
    """The key of the last life, or a new one."""
    path = folder / "server.key"
    if not path.exists():
        made = ServerKey()
        _write(path, made.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
        return made
    private = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError(f"{path} is not a key of the emulator: delete it and start afresh")
    return ServerKey(private)


def _last_ports(folder: Path) -> dict[str, int]:
    try:
        last: dict[str, int] = json.loads((folder / "ports.json").read_text())
    except FileNotFoundError:
        return {}
    return last


def _announce(folder: Path, ports: dict[str, int]) -> None:
    line = json.dumps(ports)
    _write(folder / "ports.json", line)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m mim.emulators.mtproto", description="Telegram sandbox server")
    parser.add_argument("folder", metavar="DIR", type=Path, help="where its key and its ports are written")
    parser.add_argument("--port", type=int, default=0, help="port for clients; default: the last, or any free one")
    parser.add_argument("--port-control", type=int, default=0, help="port of the control API; default: as above")
    options = parser.parse_args()
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(run(options.folder, options.port, options.port_control))


if __name__ == "__main__":
    main()
