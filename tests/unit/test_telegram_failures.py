"""Every error of the Bot API ends as one of the words that the worker and the caller understand."""

from __future__ import annotations

from typing import Any

import pytest
from aiogram import exceptions as telegram
from aiogram.methods import GetMe

from mim.contracts.errors import ErrorCode, Fatal, MimError, NeedsUser, NotReady, Refused
from mim.telegram_adapter.failures import Kind, classify, end_of_message, end_of_session

SECRET = "AAF-secret-part-of-a-token"
ME: Any = GetMe()


def api_error(kind: type[telegram.TelegramAPIError], text: str = "no") -> Exception:
    return kind(method=ME, message=text)


CASES = [
    (api_error(telegram.TelegramUnauthorizedError), Kind.UNAUTHORIZED, NeedsUser, Refused),
    (api_error(telegram.TelegramConflictError), Kind.CONFLICT, NotReady, Refused),
    (api_error(telegram.TelegramForbiddenError), Kind.FORBIDDEN, NotReady, Refused),
    (api_error(telegram.TelegramNotFound), Kind.NOT_FOUND, NeedsUser, Refused),
    (api_error(telegram.TelegramBadRequest), Kind.REFUSED, NotReady, Refused),
    (api_error(telegram.TelegramEntityTooLarge), Kind.REFUSED, NotReady, Refused),
    (api_error(telegram.TelegramServerError), Kind.UNANSWERED, NotReady, MimError),
    (api_error(telegram.RestartingTelegram), Kind.UNANSWERED, NotReady, MimError),
    (api_error(telegram.TelegramNetworkError), Kind.UNANSWERED, NotReady, MimError),
    (api_error(telegram.TelegramAPIError), Kind.REFUSED, NotReady, Refused),
    (telegram.ClientDecodeError("bad", ValueError(), "<html>"), Kind.UNANSWERED, NotReady, MimError),
    (telegram.TelegramRetryAfter(ME, "slow down", 9), Kind.LIMITED, NotReady, NotReady),
    (telegram.TelegramMigrateToChat(ME, "moved", -1005), Kind.MIGRATED, NotReady, Refused),
    (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "bad"), Kind.UNANSWERED, NotReady, MimError),
]


@pytest.mark.parametrize(("error", "kind", "session", "message"), CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_an_error_has_one_meaning(
    error: Exception, kind: Kind, session: type[MimError], message: type[MimError]
) -> None:
    failure = classify(error, SECRET)
    assert failure.kind is kind
    assert type(end_of_session(failure)) is session
    assert type(end_of_message(failure)) is message
    assert not isinstance(end_of_session(failure), Fatal)


def test_telegrams_own_wait_is_kept() -> None:
    failure = classify(telegram.TelegramRetryAfter(ME, "slow down", 9), SECRET)
    for error in (end_of_session(failure), end_of_message(failure)):
        assert isinstance(error, NotReady)
        assert (error.code, error.retry_after_s) == (ErrorCode.RATE_LIMITED, 9.0)


@pytest.mark.parametrize("case", CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_no_meaning_repeats_the_token(case: tuple[Exception, Kind, type[MimError], type[MimError]]) -> None:
    error = case[0]
    if isinstance(error, telegram.DetailedAiogramError):
        error.message = f"https://api.telegram.org/bot42:{SECRET}/getMe"
    failure = classify(error, SECRET)
    assert SECRET not in failure.description + end_of_session(failure).message + end_of_message(failure).message


def test_a_conflict_says_what_the_other_program_does() -> None:
    webhook = classify(api_error(telegram.TelegramConflictError, "Conflict: terminated by setWebhook request"), SECRET)
    assert "webhook" in end_of_session(webhook).message
    polls = classify(api_error(telegram.TelegramConflictError, "Conflict: terminated by other getUpdates"), SECRET)
    assert "polls this bot" in end_of_session(polls).message


@pytest.mark.parametrize(
    ("description", "code"),
    [
        ("Bad Request: chat not found", ErrorCode.RECIPIENT_UNKNOWN),
        ("Bad Request: message is too long", ErrorCode.MESSENGER_REFUSED),
    ],
)
def test_a_bad_request_keeps_telegrams_words(description: str, code: ErrorCode) -> None:
    error = end_of_message(classify(api_error(telegram.TelegramBadRequest, description), SECRET))
    assert (error.code, error.message) == (code, description)
