"""Settings: everything that differs between installations comes from the environment.

The names and defaults are the table in docs/operating.md; `.env` and the secrets file
of the data directory are read too, the environment wins over both.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from voiceops import error_reports
from voiceops.logs import logging_config
from voiceops.production import (
    DEVELOPMENT_FIELD_KEY,
    DEVELOPMENT_SECRET_KEY,
    refusals,
)
from voiceops.secret_files import read_secret_files

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):
    """This process's own: what files add to it is not handed on to children."""

    ENVIRON = dict(os.environ)


env = Environment()
env.read_env(BASE_DIR / ".env")
VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
env.ENVIRON.update(read_secret_files(env.ENVIRON))
env.read_env(VAR_DIR / "secrets.env")

ENVIRONMENT = env("ENVIRONMENT", default="development")
if ENVIRONMENT not in {"development", "production", "demo"}:
    raise ImproperlyConfigured("ENVIRONMENT is 'development', 'production' or 'demo'")
# A demonstration for others is production with the simulator in it.
DEMO = ENVIRONMENT == "demo"
PRODUCTION = ENVIRONMENT == "production" or DEMO
DEBUG = env.bool("DEBUG", default=False)
PORT = env.int("PORT", default=8000)

# What must be set in production is looked at when all is read, at the end.
SECRET_KEY = env("SECRET_KEY", default="" if PRODUCTION else DEVELOPMENT_SECRET_KEY)
# Earlier ones: what they have signed (sessions, links in mails) is accepted still.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
_field_keys = env(
    "FIELD_ENCRYPTION_KEYS", default="" if PRODUCTION else DEVELOPMENT_FIELD_KEY
)
FIELD_ENCRYPTION_KEYS = [key for key in map(str.strip, _field_keys.split(",")) if key]

PUBLIC_BASE_URL = env(
    "PUBLIC_BASE_URL", default="" if PRODUCTION else f"http://localhost:{PORT}"
).rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
# A demonstration on one's own machine may do without.
_speaks_https = PRODUCTION and _public.scheme == "https"
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=[_public.hostname]
    if PRODUCTION
    else ["localhost", "127.0.0.1", "[::1]", _public.hostname],
)
# How many proxies in front add to X-Forwarded-For; 0: the header is not believed.
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=1 if PRODUCTION else 0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

INSTALLED_APPS = [
    "accounts",
    "agents",
    "hooks",
    "telephony",
    "analytics",
    "alerts",
    "importing",
    "privacy",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_cotton.apps.SimpleAppConfig",
    "template_partials.apps.SimpleAppConfig",
    "django.forms",  # its templates, some of which are ours
    "lucide",
    "django_htmx",
    "django_filters",
    "csp",
    "rest_framework",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "voiceops.apps.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "voiceops.middleware.answers_are_private",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "voiceops.logs.request_log_middleware",
    "voiceops.middleware.refuse_large_bodies",
    "voiceops.middleware.webhooks_directly",
    "csp.middleware.CSPMiddleware",
    "voiceops.limits.rate_limit_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.session_activity_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.log_in_again_middleware",
    "accounts.middleware.workspace_middleware",
    "accounts.middleware.audit_middleware",
]

ROOT_URLCONF = "voiceops.urls"
WSGI_APPLICATION = "voiceops.wsgi.application"
APPEND_SLASH = False

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            # Spelled out: cotton and template-partials each want to wrap the loaders,
            # and listing both as plain apps leaves cotton's tags uncompiled.
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "libraries": {"icons": "voiceops.icons"},
            "builtins": [
                "django_cotton.templatetags.cotton",
                "template_partials.templatetags.partials",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.workspace",
            ],
        },
    }
]

# -- Database ------------------------------------------------------------------------

DATABASE_URL = env("DATABASE_URL", default="")
DATABASES = {
    "default": env.db_url_config(
        DATABASE_URL or f"sqlite:///{VAR_DIR / 'voiceops.sqlite3'}"
    )
}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Write-ahead log and immediate transactions: writers wait for each other instead
    # of failing with "database is locked"; those of one process in turn.
    _database["ENGINE"] = "voiceops.sqlite"
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    _database["CONN_MAX_AGE"] = None
else:
    _options = _database.setdefault("OPTIONS", {})
    # A pool in each process: a connection a request costs five times as much.
    _options["pool"] = {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=20),
        "timeout": 10,
        # Try again and again: else it waits twice as long each time, and minutes after
        # the server is back.
        "reconnect_timeout": 2,
        "reconnect_failed": lambda pool: pool.check(),
    }
    # PgBouncer shares connections by transaction: what lasts longer is not ours there.
    _has_pgbouncer = env.bool("DATABASE_PGBOUNCER", default=False)
    _database["DISABLE_SERVER_SIDE_CURSORS"] = _has_pgbouncer
    # The carrier waits 15 s: a statement that hangs must not outlast it.
    _limit_s = env.int("DATABASE_STATEMENT_TIMEOUT_S", default=10)
    if not _has_pgbouncer:  # it refuses the parameter: docs/deploy.md
        _options["options"] = f"-c statement_timeout={_limit_s}s"
    _options |= {"connect_timeout": 5, "tcp_user_timeout": 10_000}
    _database["CONN_MAX_AGE"] = 0
    _database["CONN_HEALTH_CHECKS"] = env.bool("DATABASE_HEALTH_CHECKS", default=False)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- Redis: cache, sessions, broker, rate limits ---------------------------------------

REDIS_URL = env("REDIS_URL", default="")
if REDIS_URL:
    _redis = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Seconds: a Redis that does not answer must not hold a caller's webhook.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }
    _sessions = _redis | {"BACKEND": "voiceops.cache.SessionCache"}
else:
    _redis = _sessions = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
CACHES = {"default": _redis, "sessions": _sessions}
SESSION_ENGINE = "voiceops.sessions"
SESSION_CACHE_ALIAS = "sessions"

# redis-py says unix://, Celery's transport redis+socket://.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1) or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONSUMER = "voiceops.consumer:Consumer"
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
CELERY_TIMEZONE = "UTC"
HEARTBEAT_PERIOD_S = 5
CELERY_BEAT_SCHEDULE = {
    "heartbeat": {
        "task": "voiceops.tasks.heartbeat",
        "schedule": HEARTBEAT_PERIOD_S,
        "options": {"expires": HEARTBEAT_PERIOD_S * 2},
    },
    "purge-kept-answers": {
        "task": "accounts.tasks.purge_kept_answers",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "send-unsent-invitations": {
        "task": "accounts.tasks.send_unsent_invitations",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "dial-due-calls": {
        "task": "telephony.tasks.dial_due_calls",
        "schedule": 1,
        "options": {"expires": 1},
    },
    "place-waiting-calls": {
        "task": "telephony.tasks.place_waiting_calls",
        "schedule": 3,
        "options": {"expires": 3},
    },
    "leave-waiting-messages": {
        "task": "telephony.tasks.leave_waiting_messages",
        "schedule": 3,
        "options": {"expires": 3},
    },
    "look-for-lost-calls": {
        "task": "telephony.tasks.look_for_lost_calls",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "settle-silent-calls": {
        "task": "telephony.tasks.settle_silent_calls",
        "schedule": 15,
        "options": {"expires": 15},
    },
    "advance-campaigns": {
        "task": "telephony.tasks.advance_campaigns",
        "schedule": 1,
        "options": {"expires": 1},
    },
    "send-campaign-notices": {
        "task": "telephony.tasks.send_campaign_notices",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "send-budget-notices": {
        "task": "telephony.tasks.send_budget_notices",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "forget-lists": {
        "task": "telephony.tasks.forget_lists",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "forget-old-tokens": {
        "task": "telephony.tasks.forget_old_tokens",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "deliver-webhooks": {
        "task": "hooks.tasks.deliver",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "send-webhook-notices": {
        "task": "hooks.tasks.send_notices",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "rehearse": {
        "task": "telephony.tasks.rehearse",
        "schedule": 3,
        "options": {"expires": 3},
    },
    "answer-texts": {
        "task": "telephony.tasks.answer_texts",
        "schedule": 3,
        "options": {"expires": 3},
    },
    "send-waiting-texts": {
        "task": "telephony.tasks.send_waiting_texts",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "send-due-texts": {
        "task": "telephony.tasks.send_due_texts",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "wake-conversations": {
        "task": "telephony.tasks.wake_conversations",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "look-for-texts": {
        "task": "telephony.tasks.look_for_texts",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "fold-changes": {
        "task": "analytics.tasks.fold_changes",
        "schedule": 2,
        "options": {"expires": 2},
    },
    "watch-alerts": {
        "task": "alerts.tasks.watch",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "send-alert-mails": {
        "task": "alerts.tasks.send_mails",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "send-digests": {
        "task": "alerts.tasks.send_digests",
        "schedule": 300,
        "options": {"expires": 300},
    },
    "remove-old": {
        "task": "privacy.tasks.remove_old",
        "schedule": 300,
        "options": {"expires": 300},
    },
    "erase": {
        "task": "privacy.tasks.erase",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "make-exports": {
        "task": "privacy.tasks.make_exports",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "remove-workspaces": {
        "task": "privacy.tasks.remove_workspaces",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "remove-at-carrier": {
        "task": "telephony.tasks.remove_at_carrier",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "follow-up-calls": {
        "task": "telephony.tasks.follow_up_calls",
        "schedule": 10,
        "options": {"expires": 10},
    },
}

# -- People and signing in -------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
# Where operators work; what is there shows itself to nobody else, whatever it is.
ADMIN_PATH = env("ADMIN_PATH", default="").strip("/")
ADMIN_PATH = ADMIN_PATH or ("operators" if PRODUCTION else "admin")
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.MinimumLengthValidator"},
    {"NAME": "accounts.passwords.MaximumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation."
        "UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
REQUIRE_EMAIL_VERIFICATION = env.bool("REQUIRE_EMAIL_VERIFICATION", default=PRODUCTION)
RATE_LIMITS = env.bool("RATE_LIMITS", default=True)

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
MFA_ADAPTER = "accounts.adapters.MfaAdapter"
USERSESSIONS_ADAPTER = "accounts.adapters.SessionsAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if REQUIRE_EMAIL_VERIFICATION else "optional"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
if not RATE_LIMITS:
    ACCOUNT_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "VoiceOps"
USERSESSIONS_TRACK_ACTIVITY = True

EMAIL_CONFIG = env.email("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = (
    env("DEFAULT_FROM_EMAIL", default="") or f"VoiceOps <voiceops@{_public.hostname}>"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# -- Carrier and model -----------------------------------------------------------------

SIMULATOR = env.bool("SIMULATOR", default=not PRODUCTION or DEMO)
SIMULATOR_URL = env("SIMULATOR_URL", default="").rstrip("/")
SIMULATOR_KEY = env("SIMULATOR_KEY", default="")
SIMULATOR_ACCOUNT_SID = env("SIMULATOR_ACCOUNT_SID", default="")
SIMULATOR_AUTH_TOKEN = env("SIMULATOR_AUTH_TOKEN", default="")
TWILIO_API_BASE_URL = env("TWILIO_API_BASE_URL", default="").rstrip("/") or (
    SIMULATOR_URL if SIMULATOR else ""
)
# Scales how long we wait for the carrier and for each other; for tests without time.
PATIENCE = env.float("PATIENCE", default=1.0)
LLM_BASE_URL = env("LLM_BASE_URL", default="")
LLM_API_KEY = env("LLM_API_KEY", default="")
LLM_MODEL = env("LLM_MODEL", default="")
LLM_FALLBACK_BASE_URL = env("LLM_FALLBACK_BASE_URL", default="")
LLM_FALLBACK_API_KEY = env("LLM_FALLBACK_API_KEY", default="")
LLM_FALLBACK_MODEL = env("LLM_FALLBACK_MODEL", default="")
# Hosts (`host` or `host:port`) that tools may reach although they are not public.
TOOL_ALLOWED_HOSTS = env.list("TOOL_ALLOWED_HOSTS", default=[])
# Said to a caller when something broke here, before the agent can say anything.
CALL_APOLOGY = env(
    "CALL_APOLOGY",
    default="We are sorry, something went wrong here. Please call again later.",
)
DEMO_EMAIL = "demo@example.com"
DEMO_PASSWORD = env("DEMO_PASSWORD", default="")

# -- API -------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api_auth.BearerAuthentication",
        "accounts.api_auth.BrowserSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api_auth.WorkspacePermission"],
    "DEFAULT_PARSER_CLASSES": ["voiceops.api.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "voiceops.api.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "voiceops.api_schema.ProblemSchema",
    "EXCEPTION_HANDLER": "voiceops.api_errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["voiceops.api.Throttle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "voiceops.api.Formats",
    "DEFAULT_METADATA_CLASS": "voiceops.api.AllowedMethods",
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "voiceops.api_errors.ProblemHandler",
    "EXCEPTION_FORMATTER_CLASS": "voiceops.api_errors.ProblemFormatter",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "VoiceOps",
    "DESCRIPTION": "AI agents on your telephone numbers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ScheduledCallStatus": "telephony.models.ScheduledCall.Status",
        "Weekday": "agents.limits.DAYS",
        "CampaignStatus": "telephony.models.Campaign.Status",
        "ErasureStatus": "privacy.models.Erasure.Status",
        "ExportStatus": "privacy.models.Export.Status",
        "CallDirection": "telephony.models.Call.Direction",
        "AgentDirection": "agents.models.VoiceAgent.Direction",
        "CallStatus": "telephony.models.Call.Status",
        "MessageStatus": "telephony.models.Message.Status",
        "MessageSentBy": "telephony.models.Message.SentBy",
        "Consent": "telephony.models.Contact.Consent",
        "ConversationStatus": "telephony.models.Conversation.Status",
        "ConversationMode": "telephony.models.Conversation.Mode",
        "InterventionStatus": "telephony.models.Intervention.Status",
        "InterventionKind": "telephony.models.Intervention.Kind",
        "ToolUseStatus": "telephony.models.Turn.ToolStatus",
        "AuditAction": "accounts.models.AuditEntry.Action",
        "AuditSource": "accounts.models.AuditEntry.Source",
        "AlertMetric": "alerts.metrics.Metric",
        "AlertState": "alerts.models.Alert.State",
        "EndReasonEnum": "telephony.models.Call.EndReason",
        "EpisodeEndReason": "alerts.models.Episode.EndReason",
        "DeliveryStatus": "hooks.models.Delivery.Status",
        "WebhookEvent": "hooks.models.Event",
        "AnalysisStatus": "telephony.models.AfterCall.Analysis",
        "ToolStatus": "agents.models.Tool.Status",
        "RehearsalStatus": "telephony.models.Rehearsal.Status",
        "Role": "accounts.permissions.Role",
        "AssignableRole": "accounts.permissions.ASSIGNABLE_CHOICES",
    },
    "SERVE_PUBLIC": True,
    # The canonical addresses; those without /api are the same views.
    "PREPROCESSING_HOOKS": ["voiceops.api_urls.canonical_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "voiceops.api_schema.add_shared_components",
    ],
}

# -- Pages -----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
# In development the files are served from where they are written.
STATIC_ROOT = env(
    "STATIC_ROOT", default=str(VAR_DIR / "static") if PRODUCTION else None
)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# In development a file that changes while the server runs is sent as it is now.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not PRODUCTION

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "frame-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# -- Metrics ---------------------------------------------------------------------------

# Who shows it may read them; without one there are none.
METRICS_TOKEN = env("METRICS_TOKEN", default="")
# Where a worker answers, besides; web and live answer at /metrics.
METRICS_PORT = env.int("METRICS_PORT", default=0)

# -- Security --------------------------------------------------------------------------

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _speaks_https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if _speaks_https:
    # The prefix makes browsers take them from this very host alone, over https.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # without files: voiceops.middleware
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_speaks_https)
    # The front must speak https and set this header itself; see docs/operating.md.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int(
        "SECURE_HSTS_SECONDS", default=31_536_000 if _speaks_https else 0
    )
    # Whether the whole domain speaks https is not ours to decide.
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool(
        "SECURE_HSTS_WHOLE_DOMAIN", default=False
    )
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    # The probes are asked over plain http from inside.
    SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
    if _refused := refusals(vars()):
        raise ImproperlyConfigured(
            "VoiceOps does not start in production:\n- " + "\n- ".join(_refused)
        )

# -- Logs and errors -------------------------------------------------------------------

LOG_FORMAT = env("LOG_FORMAT", default="json" if PRODUCTION else "console")
LOGGING = logging_config(LOG_FORMAT)

SENTRY_DSN = env("SENTRY_DSN", default="")
if SENTRY_DSN:
    error_reports.begin(SENTRY_DSN, ENVIRONMENT)
