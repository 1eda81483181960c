"""Every address: pages, the API, the carrier's webhooks, probes, the admin."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from telephony.views import operators
from voiceops import health, scrape
from voiceops.isolation.views import isolation
from voiceops.operators import given_up, queues, workspaces

operators_pages = [
    path("isolation/", isolation, name="isolation"),
    path("dialling/", operators.dialling, name="dialling"),
    path("dialling/<uuid:pk>/", operators.settle, name="dialling_settle"),
    path("workspaces/<uuid:pk>/", workspaces.workspace, name="workspace"),
    path("workspaces/<uuid:pk>/suspend/", workspaces.suspend, name="workspace_suspend"),
    path("workspaces/<uuid:pk>/resume/", workspaces.resume, name="workspace_resume"),
    path("workspaces/<uuid:pk>/look/", workspaces.look, name="workspace_look"),
    path("looking/stop/", workspaces.stop_looking, name="looking_stop"),
    path("features/", workspaces.features, name="features"),
    path("features/switch/", workspaces.switch, name="switch"),
    path("queues/", queues.queues, name="queues"),
    path("given-up/", given_up.given_up, name="given_up"),
    path("given-up/<slug:kind>/<str:pk>/", given_up.again, name="given_up_again"),
    path("", admin.site.urls),
]

handler500 = "voiceops.error_pages.server_error"

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", scrape.metrics, name="metrics"),
    path(f"{settings.ADMIN_PATH}/", include(operators_pages)),
    path("account/", include("allauth.urls")),
    path("webhooks/twilio/", include("telephony.webhook_urls")),
    path("", include("voiceops.api_urls")),
    path("", include("analytics.urls")),
    path("", include("alerts.urls")),
    path("", include("privacy.urls")),
    path("", include("accounts.urls")),
    path("", include("agents.urls")),
    path("", include("hooks.urls")),
    path("", include("telephony.urls")),
]
