"""Methods of `help`, `auth`, `account` and `users`: set-up, logging in and out, who one is.

Names and errors as in https://core.telegram.org/methods.
"""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.crypto import KEY_BYTES, G, P
from mim.emulators.mtproto.logins import Code, Token
from mim.emulators.mtproto.methods.peers import person_of
from mim.emulators.mtproto.people import Device, Person, RpcError
from mim.emulators.mtproto.srp import Verifier
from mim.emulators.mtproto.world import Call

DC = 2
_DCS = range(1, 6)
_LIMITS = {"chat_size_max": 200, "megagroup_size_max": 200_000, "caption_length_max": 1024, "message_length_max": 4096}
_EDIT_LIMIT_S = 172_800


def get_config(call: Call, _q: Any) -> Any:
    """All data centres are this server."""
    required = {
        name: "" if "str" in str(parameter.annotation) else 100
        for name, parameter in inspect.signature(types.Config.__init__).parameters.items()
        if name != "self" and parameter.default is parameter.empty
    }
    now = call.world.now()
    fixed = {
        "date": now,
        "expires": now + timedelta(hours=1),
        "test_mode": False,
        "this_dc": DC,
        "dc_options": [types.DcOption(number, "127.0.0.1", call.world.port) for number in _DCS],
        "me_url_prefix": "https://t.me/",
        "edit_time_limit": _EDIT_LIMIT_S,
    }
    return types.Config(**required | _LIMITS | fixed)


def export_login_token(call: Call, _q: Any) -> Any:
    """A QR code to show, or who scanned the last one."""
    return _login_token(call.world.logins.export(call.device))


def import_login_token(call: Call, q: Any) -> Any:
    """Go on at another data centre with a token that was scanned."""
    return _login_token(call.world.logins.import_token(q.token, call.device))


def accept_login_token(call: Call, q: Any) -> Any:
    """Scan a QR code with a device that is logged in."""
    return _authorization(call.world.scan(q.token, call.me))


def _login_token(outcome: Token | Person) -> Any:
    if isinstance(outcome, Person):
        return types.auth.LoginTokenSuccess(types.auth.Authorization(outcome.seen_by(outcome)))
    if outcome.dc_id is not None:
        return types.auth.LoginTokenMigrateTo(outcome.dc_id, outcome.value)
    return types.auth.LoginToken(datetime.fromtimestamp(int(outcome.expires), UTC), outcome.value)


def send_code(call: Call, q: Any) -> Any:
    """Send a code to a phone, whether or not it has an account."""
    return _sent(call.world.logins.send_code(q.phone_number))


def resend_code(call: Call, q: Any) -> Any:
    """Send another code in place of a known one."""
    call.world.logins.known_code(q.phone_number, q.phone_code_hash)
    return _sent(call.world.logins.send_code(q.phone_number))


def cancel_code(call: Call, q: Any) -> Any:
    """Make a code void."""
    call.world.logins.cancel_code(q.phone_number, q.phone_code_hash)
    return True


def _sent(code: Code) -> Any:
    return types.auth.SentCode(types.auth.SentCodeTypeApp(len(code.digits)), code.hash, timeout=60)


def sign_in(call: Call, q: Any) -> Any:
    """Log in with a code."""
    person = call.world.logins.sign_in(call.device, q.phone_number, q.phone_code_hash, q.phone_code or "")
    if person is None:
        return types.auth.AuthorizationSignUpRequired()
    return types.auth.Authorization(person.seen_by(person))


def get_password(call: Call, _q: Any) -> Any:
    """A fresh challenge, and the salts for a next password."""
    challenge = call.world.logins.challenge(call.device)
    noise = call.world.noise
    new = _algorithm(Verifier(noise(8), noise(16), 0))
    common = {"new_algo": new, "new_secure_algo": types.SecurePasswordKdfAlgoUnknown(), "secure_random": noise(256)}
    if challenge is None:
        return types.account.Password(**common)
    return types.account.Password(
        **common,
        has_password=True,
        current_algo=_algorithm(challenge.verifier),
        srp_B=challenge.share,
        srp_id=challenge.id,
    )


def _algorithm(verifier: Verifier) -> Any:
    return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
        verifier.salt1, verifier.salt2, G, P.to_bytes(KEY_BYTES, "big")
    )


def check_password(call: Call, q: Any) -> Any:
    """Log in with the password after a code or a scan."""
    if not isinstance(q.password, types.InputCheckPasswordSRP):
        raise RpcError(400, "PASSWORD_HASH_INVALID")
    proof = q.password
    person = call.world.logins.check_password(call.device, proof.srp_id, proof.A, proof.M1)
    return types.auth.Authorization(person.seen_by(person))


def log_out(call: Call, _q: Any) -> Any:
    """Log this device out."""
    _ = call.me
    call.device.log_out()
    return types.auth.LoggedOut()


def reset_authorizations(call: Call, _q: Any) -> Any:
    """Log all other devices out."""
    for device in [other for other in call.me.devices if other is not call.device]:
        call.world.revoke(device, error="SESSION_REVOKED")
    return True


def get_authorizations(call: Call, _q: Any) -> Any:
    """All devices that are logged in as the same person."""
    devices = [_authorization(device, current=device is call.device) for device in call.me.devices]
    return types.account.Authorizations(authorization_ttl_days=180, authorizations=devices)


def reset_authorization(call: Call, q: Any) -> Any:
    """Log one other device out."""
    device = next((other for other in call.me.devices if other.hash == q.hash), None)
    if device is None or device is call.device:
        raise RpcError(400, "HASH_INVALID")
    call.world.revoke(device, error="SESSION_REVOKED")
    return True


def _authorization(device: Device, *, current: bool = False) -> Any:
    created = datetime.fromtimestamp(int(device.created), UTC)
    app = {"device_model": "", "system_version": "", "app_version": ""} | device.app
    return types.Authorization(
        hash=0 if current else device.hash,
        current=current or None,
        device_model=app["device_model"],
        platform="",
        system_version=app["system_version"],
        api_id=0,
        app_name="",
        app_version=app["app_version"],
        date_created=created,
        date_active=created,
        ip="127.0.0.1",
        country="",
        region="",
    )


def update_status(call: Call, q: Any) -> Any:
    """Be seen to come or go."""
    call.world.attention.presence(call.me, online=not q.offline)
    return True


def get_users(call: Call, q: Any) -> Any:
    """Users by id; unknown ones are left out."""
    me = call.me
    found = [person_of(call, user) for user in q.id]
    return [person.seen_by(me) for person in found if person]


def get_full_user(call: Call, q: Any) -> Any:
    """All about one user."""
    person = person_of(call, q.id)
    if person is None:
        raise RpcError(400, "USER_ID_INVALID")
    full = types.UserFull(
        id=person.id,
        settings=types.PeerSettings(),
        notify_settings=types.PeerNotifySettings(),
        common_chats_count=0,
    )
    return types.users.UserFull(full, [], [person.seen_by(call.me)])


METHODS = {
    functions.help.GetConfigRequest: get_config,
    functions.auth.ExportLoginTokenRequest: export_login_token,
    functions.auth.ImportLoginTokenRequest: import_login_token,
    functions.auth.AcceptLoginTokenRequest: accept_login_token,
    functions.auth.SendCodeRequest: send_code,
    functions.auth.ResendCodeRequest: resend_code,
    functions.auth.CancelCodeRequest: cancel_code,
    functions.auth.SignInRequest: sign_in,
    functions.auth.CheckPasswordRequest: check_password,
    functions.auth.LogOutRequest: log_out,
    functions.auth.ResetAuthorizationsRequest: reset_authorizations,
    functions.account.GetPasswordRequest: get_password,
    functions.account.GetAuthorizationsRequest: get_authorizations,
    functions.account.ResetAuthorizationRequest: reset_authorization,
    functions.account.UpdateStatusRequest: update_status,
    functions.users.GetUsersRequest: get_users,
    functions.users.GetFullUserRequest: get_full_user,
}
