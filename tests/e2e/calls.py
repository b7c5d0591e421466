"""One call that fits for every route of the table, so that what holds for every route is tried with every route."""

from __future__ import annotations

import re
from typing import Any

from mim.contracts import api, bulk, groups
from mim.contracts.fields import Model
from mim.contracts.routes import Route

Json = dict[str, Any]

BOT_TOKEN = "7{:08d}:AAEabcdefghijklmnopqrstuvwxyz0123456"
NOBODY = "00000000-0000-4000-8000-000000000000"
NO_GROUP = "120363025246125486@g.us"
NOWHERE = "https://files.invalid/picture.png"
BODIES: dict[type[Model], Json] = {
    api.CreateInstanceBody: {
        "user_id": "calls",
        "provider": "whatsappweb",
        "type_instance": ["api"],
        "start": False,
    },
    api.UpdateInstanceBody: {"name": "renamed"},
    api.BatchBody: {"instance_ids": [NOBODY]},
    api.LoginBody: {"phone_number": "15550009999", "token": BOT_TOKEN.format(99_999_999)},
    api.PairingCodeBody: {"phone_number": "15550009999"},
    api.SendMessageBody: {"to": "15552229999", "message": "hello"},
    api.SendBody: {"to": "15552229999", "text": "hello"},
    bulk.BulkBody: {"recipients": ["15552229999"], "text": "hello"},
    groups.CreateGroupBody: {"title": "Picnic", "participants": ["15552229999"]},
    groups.ParticipantsBody: {"action": "promote", "participants": ["15552229999"]},
    api.SendMediaBody: {"to": "15552229999", "mediaUrl": NOWHERE},
    api.TelegramSendBody: {"chatId": "15552229999", "message": "hello"},
    api.TelegramMediaBody: {"chatId": "15552229999", "source": NOWHERE},
    api.WhatsAppSendBody: {"number": "15552229999", "message": "hello"},
    api.WebhookBody: {"url": "https://hooks.invalid/x"},
    api.CreateTokenBody: {"name": "calls", "role": "viewer"},
}


def body_of(route: Route) -> Json | None:
    """A body that fits. Raises: LookupError if this module knows none."""
    if route.body is None:
        return None
    if route.body not in BODIES:
        raise LookupError(f"add a body for {route.body.__name__} to {__name__}")
    return dict(BODIES[route.body])


def path_of(route: Route, **parts: object) -> str:
    """The path with its variable parts filled in. Raises: LookupError if one is not known."""
    nothing = {"token_id": "000000000000", "message": "1", "bulk_id": "0" * 32}
    nothing |= {"delivery_id": NOBODY, "group": NO_GROUP, "worker": "nobody"}
    known = {"service": "allocator", "chat": "15552229999", **nothing, **parts}
    return re.sub(r"\{(\w+)\}", lambda found: str(known[found[1]]), route.path)
