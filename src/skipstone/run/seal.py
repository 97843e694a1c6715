"""What passes through a shared database is sealed: who reads its files, backups or rows reads nothing.

The key is made of the password in the database's URL, which every process that may use the database has
anyway, and which the database itself does not keep (SCRAM keeps a hash with a salt of its own).
"""

import base64
import json
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from skipstone.errors import InputError

_SALT = b"skipstone-workers"
_COST = {"n": 2**15, "r": 8, "p": 1}


class Seal:
    """Seals and opens facts with the key of one database; without a password in its URL they stay open."""

    def __init__(self, database: str) -> None:
        password = sa.make_url(database).password
        self._key = Fernet(_key_of(str(password))) if password else None

    def close(self, facts: dict[str, Any]) -> str:
        """Return facts as a text that only ``open`` with the same key reads."""
        text = json.dumps(facts)
        return self._key.encrypt(text.encode()).decode() if self._key else text

    def open(self, text: str) -> dict[str, Any]:
        """Return the facts; raise InputError where another key has sealed them."""
        try:
            facts: dict[str, Any] = json.loads(self._key.decrypt(text) if self._key else text)
        except (InvalidToken, ValueError) as error:
            raise InputError(
                "what came through the database cannot be read",
                where="SKIPSTONE_DATABASE_URL",
                remedy="give the run and its workers the same URL, with the same password in it",
            ) from error
        return facts


def _key_of(password: str) -> bytes:
    return base64.urlsafe_b64encode(Scrypt(salt=_SALT, length=32, **_COST).derive(password.encode()))
