"""The protobuf messages of the protocol, from the client library's own modules.

They are imported as the top-level modules they were generated as: importing them through the `neonize` package would
load the Go library, which has no place in a server process.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from mim.emulators.whatsapp.library import package_folder

_FOLDER = str(package_folder() / "proto")
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)

_cert = importlib.import_module("waCert.WACert_pb2")
_wa6 = importlib.import_module("waWa6.WAWebProtobufsWa6_pb2")
_adv = importlib.import_module("waAdv.WAAdv_pb2")
_e2e = importlib.import_module("waE2E.WAWebProtobufsE2E_pb2")

# Generated classes carry no types that a checker could see from here.
CertChain: Any = _cert.CertChain
ClientPayload: Any = _wa6.ClientPayload
HandshakeMessage: Any = _wa6.HandshakeMessage
ADVDeviceIdentity: Any = _adv.ADVDeviceIdentity
ADVSignedDeviceIdentity: Any = _adv.ADVSignedDeviceIdentity
ADVSignedDeviceIdentityHMAC: Any = _adv.ADVSignedDeviceIdentityHMAC
Message: Any = _e2e.Message
