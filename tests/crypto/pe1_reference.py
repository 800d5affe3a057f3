#!/usr/bin/env python3
"""An independent reading of crypto/container.hpp and crypto/column_cipher.hpp.

Prints the container that column_cipher_test.cpp expects for fixed inputs: BLAKE2b from hashlib,
ChaCha20-Poly1305 from OpenSSL through the cryptography package, HChaCha20 written here after
draft-irtf-cfrg-xchacha-03.
"""
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def field(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def kdf(key: bytes, number: int, context: bytes) -> bytes:
    """libsodium's crypto_kdf: BLAKE2b with the number as salt and the context as person."""
    salt = struct.pack("<Q", number) + bytes(8)
    person = context + bytes(8)
    return hashlib.blake2b(b"", digest_size=32, key=key, salt=salt, person=person).digest()


def rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF


def quarter(s: list, a: int, b: int, c: int, d: int) -> None:
    for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[first] = (s[first] + s[second]) & 0xFFFFFFFF
        s[third] = rotate(s[third] ^ s[first], bits)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I4I", key + nonce))
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(state, a, b, c, d)
    return struct.pack("<8I", *(state[:4] + state[12:]))


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    subkey_cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return subkey_cipher.encrypt(bytes(4) + nonce[16:], plaintext, aad)


def header_and_aad(suite: int, key_id: int, tenant: bytes, uuid: bytes, kind: bytes):
    header = b"\xf5\x50\x01" + bytes([suite]) + struct.pack(">I", key_id)
    aad = b"".join(field(f) for f in (b"postern/pe1", header, tenant, uuid, kind))
    return header, aad


def subkey(dek: bytes, number: int, context: bytes, uuid: bytes) -> bytes:
    return hashlib.blake2b(uuid, digest_size=32, key=kdf(dek, number, context)).digest()


def deterministic(dek: bytes, key_id: int, tenant: bytes, group: bytes, family: bytes,
                  plain: bytes):
    header, aad = header_and_aad(0x11, key_id, tenant, group, family)
    mac_key = subkey(dek, 2, b"PstnDet1", group)
    nonce = hashlib.blake2b(field(aad) + field(plain), digest_size=24, key=mac_key).digest()
    return header + nonce + seal(subkey(dek, 1, b"PstnDet1", group), nonce, aad, plain)


def randomized(dek: bytes, key_id: int, tenant: bytes, column: bytes, kind: bytes, nonce: bytes,
               plain: bytes):
    header, aad = header_and_aad(0x01, key_id, tenant, column, kind)
    return header + nonce + seal(subkey(dek, 1, b"PstnEnc1", column), nonce, aad, plain)


def main() -> None:
    dek = bytes(range(32))
    column = bytes(range(0xA0, 0xB0))
    group = bytes(range(0xC0, 0xD0))
    plain = b"alice@example.org"
    print("deterministic", deterministic(dek, 0x01020304, b"acme", group, b"text", plain).hex())
    nonce = bytes(range(24))
    sealed = randomized(dek, 0x01020304, b"acme", column, b"varchar", nonce, plain)
    print("randomized", sealed.hex())


if __name__ == "__main__":
    main()
