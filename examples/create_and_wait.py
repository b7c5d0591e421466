"""Create an instance by command, and wait until messages can be sent.

MIM_BOT_TOKEN=… python create_and_wait.py telegram USER
python create_and_wait.py whatsappweb USER --deadline 120      # and scan the QR code meanwhile

Ends with 0 when the instance is ready, otherwise with 1 and the reason. With the same --id it may be run again.
"""

import argparse
import asyncio
import json
import os
import sys
from uuid import uuid4

import nats.errors
from connection import connection
from nats.aio.client import Client

OVER = ("logged_out", "action_required", "error", "stopped", "deleted")


async def create(client: Client, command: dict[str, str]) -> None:
    """Publish the command and wait for its outcome. The stream takes a `Nats-Msg-Id` once in ten minutes."""
    replies = await client.subscribe(inbox := client.new_inbox())
    headers = {"Nats-Msg-Id": f"create-{command['instance_id']}", "Mim-Reply-To": inbox}
    stored = await client.jetstream().publish("mim.cmd.instance.create", json.dumps(command).encode(), headers=headers)
    if stored.duplicate:
        return print("it was asked for before")
    outcome = json.loads((await replies.next_msg(timeout=10)).data)
    return print(outcome["message"]) if outcome["ok"] else sys.exit(f"{outcome['code']}: {outcome['message']}")


async def until_ready(client: Client, instance_id: str) -> None:
    """Follow the instance's record: first as it is, then as it changes."""
    records = await client.jetstream().key_value("instances")
    async for entry in await records.watch(instance_id):
        if entry is not None and entry.value:  # neither the mark before what is new, nor a record that was removed
            record = json.loads(entry.value)
            status, reason = record["status"], record["reason"]
            print(status, reason["message"])
            if status == "client_ready":
                return
            if status in OVER:
                sys.exit(f"{reason['code']}: {reason['message']}")


async def main(command: dict[str, str], deadline_s: float) -> None:
    try:
        async with asyncio.timeout(deadline_s), connection() as client:
            await create(client, command)
            await until_ready(client, command["instance_id"])
    except TimeoutError:
        sys.exit(f"not ready after {deadline_s:g} s")
    except (OSError, ValueError, nats.errors.Error) as error:
        sys.exit(f"the bus cannot be used: {error}")


parser = argparse.ArgumentParser(description="Create an instance and wait until it is ready.")
parser.add_argument("provider", choices=["telegram", "whatsappweb"])
parser.add_argument("user_id")
parser.add_argument("--id", default=str(uuid4()), help="a UUID of your choice", dest="instance_id")
parser.add_argument("--deadline", type=float, default=60, help="seconds")
given = vars(parser.parse_args())
seconds, bot_token = given.pop("deadline"), os.environ.get("MIM_BOT_TOKEN")
asyncio.run(main(given | ({"token": bot_token} if bot_token else {}), seconds))
