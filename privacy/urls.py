"""Pages about what is kept."""

from django.urls import path

from privacy import views

app_name = "privacy"

urlpatterns = [
    path("settings/data", views.kept, name="kept"),
    path("settings/data/delete", views.workspace_delete, name="workspace_delete"),
    path("settings/data/keep", views.workspace_keep, name="workspace_keep"),
    path("settings/account/delete", views.person_delete, name="person_delete"),
    path("settings/account/export", views.person_export, name="person_export"),
    path("settings/data/export", views.export_create, name="export_create"),
    path(
        "settings/data/exports/<uuid:pk>",
        views.export_download,
        name="export_download",
    ),
    path("settings/data/forget", views.forget, name="forget"),
    path(
        "settings/data/forgotten/<uuid:pk>",
        views.erasure_detail,
        name="erasure_detail",
    ),
]
