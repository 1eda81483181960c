"""Secrets at rest: one field class over `cryptography`'s MultiFernet.

`FIELD_ENCRYPTION_KEYS` is a list: the first key encrypts, all of them decrypt, so a key
is rotated by putting a new one in front and saving the rows again.
"""

from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core import checks
from django.db import models


@lru_cache(maxsize=4)
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
