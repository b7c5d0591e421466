"""The configuration of a nats-server that lets every client say and hear what its part takes, and keys for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import nkeys

from mim.contracts.permissions import Client, Permissions, permissions_of

RESPONSES = 'allow_responses: { max: 1, expires: "1m" }'
_DEPLOYED = """# Made by `mim bus conf`: the permissions come from the table in libs/contracts, and a test compares.
# The public keys are variables of the environment: `mim bus keys DIR` makes the keys and DIR/public.env.
server_name: $NATS_SERVER_NAME
listen: "0.0.0.0:4222"
http: "127.0.0.1:8222"
max_payload: 1MB
ping_interval: "5s"
ping_max: 2

tls {{
  cert_file: "/etc/nats/tls/tls.crt"
  key_file: "/etc/nats/tls/tls.key"
  ca_file: "/etc/nats/tls/ca.crt"
}}

jetstream {{
  store_dir: "/data"
  sync_interval: always
  cipher: aes
  key: $NATS_STORE_KEY
  max_memory_store: 64MB
}}

accounts {{
  MIM {{
    jetstream: enabled
    users: [
{users}
    ]
  }}
  SYS {{ }}
}}
system_account: SYS
"""


def deployed() -> str:
    """The configuration of a server of its own, as it lies in `deploy/nats.conf`."""
    return _DEPLOYED.format(users=users(lambda client: f"${variable(client)}", indent=6))


def variable(client: Client) -> str:
    """The variable of the environment with a client's public key."""
    return f"NKEY_{client.upper().replace('-', '_')}"


def public_variables(public: Mapping[Client, str]) -> str:
    """The public keys as a file of variables for the server."""
    return "".join(f"{variable(client)}={key}\n" for client, key in public.items())


def users(key_of: Callable[[Client], str], indent: int, *more: str) -> str:
    """The users of a server: each client by its key, with its permissions."""
    lines = [*more, *(f"{{ nkey: {key_of(client)}, {_permissions(permissions_of(client))} }}" for client in Client)]
    return "\n".join(" " * indent + line for line in lines)


def _permissions(allowed: Permissions) -> str:
    responses = f", {RESPONSES}" if allowed.responds else ""
    return (
        f"permissions: {{ publish: {{ allow: {_list(allowed.publish)} }},"
        f" subscribe: {{ allow: {_list(allowed.subscribe)} }}{responses} }}"
    )


def _list(subjects: Iterable[str]) -> str:
    return json.dumps(sorted(set(subjects)))


def make_keys(folder: Path, noise: Callable[[int], bytes] = os.urandom) -> Mapping[Client, str]:
    """Make a key for each client: its seed in `<folder>/<client>.nk`, mode 0600. Returns the public keys."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    public: dict[Client, str] = {}
    for client in Client:
        seed = nkeys.encode_seed(noise(32), nkeys.PREFIX_BYTE_USER)
        path = folder / f"{client}.nk"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(seed)
        public[client] = nkeys.from_seed(bytearray(seed)).public_key.decode()
    return public
