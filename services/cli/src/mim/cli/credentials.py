"""What services in containers prove themselves with, made once: a folder for each, to be seen by nobody else.

    <folder>/<service>/   nats.nk, ca.crt, and those of mim_secret_key and mim_admin_token that the service needs
    <folder>/nats/        public.env, store.env, tls.crt, tls.key, ca.crt: the server's
    <folder>/<program>/   nats.nk, ca.crt: for programs outside, commander and watcher

The files with `mim_` are settings, as MIM_SECRETS_DIR reads them.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mim.cli import nats_conf
from mim.contracts.permissions import Client

SEALING = frozenset(Client) - {Client.MESSAGE_STORE, Client.COMMANDER, Client.WATCHER}
"""Who opens or seals secrets."""
SERVER = "nats"
YEARS = timedelta(days=3650)


def make(folder: Path, host: str) -> bool:
    """Make what is missing; `host` is the server's name. Returns whether there was anything to make.

    Keys of the bus and certificates fit together and are all made anew if one is missing. What opens stored things is
    kept wherever it is found.
    Raises: OSError.
    """
    for name in (*Client, SERVER):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = [*(folder / client / file for client in Client for file in ("nats.nk", "ca.crt"))]
    wanted += [folder / SERVER / file for file in ("public.env", "tls.crt", "tls.key", "ca.crt")]
    incomplete = not all(path.exists() for path in wanted)
    if incomplete:
        _make_keys(folder)
        _make_certificates(folder, host)
    # The letter keeps the server from reading digits as a number.
    store_key = f"NATS_STORE_KEY=k{secrets.token_hex(32)}\n"
    made = [
        _share([folder / SERVER / "store.env"], store_key),
        _share([folder / client / "mim_secret_key" for client in sorted(SEALING)], secrets.token_hex(32)),
        _share([folder / Client.GATEWAY / "mim_admin_token"], secrets.token_hex(32)),
    ]
    return incomplete or any(made)


def _make_keys(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder / SERVER) as made:
        public = nats_conf.make_keys(Path(made))
        for client in Client:
            _write(folder / client / "nats.nk", (Path(made) / f"{client}.nk").read_bytes())
    _write(folder / SERVER / "public.env", nats_conf.public_variables(public).encode())


def _share(places: list[Path], new: str) -> bool:
    """Have the same in all places: what one of them has, else something new. Returns whether one had nothing."""
    found = next((path.read_bytes() for path in places if path.exists()), new.encode())
    lacking = [path for path in places if not path.exists()]
    for path in lacking:
        _write(path, found)
    return bool(lacking)


def _make_certificates(folder: Path, host: str) -> None:
    """An authority that signs the server's certificate and is then forgotten, for ten years."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mim")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName("localhost")])
    ca = (
        _certificate(issuer, issuer, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    certificate = _certificate(subject, issuer, own).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    _write(folder / SERVER / "tls.crt", certificate.sign(authority, hashes.SHA256()).public_bytes(pem))
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(folder / SERVER / "tls.key", key)
    for name in (*Client, SERVER):
        _write(folder / name / "ca.crt", ca.public_bytes(pem))


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + YEARS)
    )


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
