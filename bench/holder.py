"""Holds idle connections: holder.py PORT COUNT USER DATABASE plain|tls query|none.

Logs in COUNT clients (no password asked), lets each run one query, writes "held N" and keeps the
sockets until standard input ends. After the handshake of TLS only the socket is kept, so that a
client costs this process next to nothing.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys

PER_ADDRESS = 20_000  # ephemeral ports of one source address
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def startup(user: str, database: str) -> bytes:
    body = struct.pack("!i", 196608)
    for text in ("user", user, "database", database):
        body += text.encode() + b"\0"
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


def until_ready(stream: socket.socket) -> None:
    """Reads up to ReadyForQuery, the last message before a server waits."""
    got = b""
    while not got.endswith(b"Z\0\0\0\x05I"):
        part = stream.recv(65536)
        if not part:
            raise ConnectionError(f"closed after {got[-200:]!r}")
        got += part


def connect(port: int, number: int, tls: ssl.SSLContext | None) -> socket.socket:
    plain = socket.socket()
    plain.bind((f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    plain.connect(("127.0.0.1", port))
    if tls is None:
        return plain
    plain.sendall(_SSL_REQUEST)
    if plain.recv(1) != b"S":
        raise ConnectionError("no TLS")
    return tls.wrap_socket(plain)


def main(argv: list[str]) -> int:
    port, count, user, database, transport, asks = argv
    tls = None
    if transport == "tls":
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    query = b"Q" + struct.pack("!i", 13) + b"SELECT 1\0"
    held: list[socket.socket] = []
    for number in range(int(count)):
        stream = connect(int(port), number, tls)
        stream.sendall(startup(user, database))
        until_ready(stream)
        if asks == "query":
            stream.sendall(query)
            until_ready(stream)
        held.append(socket.socket(fileno=stream.detach()))
    print(f"held {len(held)}", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
