"""Pages about the person and the workspace."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("settings/profile", views.profile, name="profile"),
    path("settings/workspace", views.workspace_change, name="workspace_change"),
    path("api-keys", views.api_key_list, name="api_key_list"),
    path("api-keys/<uuid:pk>/revoke", views.api_key_revoke, name="api_key_revoke"),
]
