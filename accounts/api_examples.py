"""What the bodies of the accounts API look like, for the schema and its readers."""

TIMES = {"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"}

REGISTER = {
    "email": "ada@example.com",
    "password": "a few words are fine",
    "name": "Ada",
}
LOGIN = {"email": "ada@example.com", "password": "a few words are fine"}
MFA = {"mfa_token": "IjAxOTMwYzdlLTJiNmEi:1uQ9Xz:3mK4", "code": "123456"}

USER = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d01",
    "email": "ada@example.com",
    "name": "Ada",
    "timezone": "Europe/London",
}
WORKSPACE = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d02",
    "name": "Ada's workspace",
    "timezone": "Europe/London",
} | TIMES
SIGNED_IN = {
    "token": "vo_8Jr2mQm0vS1o7u3H4b5N6c7X8z9A0sD1fG2hJ3kL4qW",
    "user": USER,
}
REGISTERED = SIGNED_IN | {"workspace": WORKSPACE}
CHECK_YOUR_MAIL = {
    "detail": "If this address can be used, an e-mail with a link is on its way."
}
ME = {"user": USER, "workspace": WORKSPACE, "role": "owner"}

SESSION = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d03",
    "is_current": True,
    "expires_at": "2026-03-31T12:00:00Z",
    "last_used_at": "2026-03-02T08:15:00Z",
    "last_used_from": "192.0.2.17",
} | TIMES

NEW_API_KEY = {"name": "Reports", "scopes": ["read"]}
API_KEY = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d04",
    "name": "Reports",
    "prefix": "vo_8Jr2mQm",
    "scopes": ["read"],
    "expires_at": None,
    "last_used_at": None,
    "last_used_from": None,
    "created_by": USER["id"],
} | TIMES
API_KEY_WITH_SECRET = API_KEY | {
    "key": "vo_8Jr2mQm0vS1o7u3H4b5N6c7X8z9A0sD1fG2hJ3kL4qW"
}

DELETED = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "kind": "voice_agent",
    "name": "Reception",
    "deleted_at": "2026-03-02T09:30:00Z",
    "deleted_by_id": USER["id"],
    "restorable_until": "2026-04-01T09:30:00Z",
}
RESTORE = {"name": "Reception (restored)"}
RESTORED = {
    "id": DELETED["id"],
    "kind": "voice_agent",
    "name": "Reception (restored)",
}
AUDIT_ENTRY = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d05",
    "action": "changed",
    "object": {
        "kind": "voice_agent",
        "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d06",
        "name": "Reception",
    },
    "changes": {"max_tokens": [300, 400]},
    "actor": {
        "user_id": USER["id"],
        "name": "Ada",
        "email": "ada@example.com",
        "api_key_id": API_KEY["id"],
        "api_key_name": "Reports",
        "api_key_prefix": "vo_8Jr2mQm",
    },
    "source": "api_key",
    "address": "192.0.2.17",
    "request_id": "6f0d6b0c-6d0e-4f6e-9b43-0a1f3f7f2c11",
} | TIMES
