"""Run the emulator: `python -m mim.emulators.whatsapp DIR [--port-control N] [--qr-refs N] [--strict-contacts]`.

Writes `DIR/{ca.pem,root.pub,ports.json}` and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from mim.emulators.whatsapp.server import WhatsAppEmulator


async def run(arguments: argparse.Namespace) -> None:
    """Serve until a signal asks to stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    emulator = WhatsAppEmulator(
        arguments.folder, qr_refs=arguments.qr_refs, auto_contacts=not arguments.strict_contacts
    )
    try:
        await emulator.start(port_control=arguments.port_control)
        await stopped.wait()
    finally:
        await emulator.stop()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m mim.emulators.whatsapp", description="WhatsApp sandbox server")
    parser.add_argument("folder", type=Path, help="where its keys and phones are kept")
    parser.add_argument("--port-control", type=int, default=0, help="port of the control API; default: any free one")
    parser.add_argument("--qr-refs", type=int, default=6, help="QR codes that a client gets before it must reconnect")
    parser.add_argument("--strict-contacts", action="store_true", help="numbers that nobody made do not exist")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
