"""Pages about the person, the workspace and its people."""

from django.urls import path

from accounts.views import (
    api_keys,
    audit,
    deleted,
    invitations,
    members,
    profile,
    workspaces,
)

app_name = "accounts"

WORKSPACES = [
    path("settings/workspace", workspaces.workspace_change, name="workspace_change"),
    path(
        "settings/workspaces/new", workspaces.workspace_create, name="workspace_create"
    ),
    path(
        "settings/workspaces/switch",
        workspaces.workspace_switch,
        name="workspace_switch",
    ),
    path("settings/workspace/leave", members.workspace_leave, name="workspace_leave"),
]

MEMBERS = [
    path("settings/members", members.member_list, name="member_list"),
    path(
        "settings/members/<uuid:pk>/role",
        members.member_change_role,
        name="member_change_role",
    ),
    path(
        "settings/members/<uuid:pk>/remove",
        members.member_remove,
        name="member_remove",
    ),
    path(
        "settings/members/<uuid:pk>/make-owner",
        members.member_make_owner,
        name="member_make_owner",
    ),
]

INVITATIONS = [
    path(
        "settings/invitations/<uuid:pk>/resend",
        members.invitation_resend,
        name="invitation_resend",
    ),
    path(
        "settings/invitations/<uuid:pk>/revoke",
        members.invitation_revoke,
        name="invitation_revoke",
    ),
    path(
        "invitations/<str:secret>",
        invitations.invitation_detail,
        name="invitation_detail",
    ),
]

API_KEYS = [
    path("api-keys", api_keys.api_key_list, name="api_key_list"),
    path("api-keys/<uuid:pk>/revoke", api_keys.api_key_revoke, name="api_key_revoke"),
]

DELETED = [
    path("deleted", deleted.deleted_list, name="deleted_list"),
    path("deleted/<uuid:pk>/restore", deleted.deleted_restore, name="deleted_restore"),
]

AUDIT = [
    path("settings/audit-log", audit.audit_log, name="audit_log"),
    path("settings/audit-log.csv", audit.audit_log_export, name="audit_log_export"),
]

urlpatterns = [
    path("settings/profile", profile.profile, name="profile"),
    *WORKSPACES,
    *MEMBERS,
    *INVITATIONS,
    *API_KEYS,
    *DELETED,
    *AUDIT,
]
