"""Exit with 0 if `HEALTH_URL` (http://HOST:PORT/PATH) answers with 200, else with 1.

A container is asked every few seconds. Importing a client for HTTP would take five times as long as all of this.
"""

import os
import socket

TIMEOUT_S = 4.0

_, _, address, path = os.environ["HEALTH_URL"].split("/", 3)
host, port = address.split(":")
with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
    connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    status_line = connection.makefile("rb").readline()
raise SystemExit(0 if status_line.split()[1:2] == [b"200"] else 1)
