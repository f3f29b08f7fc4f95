"""Keys derived from the server key, one for each purpose (tokens, gateways, links, app secrets); and the key file.

Embedded, the server key is a file beside the database, made at the first start. On PostgreSQL the operator
sets it.
"""

import glob
import hmac
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from huiyao.errors import OperatorError
from huiyao.settings import SHORTEST_KEY, Settings

NONCE_BYTES: Final = 12  # of AES-GCM (NIST SP 800-38D)
SIGNING: Final = b"huiyao access token 1"
SEALING: Final = b"huiyao app secret 1"
REPORTING: Final = b"huiyao gateway report 1"
LINKING: Final = b"huiyao personal link 1"
CHECKING: Final = b"huiyao key check 1"
STALE_SECONDS: Final = 60.0  # nobody is still at work on such a draft
KEY_OWNER: Final = b"server key"


class Keys:
    """What is derived from one server key; the key itself is not kept."""

    def __init__(
        self, *, token_key: bytes, report_key: bytes, link_key: bytes, seal_key: bytes, check: str
    ) -> None:
        self.token_key = token_key  # 32 bytes, for HMAC-SHA256
        self.token_signer = hmac.new(token_key, digestmod="sha256")  # to be copied for each token
        self.report_key = report_key  # the same, for the addresses that gateways call
        self.link_key = link_key  # the same, for personal links
        self.check = check  # tells a database's own key from another one; says nothing about the key
        self._cipher = AESGCM(seal_key)

    @classmethod
    def from_text(cls, server_key: str) -> Self:
        """Raises OperatorError where the key is too short to be worth anything."""
        if len(server_key) < SHORTEST_KEY:
            raise OperatorError(f"The server key must have {SHORTEST_KEY} characters or more.")
        return cls(
            token_key=_derive(server_key, SIGNING, length=32),
            report_key=_derive(server_key, REPORTING, length=32),
            link_key=_derive(server_key, LINKING, length=32),
            seal_key=_derive(server_key, SEALING, length=32),
            check=_derive(server_key, CHECKING, length=16).hex(),
        )

    def seal(self, secret: str, *, app_id: int) -> bytes:
        """The secret encrypted, good for this app only: moved to another row it does not open."""
        return self._encrypt(secret, _owner(app_id))

    def unseal(self, sealed: bytes, *, app_id: int) -> str:
        """Raises OperatorError where it was sealed for another app or under another key."""
        try:
            return self._decrypt(sealed, _owner(app_id))
        except (InvalidTag, ValueError) as error:
            raise OperatorError(f"The secret of app {app_id} does not open with this server key.") from error

    def seal_key(self, server_key: str) -> bytes:
        """Another server key, the one before or after this one, for whoever has this one."""
        return self._encrypt(server_key, KEY_OWNER)

    def unseal_key(self, sealed: bytes) -> str:
        """Raises OperatorError where it was sealed under another key."""
        try:
            return self._decrypt(sealed, KEY_OWNER)
        except (InvalidTag, ValueError) as error:
            raise OperatorError("What the database keeps of earlier server keys does not open.") from error

    def _encrypt(self, plain: str, owner: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain.encode(), owner)

    def _decrypt(self, sealed: bytes, owner: bytes) -> str:
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner).decode()


def _derive(server_key: str, purpose: bytes, *, length: int) -> bytes:
    # RFC 5869 without salt: the key is random already, `purpose` keeps the derived ones apart.
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(server_key.encode())


def _owner(app_id: int) -> bytes:
    return b"app %d" % app_id


def key_file(settings: Settings) -> Path:
    """Where an embedded database's key is: `<database file>.key`."""
    file = settings.database_file
    return file.with_name(f"{file.name}.key")


def find(settings: Settings) -> str | None:
    """The server key that is set or lies beside the database; None where there is none yet.

    Raises OperatorError where it must be set or cannot be read.
    """
    if settings.key is not None:
        return settings.key
    if not settings.embedded:
        raise OperatorError(
            "HUIYAO_KEY is not set; on PostgreSQL it must be, the same on every node:"
            f" {SHORTEST_KEY} random characters or more."
        )
    path = key_file(settings)
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"The server key {path} cannot be read: {error}.") from error


def invent() -> str:
    """A new server key."""
    return secrets.token_urlsafe(SHORTEST_KEY)


def make(path: Path) -> str:
    """A new server key in a new file that only its owner can read; an existing one is kept and answered."""
    key = invent()
    try:
        draft = _draft(path, key)
        try:
            os.link(draft, path)  # refuses to replace, and nobody sees a half-written key
        except FileExistsError:
            return path.read_text(encoding="ascii").strip()
        finally:
            os.unlink(draft)
        _fsync_directory(path.parent)
    except OSError as error:
        raise OperatorError(f"The server key {path} cannot be made: {error}.") from error
    return key


def replace(path: Path, key: str) -> None:
    """Put this key into the file, which has wholly the old one or wholly the new one, whenever we are stopped.

    Raises OperatorError.
    """
    try:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.draft"):  # by one that was stopped
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink(missing_ok=True)
        os.replace(_draft(path, key), path)
        _fsync_directory(path.parent)
    except OSError as error:
        raise OperatorError(f"The server key {path} cannot be written: {error}.") from error


def _draft(path: Path, key: str) -> str:
    """A file beside it with this key, of mode 0600, that is on the disk."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".draft")
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    return draft


def _fsync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
