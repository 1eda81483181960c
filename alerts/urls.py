"""Pages about alerts, and the way out of the weekly e-mail."""

from django.urls import path

from alerts import views

app_name = "alerts"

ALERT = "alerts/<uuid:pk>"

urlpatterns = [
    path("alerts", views.alert_list, name="alert_list"),
    path("alerts/new", views.alert_create, name="alert_create"),
    path("alerts/suggested", views.alert_suggested, name="alert_suggested"),
    path("alerts/preview", views.alert_preview, name="alert_preview"),
    path(ALERT, views.alert_detail, name="alert_detail"),
    path(f"{ALERT}/change", views.alert_change, name="alert_change"),
    path(f"{ALERT}/activate", views.alert_activate, name="alert_activate"),
    path(f"{ALERT}/deactivate", views.alert_deactivate, name="alert_deactivate"),
    path(f"{ALERT}/mute", views.alert_mute, name="alert_mute"),
    path(f"{ALERT}/unmute", views.alert_unmute, name="alert_unmute"),
    path(f"{ALERT}/test", views.alert_test, name="alert_test"),
    path(f"{ALERT}/delete", views.alert_delete, name="alert_delete"),
    path("digest/<str:token>", views.digest_off, name="digest_off"),
]
