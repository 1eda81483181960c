from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils.translation import gettext_lazy as _

from accounts.models import Workspace
from accounts.tenancy_admin import OwnedAdmin, OwnedInline
from telephony.models import (
    AfterCall,
    Budget,
    BudgetNotice,
    Call,
    CallCost,
    CallEvent,
    CallFact,
    CallingRules,
    Campaign,
    CampaignEvent,
    CampaignFile,
    CannedReply,
    CarrierAccount,
    CarrierRemoval,
    Contact,
    Conversation,
    ConversationFact,
    ConversationLabel,
    DialledDay,
    DoNotContact,
    Intervention,
    Label,
    Message,
    Note,
    Phone,
    Recording,
    RecurringCall,
    RefusedRow,
    Rehearsal,
    ScheduledCall,
    TestLine,
    TestScript,
    TextCost,
    TextToolUse,
    Turn,
)


@admin.register(CarrierAccount)
class CarrierAccountAdmin(OwnedAdmin):
    list_display = ["label", "account_sid", "owner", "verified_at", "deleted_at"]
    list_filter = ["owner", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["label", "account_sid", "owner__name"]
    changeable = ("label", "calls_per_second", "max_concurrent_calls")
    hidden = ("auth_token", "old_auth_token")


@admin.register(Phone)
class PhoneAdmin(OwnedAdmin):
    list_display = ["number", "label", "owner", "created_at", "deleted_at"]
    list_filter = ["owner", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["number", "label", "carrier_sid", "owner__name"]
    changeable = ("label",)
    hidden = ("webhook_token",)


@admin.register(TestLine)
class TestLineAdmin(OwnedAdmin):
    list_display = ["agent", "account_sid", "owner", "created_at"]
    list_select_related = ["owner", "agent"]
    search_fields = ["account_sid", "agent__name", "owner__name"]
    hidden = ("auth_token", "webhook_token")


@admin.register(TestScript)
class TestScriptAdmin(OwnedAdmin):
    list_display = ["name", "agent", "caller", "owner", "created_at", "deleted_at"]
    list_select_related = ["owner", "agent"]
    list_filter = ["owner", "caller", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "agent__name", "owner__name"]


@admin.register(Rehearsal)
class RehearsalAdmin(OwnedAdmin):
    list_display = ["script", "agent", "status", "way", "owner", "started_at", "error"]
    list_select_related = ["owner", "agent", "script"]
    list_filter = ["owner", "status", "way"]
    search_fields = ["script__name", "agent__name", "owner__name"]


class TurnInline(OwnedInline):
    model = Turn
    fields = [
        "number",
        "speaker",
        "by",
        "text",
        "at_ms",
        "reply_ms",
        "interrupted",
        "tool",
    ]
    ordering = ["number"]


class CallEventInline(OwnedInline):
    model = CallEvent
    fields = ["at", "status", "detail", "sequence"]
    ordering = ["at", "id"]


@admin.register(Call)
class CallAdmin(OwnedAdmin):
    list_display = ["id", "direction", "status", "end_reason", "started_at", "owner"]
    list_filter = ["owner", "status", "placement", "end_reason", "is_test"]
    search_fields = ["sid", "from_number", "to_number", "owner__name"]
    hidden = ("relay_token",)
    inlines = [TurnInline, CallEventInline]


@admin.register(Turn)
class TurnAdmin(OwnedAdmin):
    list_display = ["call_id", "number", "speaker", "at_ms", "reply_ms", "owner"]
    list_filter = ["owner", "speaker", "interrupted"]
    search_fields = ["call__sid", "text"]


@admin.register(CallEvent)
class CallEventAdmin(OwnedAdmin):
    list_display = ["call_id", "status", "sequence", "at", "owner"]
    search_fields = ["call__sid", "status"]


@admin.register(CallFact)
class CallFactAdmin(OwnedAdmin):
    list_display = ["call_id", "name", "owner", "created_at"]
    search_fields = ["call__sid", "name", "owner__name"]


@admin.register(AfterCall)
class AfterCallAdmin(OwnedAdmin):
    list_display = ["call_id", "step", "analysis", "attempts", "next_try_at", "owner"]
    list_filter = ["owner", "step", "analysis", "outcome"]
    search_fields = ["call__sid", "owner__name"]


class NewCallingRulesForm(forms.ModelForm):
    """Caps for a workspace that has not called anybody yet."""

    workspace = forms.ModelChoiceField(
        label=_("Workspace"),
        queryset=Workspace.objects.all(),
        widget=AutocompleteSelect(CallingRules._meta.get_field("owner"), admin.site),
    )

    def clean_workspace(self):
        workspace = self.cleaned_data["workspace"]
        if CallingRules.unscoped.filter(owner=workspace).exists():
            raise forms.ValidationError(_("It has its rules already: change those."))
        return workspace


@admin.register(CallingRules)
class CallingRulesAdmin(OwnedAdmin):
    list_display = ["owner", "calls_a_day", "calls_a_month", "window_start"]
    search_fields = ["owner__name"]
    changeable = ("calls_a_day", "calls_a_month")

    # Its rules are written down when a workspace first calls; operators may be earlier.

    def has_add_permission(self, request, obj=None):
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_form(self, request, obj=None, **options):
        if obj is None:
            options["form"] = NewCallingRulesForm
        return super().get_form(request, obj, **options)

    def get_fields(self, request, obj=None):
        if obj is None:
            return ["workspace", *self.changeable]
        return super().get_fields(request, obj)

    def get_readonly_fields(self, request, obj=None):
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def save_model(self, request, obj, form, change):
        if not change:
            obj.owner = form.cleaned_data["workspace"]
        super().save_model(request, obj, form, change)


@admin.register(Budget)
class BudgetAdmin(OwnedAdmin):
    list_display = ["owner", "amount", "currency", "stops_outgoing", "month", "spent"]
    list_filter = ["owner"]


@admin.register(BudgetNotice)
class BudgetNoticeAdmin(OwnedAdmin):
    list_display = ["owner", "month", "event", "threshold", "spent", "notice_due"]
    list_filter = ["owner", "event"]


@admin.register(DialledDay)
class DialledDayAdmin(OwnedAdmin):
    list_display = ["day", "calls", "owner"]
    search_fields = ["owner__name"]


@admin.register(DoNotContact)
class DoNotContactAdmin(OwnedAdmin):
    list_display = ["number", "source", "owner", "created_at", "deleted_at"]
    list_filter = ["owner", "source", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["number", "reason", "owner__name"]
    hidden = ("digest",)


@admin.register(Contact)
class ContactAdmin(OwnedAdmin):
    list_display = ["number", "name", "call_consent", "text_consent", "owner"]
    list_filter = [
        "owner",
        "call_consent",
        "text_consent",
        ("deleted_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["number", "name", "owner__name"]


@admin.register(CallCost)
class CallCostAdmin(OwnedAdmin):
    list_display = ["call_id", "part", "amount", "currency", "is_estimate", "owner"]
    list_filter = ["owner", "part", "is_estimate"]
    search_fields = ["call__sid", "model_label"]


@admin.register(ScheduledCall)
class ScheduledCallAdmin(OwnedAdmin):
    list_display = ["to_number", "status", "next_attempt_at", "attempts_made", "owner"]
    list_filter = ["owner", "status"]
    search_fields = ["to_number", "owner__name"]
    hidden = ("lease_token",)


@admin.register(Campaign)
class CampaignAdmin(OwnedAdmin):
    list_display = ["name", "status", "rows", "owner", "started_at", "deleted_at"]
    list_filter = ["owner", "status", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__name"]


@admin.register(CampaignEvent)
class CampaignEventAdmin(OwnedAdmin):
    list_display = ["campaign", "kind", "sentence", "created_at", "owner"]
    list_filter = ["owner", "kind"]
    search_fields = ["campaign__name", "owner__name"]


@admin.register(CampaignFile)
class CampaignFileAdmin(OwnedAdmin):
    list_display = ["name", "campaign", "owner", "created_at"]
    search_fields = ["name", "campaign__name", "owner__name"]
    hidden = ("text",)  # a tenant's list of people


@admin.register(RefusedRow)
class RefusedRowAdmin(OwnedAdmin):
    list_display = ["campaign", "line", "kind", "reason", "owner"]
    list_filter = ["owner", "kind"]
    search_fields = ["campaign__name", "owner__name"]


@admin.register(RecurringCall)
class RecurringCallAdmin(OwnedAdmin):
    list_display = ["to_number", "in_words", "next_at", "paused_at", "owner"]
    list_filter = ["owner", "frequency", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["to_number", "owner__name"]


@admin.register(CarrierRemoval)
class CarrierRemovalAdmin(OwnedAdmin):
    list_display = [
        "kind",
        "sid",
        "status",
        "attempts",
        "next_try_at",
        "error",
        "owner",
    ]
    list_select_related = ["owner", "carrier_account"]
    list_filter = ["owner", "kind", "status"]
    search_fields = ["sid"]


@admin.register(Recording)
class RecordingAdmin(OwnedAdmin):
    list_display = ["sid", "call", "status", "duration_s", "owner", "created_at"]
    list_filter = ["status"]
    search_fields = ["sid"]


@admin.register(Intervention)
class InterventionAdmin(OwnedAdmin):
    list_display = ["call_id", "kind", "status", "by", "owner", "created_at"]
    list_filter = ["kind", "status"]
    search_fields = ["call__sid", "owner__name"]


@admin.register(Conversation)
class ConversationAdmin(OwnedAdmin):
    list_display = ["address", "phone", "mode", "status", "last_message_at", "owner"]
    list_select_related = ["owner", "phone"]
    list_filter = ["owner", "mode", "need", "status"]
    search_fields = ["address", "phone__number", "owner__name"]


@admin.register(TextCost)
class TextCostAdmin(OwnedAdmin):
    list_display = ["asked_id", "amount", "currency", "is_estimate", "owner"]
    list_filter = ["owner", "is_estimate"]
    search_fields = ["asked__sid", "model_label"]


@admin.register(TextToolUse)
class TextToolUseAdmin(OwnedAdmin):
    list_display = ["name", "status", "elapsed_ms", "conversation", "owner"]
    list_select_related = ["owner", "conversation"]
    list_filter = ["owner", "status"]
    search_fields = ["name", "conversation__address", "owner__name"]


@admin.register(ConversationFact)
class ConversationFactAdmin(OwnedAdmin):
    list_display = ["name", "conversation", "owner"]
    list_select_related = ["owner", "conversation"]
    list_filter = ["owner"]
    search_fields = ["name", "conversation__address", "owner__name"]


@admin.register(Label)
class LabelAdmin(OwnedAdmin):
    list_display = ["name", "owner", "created_at", "deleted_at"]
    list_filter = ["owner", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__name"]


@admin.register(ConversationLabel)
class ConversationLabelAdmin(OwnedAdmin):
    list_display = ["conversation", "label", "owner", "created_at"]
    list_select_related = ["owner", "conversation", "label"]
    list_filter = ["owner"]


@admin.register(Note)
class NoteAdmin(OwnedAdmin):
    list_display = ["conversation", "user", "owner", "created_at"]
    list_select_related = ["owner", "conversation", "user"]
    list_filter = ["owner"]


@admin.register(CannedReply)
class CannedReplyAdmin(OwnedAdmin):
    list_display = ["name", "owner", "created_at", "deleted_at"]
    list_filter = ["owner", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__name"]


@admin.register(Message)
class MessageAdmin(OwnedAdmin):
    list_display = ["id", "direction", "status", "sent_by", "error_code", "owner"]
    list_filter = ["owner", "direction", "status", "sent_by"]
    search_fields = ["sid", "from_number", "to_number", "owner__name"]
