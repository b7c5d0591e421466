"""Settings come from `MIM_*`; wrong ones are refused with the way to write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from mim.runtime.settings import Settings, is_loopback
from mim.telegram_adapter.session import ANSWER_S, POLL_S
from mim.telegram_adapter.user_session import PING_S, PING_WITHIN_S


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIM_PORT", "4100")
    monkeypatch.setenv("MIM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MIM_ALLOWED_HOSTS", "desk.example.com, tower ,")
    monkeypatch.setenv("MIM_UNKNOWN", "is ignored")
    settings = Settings()
    assert (settings.port, settings.data_dir, settings.allowed_hosts) == (4100, tmp_path, ("desk.example.com", "tower"))


def test_the_data_folder_is_absolute_and_knows_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(data_dir=Path("~/x")).data_dir == tmp_path / "x"
    assert Settings(data_dir=Path("x")).data_dir.is_absolute()


@pytest.mark.parametrize(
    ("text", "ports"),
    [("3001-7999", range(3001, 8000)), ("5-5", range(5, 6)), ("1-32767", range(1, 32_768))],
)
def test_a_range_of_instance_ports_includes_both_ends(text: str, ports: range) -> None:
    assert Settings(instance_ports=text).port_range() == ports


@pytest.mark.parametrize(
    "text", ["", "3001", "3001-", "-3001", "8000-7999", "0-10", "3001-32768", "a-b", "1 - 2", "1-2-3"]
)
def test_a_range_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="FIRST-LAST"):
        Settings(instance_ports=text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65_536},
        {"port": "x"},
        {"worker_capacity": 0},
        {"log_level": "loud"},
        {"log_format": "xml"},
    ],
)
def test_impossible_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_secrets_show_neither_in_repr_nor_in_errors() -> None:
    settings = Settings(
        nats_password=SecretStr("hunter2"), admin_token=SecretStr("hunter3"), secret_key=SecretStr("hunter4")
    )
    assert "hunter" not in repr(settings)
    with pytest.raises(ValidationError) as refused:
        Settings(nats_password=SecretStr("hunter2"), port="hunter5")  # type: ignore[arg-type]
    assert "hunter" not in str(refused.value)


def test_a_dead_session_is_found_within_a_minute_by_default() -> None:
    given, most = Settings(), Settings(telegram_poll_s=45)
    assert given.whatsapp_ping_s + given.whatsapp_ping_within_s < 60
    assert given.telegram_ping_s + given.telegram_ping_within_s < 60
    assert given.telegram_poll_s < most.telegram_poll_s < 60 - ANSWER_S
    assert given.telegram_poll_s == POLL_S
    assert (given.telegram_ping_s, given.telegram_ping_within_s) == (PING_S, PING_WITHIN_S)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_adapters_get_their_own_settings_and_no_secrets() -> None:
    given = Settings(admin_token=SecretStr("hunter2")).adapter_settings()
    assert given["telegram_api_url"] == "https://api.telegram.org"
    assert all(name.startswith(("telegram_", "whatsapp_", "media_")) for name in given)
    assert all(isinstance(value, str) for value in given.values())


@pytest.mark.parametrize(
    ("host", "ours_alone"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_only_loopback_counts_as_reachable_from_this_machine_alone(host: str, ours_alone: bool) -> None:
    assert is_loopback(host) is ours_alone
