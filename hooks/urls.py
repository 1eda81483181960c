"""Pages about outgoing webhooks."""

from django.urls import path

from hooks import views

app_name = "hooks"

ENDPOINT = "settings/webhooks/<uuid:pk>"
DELIVERY = f"{ENDPOINT}/deliveries/<uuid:delivery_pk>"

urlpatterns = [
    path("settings/webhooks", views.endpoint_list, name="endpoint_list"),
    path("settings/webhooks/new", views.endpoint_create, name="endpoint_create"),
    path(ENDPOINT, views.endpoint_detail, name="endpoint_detail"),
    path(f"{ENDPOINT}/rotate-secret", views.endpoint_rotate, name="endpoint_rotate"),
    path(f"{ENDPOINT}/enable", views.endpoint_enable, name="endpoint_enable"),
    path(f"{ENDPOINT}/disable", views.endpoint_disable, name="endpoint_disable"),
    path(f"{ENDPOINT}/delete", views.endpoint_delete, name="endpoint_delete"),
    path(f"{ENDPOINT}/test", views.endpoint_test, name="endpoint_test"),
    path(
        f"{ENDPOINT}/replay-dead",
        views.endpoint_replay_dead,
        name="endpoint_replay_dead",
    ),
    path(DELIVERY, views.delivery_detail, name="delivery_detail"),
    path(f"{DELIVERY}/replay", views.delivery_replay, name="delivery_replay"),
]
