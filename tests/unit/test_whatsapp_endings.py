"""What the end of a WhatsApp session means, and what its process does without."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

import pytest

from mim.contracts.errors import ErrorCode, Fatal, NeedsUser, NotReady, SessionEnded
from mim.contracts.states import Status
from mim.whatsapp_adapter.endings import NEXT_QR, ending, login_ending


@pytest.mark.parametrize(
    ("event", "kind", "code"),
    [
        ({"event": "error", "message": "dial tcp"}, NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ({"event": "silent"}, NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ({"event": "refused", "message": "503"}, NotReady, ErrorCode.MESSENGER_REFUSED),
        ({"event": "pair_failed", "message": "bad signature"}, NotReady, ErrorCode.MESSENGER_REFUSED),
        ({"event": "logged_out", "reason": "main_device_gone"}, NeedsUser, ErrorCode.LOGGED_OUT),
        ({"event": "replaced"}, Fatal, ErrorCode.LOGIN_REPLACED),
        ({"event": "outdated"}, Fatal, ErrorCode.MESSENGER_REFUSED),
    ],
)
def test_an_event_that_ends_the_session_says_who_has_to_act(
    event: dict[str, Any], kind: type[SessionEnded], code: ErrorCode
) -> None:
    end = ending(event)
    assert type(end) is kind
    assert end.code is code


@pytest.mark.parametrize("event", ["qr", "paired", "connected", "disconnected", "incoming", "receipt", "from-tomorrow"])
def test_other_events_do_not_end_the_session(event: str) -> None:
    assert ending({"event": event}) is None


def test_a_ban_says_how_long_to_wait() -> None:
    end = ending({"event": "banned", "expires_in_s": 3600})
    assert isinstance(end, NotReady)
    assert end.retry_after_s == 3600


def test_the_same_word_means_expired_after_the_last_code_and_lost_before() -> None:
    expired, lost = login_ending("timeout", NEXT_QR), login_ending("timeout", timedelta(seconds=5))
    assert isinstance(expired, NeedsUser)
    assert (expired.code, expired.status) == (ErrorCode.QR_EXPIRED, Status.LOGGED_OUT)
    assert isinstance(lost, NotReady)
    assert login_ending("success", NEXT_QR) is None


async def test_a_package_that_is_left_out_says_so_when_it_is_used() -> None:
    program = (
        "from mim.whatsapp_adapter.lean import leave_out\n"
        "leave_out()\n"
        "from PIL import Image\n"
        "def crop(image: Image.Image | None): ...\n"
        "Image.open('x.png')\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert b"RuntimeError: open belongs to a package that is left out" in errors
