"""Every address: pages, the API, the carrier's webhooks, probes, the admin."""

from django.contrib import admin
from django.urls import include, path

from accounts.views import admin_log_in
from telephony.views import operators
from voiceops import health
from voiceops.isolation.views import isolation

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    # The operators' log-in is everybody's: one door, one rate limit.
    path("admin/login/", admin_log_in),
    path("admin/isolation/", isolation, name="isolation"),
    path("admin/dialling/", operators.dialling, name="dialling"),
    path("admin/dialling/<uuid:pk>/", operators.settle, name="dialling_settle"),
    path("admin/", admin.site.urls),
    path("account/", include("allauth.urls")),
    path("webhooks/twilio/", include("telephony.webhook_urls")),
    path("", include("voiceops.api_urls")),
    path("", include("analytics.urls")),
    path("", include("accounts.urls")),
    path("", include("agents.urls")),
    path("", include("hooks.urls")),
    path("", include("telephony.urls")),
]
