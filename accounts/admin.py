"""The operators' view of people. Secrets and what could stand for them stay out."""

from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.usersessions.admin import UserSessionAdmin
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit, services
from accounts.audit import Action
from accounts.models import (
    AccessToken,
    AuditEntry,
    FailedTask,
    Invitation,
    KeptAnswer,
    Membership,
    SwitchedOff,
    User,
    Workspace,
)
from accounts.tenancy_admin import OwnedAdmin, ReadOnly, id_in


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user", "workspace"]


class MembershipsInside:
    """An operator's page with memberships on it; their changes are recorded."""

    def save_formset(self, request, form, formset, change):
        rows = formset.save(commit=False)
        for gone in formset.deleted_objects:
            _remove(gone)
        for row in rows:
            with audit.changing(row):
                row.save()


def _remove(membership):
    audit.record(Action.REMOVED, membership, changes={"role": [membership.role, None]})
    membership.delete()


@admin.register(User)
class PersonAdmin(MembershipsInside, UserAdmin):
    list_display = ["email", "name", "is_active", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email__startswith"]
    ordering = ["email"]
    inlines = [MembershipInline]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        (_("Person"), {"fields": ["name", "timezone"]}),
        (
            _("Permissions"),
            {"fields": ["is_active", "is_staff", "is_superuser", "groups"]},
        ),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "usable_password", "password1", "password2"]})
    ]

    def delete_model(self, request, obj):
        """Their workspaces keep an entry of it: they go on without the person."""
        with transaction.atomic():
            for membership in obj.memberships.all():
                _remove(membership)
            super().delete_model(request, obj)

    def delete_queryset(self, request, queryset):
        for person in queryset:
            self.delete_model(request, person)


@admin.register(Workspace)
class WorkspaceAdmin(MembershipsInside, admin.ModelAdmin):
    list_display = ["name", "timezone", "created_at", "suspended_at"]
    search_fields = ["name"]
    search_help_text = _("By name, id, or the e-mail address of somebody in it")
    ordering = ["-id"]
    change_form_template = "admin/workspace_change.html"
    fieldsets = [
        (None, {"fields": ["name", "timezone"]}),
        (
            _("At most"),
            {
                "fields": [
                    "most_calls_at_once",
                    "most_numbers",
                    "most_members",
                    "most_requests_a_minute",
                ],
                "description": _(
                    "Empty: as much as any workspace. How many calls it may place a "
                    "day and a month stands under Calling rules."
                ),
            },
        ),
        (_("Standing"), {"fields": ["suspended_at", "suspended_reason"]}),
        (_("Dates"), {"fields": ["created_at", "updated_at"]}),
    ]
    readonly_fields = ["suspended_at", "suspended_reason", "created_at", "updated_at"]
    inlines = [MembershipInline]

    def save_model(self, request, obj, form, change):
        with audit.changing(obj):
            super().save_model(request, obj, form, change)

    def get_search_results(self, request, queryset, search_term):
        if (wanted := id_in(search_term)) is not None:
            return queryset.filter(pk=wanted), False
        if "@" not in search_term:
            return super().get_search_results(request, queryset, search_term)
        people = Membership.objects.filter(user__email__startswith=search_term.lower())
        return queryset.filter(pk__in=people.values("workspace")), False

    def has_delete_permission(self, request, obj=None):
        """Never: it would take every row of the workspace with it."""
        return False


@admin.register(SwitchedOff)
class SwitchedOffAdmin(ReadOnly, admin.ModelAdmin):
    """Switched under Features."""

    list_display = ["feature", "workspace", "reason", "at"]
    list_select_related = ["workspace"]
    list_filter = ["feature"]
    ordering = ["-id"]


@admin.register(FailedTask)
class FailedTaskAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "error", "count", "first_at", "last_at", "ids"]
    ordering = ["-last_at"]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "workspace", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__email__startswith"]
    ordering = ["-id"]
    autocomplete_fields = ["user", "workspace"]

    def save_model(self, request, obj, form, change):
        with audit.changing(obj):
            super().save_model(request, obj, form, change)

    def delete_model(self, request, obj):
        _remove(obj)

    def delete_queryset(self, request, queryset):
        for membership in queryset:
            _remove(membership)


@admin.register(AccessToken)
class AccessTokenAdmin(OwnedAdmin):
    list_display = ["prefix", "kind", "name", "user", "owner", "last_used_at"]
    list_filter = ["owner", "kind", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["owner", "user"]
    search_fields = ["prefix", "name", "user__email", "owner__name"]
    hidden = ("digest",)
    actions = ["revoke"]

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["revoke"])
    def revoke(self, request, queryset):
        for token in queryset.filter(revoked_at=None):
            services.revoke_token(token)

    def has_revoke_permission(self, request):
        return request.user.has_perm("accounts.change_accesstoken")


@admin.register(Invitation)
class InvitationAdmin(OwnedAdmin):
    list_display = ["email", "role", "owner", "sent_at", "accepted_at", "revoked_at"]
    list_filter = ["owner", "role"]
    search_fields = ["email", "owner__name"]
    hidden = ("digest",)


@admin.register(KeptAnswer)
class KeptAnswerAdmin(OwnedAdmin):
    list_display = ["key", "status", "owner", "claimed_at"]
    search_fields = ["key", "owner__name"]
    hidden = ("body", "fingerprint")


@admin.register(AuditEntry)
class AuditEntryAdmin(OwnedAdmin):
    list_display = ["created_at", "user", "source", "action", "kind", "label", "owner"]
    list_filter = ["source", "action", "owner"]
    list_select_related = ["owner", "user"]
    search_fields = ["label", "object_id", "actor_email", "owner__name"]


@admin.register(LogEntry)
class OperatorsLog(ReadOnly, admin.ModelAdmin):
    """What operators did here, and when each of them came in."""

    list_display = ["action_time", "user", "__str__", "change_message"]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__email__startswith", "object_id__exact"]
    ordering = ["-pk"]


# allauth shows these two whole: the seed of a second factor, the key of a session.
admin.site.unregister([Authenticator, UserSession])


@admin.register(Authenticator)
class SecondFactorAdmin(AuthenticatorAdmin):
    exclude = ["data"]

    def has_delete_permission(self, request, obj=None):
        """Not while its password is too short to stand alone: that comes first."""
        is_needed = obj is not None and obj.user.has_short_password
        return not is_needed and super().has_delete_permission(request, obj)

    def has_add_permission(self, request):
        return False


@admin.register(UserSession)
class SessionAdmin(UserSessionAdmin):
    exclude = ["session_key", "data"]
    search_fields = ["user__email__startswith"]

    def has_add_permission(self, request):
        return False
