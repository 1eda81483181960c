"""Sessions, sealed: they hold what opens something before it is somebody's.

A link for a new password and the seed of a second factor wait in there until they are
used. So the content is encrypted where it is kept, in the database as in the cache.
"""

from cryptography.fernet import InvalidToken
from django.contrib.sessions.backends import cached_db

from voiceops import encryption


class SessionStore(cached_db.SessionStore):
    def encode(self, session_dict):
        return encryption.encrypt(super().encode(session_dict))

    def decode(self, session_data):
        """Nothing, if the key is gone that it was under: whoever it is logs in anew."""
        try:
            return super().decode(encryption.decrypt(session_data))
        except InvalidToken:
            return {}
