"""Keys for a server that accepts only known clients: read from a folder, or made for this process's own server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import zmq
from zmq.auth.certs import load_certificate

from ...errors import MecgymError

__all__ = ["KEYS_VARIABLE", "ClientKeys", "read_client_keys"]

#: Folder of the keys for the server that ``MECGYM_ADDRESS`` names.
KEYS_VARIABLE = "MECGYM_KEYS"


class ClientKeys(NamedTuple):
    """Keys of an encrypted connection, each 40 characters of Z85.

    Attributes
    ----------
    server_key : bytes
        Public key of the server it trusts.
    public_key, secret_key : bytes
        Its own pair.
    """

    server_key: bytes
    public_key: bytes
    secret_key: bytes

    def __repr__(self) -> str:
        """Return a text without the secret key."""
        return f"ClientKeys(server_key={self.server_key!r}, public_key={self.public_key!r})"

    def apply(self, socket: zmq.Socket[Any]) -> None:
        """Set the keys on a socket before it connects."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server_key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public_key)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret_key)


def read_client_keys(folder: str | os.PathLike[str]) -> ClientKeys:
    """Read ``client.key_secret`` and ``server.key`` from a folder; ``mecgym keys new`` makes such files.

    Raises
    ------
    MecgymError
        ``invalidKeys`` if a file is missing or holds no key, or others can read the secret.
    """
    place = Path(folder).expanduser()
    secret_file = place / "client.key_secret"
    public_key, secret_key = _read(secret_file)
    if secret_key is None:
        raise _invalid(secret_file, "a line secret-key", "none")
    mode = secret_file.stat().st_mode & 0o777
    if sys.platform != "win32" and mode & 0o077:
        raise _invalid(secret_file, f"a secret that only its owner can read: chmod 600 {secret_file}", f"mode {mode:o}")
    server_key, _none = _read(place / "server.key")
    return ClientKeys(server_key, public_key, secret_key)


def _read(file: Path) -> tuple[bytes, bytes | None]:
    try:
        keys = load_certificate(file)
    except (OSError, ValueError) as error:
        raise _invalid(file, "a key file", str(error)) from error
    for key in keys:
        if key is not None and len(key) != 40:
            raise _invalid(file, "40 characters of Z85 for each key", f"{len(key)} characters")
    return keys


def _invalid(file: Path, expected: str, got: str) -> MecgymError:
    return MecgymError("invalidKeys", path=str(file), expected=expected, got=got)
