"""Settings for the tests: the real ones, with a few environment defaults."""

import os
import tempfile

os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="voiceops-tests-"))
os.environ.setdefault("RATE_LIMITS", "off")
os.environ.setdefault("SIMULATOR_KEY", "the-tests-own-key")
os.environ.setdefault("EMAIL_URL", "memorymail://")

from voiceops.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"] == "voiceops.sqlite":  # noqa: F405
    # A file, so that every thread has a connection of its own, as in the real thing.
    DATABASES["default"]["TEST"] = {  # noqa: F405
        "NAME": str(VAR_DIR / "test.sqlite3")  # noqa: F405
    }
elif template := os.environ.get("TEST_TEMPLATE"):
    DATABASES["default"]["TEST"] = {"TEMPLATE": template}  # noqa: F405
