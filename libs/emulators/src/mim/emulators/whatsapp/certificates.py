"""A TLS authority of the emulator's own, kept in its folder.

Clients are told of it by `SSL_CERT_FILE`. It may vouch for WhatsApp's host names and nothing else (name constraints),
so that a client that trusts it by mistake loses nothing but WhatsApp.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

_DOMAINS = ("whatsapp.com", "whatsapp.net")
_HOSTS = ("web.whatsapp.com", "*.whatsapp.com", "*.whatsapp.net", "*.cdn.whatsapp.net")
_AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mim WhatsApp sandbox")])
_SERVER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.whatsapp.com")])
_TEN_YEARS = timedelta(days=3650)
_A_MONTH = timedelta(days=30)


def server_tls(folder: Path) -> ssl.SSLContext:
    """TLS settings of a server that clients with `folder/ca.pem` trust; makes the authority on the first call."""
    authority, key = _load_authority(folder) or _make_authority(folder)
    return _context(folder, authority, key)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def _load_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / 'ca.key'} is not a key of the emulator: delete the folder and start afresh")
    return authority, key


def _make_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    domains = [x509.DNSName(domain) for domain in _DOMAINS]
    authority = (
        _builder(_AUTHORITY, key.public_key(), _TEN_YEARS)
        .issuer_name(_AUTHORITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=domains, excluded_subtrees=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_secret(folder / "ca.key", _pem(key))
    write_secret(folder / "ca.pem", authority.public_bytes(Encoding.PEM))
    return authority, key


def _context(folder: Path, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    own = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_SERVER, own.public_key(), _A_MONTH)
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in _HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    write_secret(path, _pem(own) + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, validity: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + validity)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
