"""Secrets at rest: one field class over `cryptography`'s MultiFernet.

`FIELD_ENCRYPTION_KEYS` is a list: the first key encrypts, all of them decrypt, so a key
is changed by putting a new one in front and encrypting the rows anew
(`voiceops.rotation`).
"""

import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import checks
from django.db import models


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(plain: str) -> str:
    """Encrypt with the first key."""
    keys = tuple(settings.FIELD_ENCRYPTION_KEYS)
    return _fernet(keys).encrypt(plain.encode()).decode()


def decrypt(cipher: str) -> str:
    """Decrypt with whichever key fits; `cryptography.fernet.InvalidToken` if none."""
    keys = tuple(settings.FIELD_ENCRYPTION_KEYS)
    return _fernet(keys).decrypt(cipher.encode()).decode()


def key_id(key: str) -> str:
    """What a key can be called without telling it."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def key_of(cipher: str) -> str | None:
    """The key that the text is encrypted with; None if it is none of ours."""
    for key in settings.FIELD_ENCRYPTION_KEYS:
        try:
            _fernet((key,)).decrypt(cipher.encode())
        except InvalidToken:
            continue
        return key
    return None


def renewed(cipher: str) -> str:
    """The same text under the first key; `InvalidToken` if none of ours fits."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).rotate(cipher).decode()


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database and plain in Python.

    It cannot be searched or ordered by: two writes of one value differ.
    """

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value, expression, connection):
        return decrypt(value) if value else value

    def get_lookup(self, lookup_name):
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def check(self, **kwargs):
        errors = super().check(**kwargs)
        if self.db_index or self.unique:
            message = "An encrypted field cannot be indexed or unique."
            errors.append(checks.Error(message, obj=self, id="voiceops.E001"))
        return errors
