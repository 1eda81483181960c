"""The HTTP interface: /api/..., and the addresses first published without it."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from accounts import api as accounts
from accounts import api_audit as audit
from accounts import api_deleted as deleted
from accounts import api_teams as teams
from agents.api import (
    language_models,
    message_agents,
    prompts,
    tools,
    voice_agents,
)
from alerts import api as alerts
from analytics.api import costs, counts, summary
from analytics.budgets.api import BudgetView
from hooks import api as hooks
from privacy import api as privacy
from telephony.api import (
    calling_rules,
    calls,
    campaigns,
    carrier,
    contacts,
    do_not_contact,
    messages,
    recurring,
    rehearsals,
    scheduled,
)
from voiceops.api_errors import UnknownAddress

auth = [
    path("register", accounts.RegisterView.as_view()),
    path("login", accounts.LoginView.as_view()),
    path("mfa", accounts.MfaView.as_view()),
    path("logout", accounts.LogoutView.as_view()),
    path("me", accounts.MeView.as_view()),
    path("sessions", accounts.SessionListView.as_view()),
    path("sessions/<uuid:pk>", accounts.SessionView.as_view()),
]
agents = [
    path("", voice_agents.VoiceAgentListView.as_view()),
    path("/<uuid:agent_id>", voice_agents.VoiceAgentView.as_view()),
    path("/<uuid:agent_id>/activate", voice_agents.ActivateView.as_view()),
    path("/<uuid:agent_id>/deactivate", voice_agents.DeactivateView.as_view()),
    path("/<uuid:agent_id>/rehearse", rehearsals.RehearseAgentView.as_view()),
]
figures = [
    path("summary", summary.SummaryView.as_view()),
    path("calls-by-date", counts.CallsByDateView.as_view()),
    path("calls-by-hour", counts.CallsByHourView.as_view()),
    path("agent-summary", counts.AgentSummaryView.as_view()),
    path("messages-by-date", counts.MessagesByDateView.as_view()),
    path("costs", costs.CostsView.as_view()),
]
webhooks = [
    path("", hooks.EndpointListView.as_view()),
    path("/<uuid:webhook_id>", hooks.EndpointView.as_view()),
    path("/<uuid:webhook_id>/rotate-secret", hooks.RotateSecretView.as_view()),
    path("/<uuid:webhook_id>/test", hooks.TestView.as_view()),
    path("/<uuid:webhook_id>/replay-dead", hooks.ReplayDeadView.as_view()),
    path("/<uuid:webhook_id>/deliveries", hooks.DeliveryListView.as_view()),
    path(
        "/<uuid:webhook_id>/deliveries/<uuid:delivery_id>",
        hooks.DeliveryView.as_view(),
    ),
    path(
        "/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay",
        hooks.ReplayView.as_view(),
    ),
]
campaign = [
    path("", campaigns.CampaignView.as_view()),
    path("/file", campaigns.CampaignFileView.as_view()),
    path("/start", campaigns.StartView.as_view()),
    path("/pause", campaigns.PauseView.as_view()),
    path("/resume", campaigns.ResumeView.as_view()),
    path("/cancel", campaigns.CancelView.as_view()),
    path("/redial", campaigns.RedialView.as_view()),
    path("/contacts", campaigns.ContactListView.as_view()),
    path("/refused-rows", campaigns.RefusedRowListView.as_view()),
    path("/log", campaigns.CampaignLogView.as_view()),
    path("/results", campaigns.ResultsView.as_view()),
]
canonical = [
    path("auth/", include(auth)),
    path("deleted", deleted.DeletedListView.as_view()),
    path("deleted/<uuid:pk>/restore", deleted.RestoreView.as_view()),
    path("agents", include(agents)),
    path("message-agents", message_agents.MessageAgentListView.as_view()),
    path("message-agents/<uuid:agent_id>", message_agents.MessageAgentView.as_view()),
    path(
        "message-agents/<uuid:agent_id>/activate",
        message_agents.ActivateMessageAgentView.as_view(),
    ),
    path(
        "message-agents/<uuid:agent_id>/deactivate",
        message_agents.DeactivateMessageAgentView.as_view(),
    ),
    path("prompts", prompts.PromptListView.as_view()),
    path("prompts/<uuid:prompt_id>", prompts.PromptView.as_view()),
    path("prompts/<uuid:prompt_id>/versions", prompts.PromptVersionListView.as_view()),
    path("prompts/<uuid:prompt_id>/preview", prompts.PromptPreviewView.as_view()),
    path("tools", tools.ToolListView.as_view()),
    path("tools/<uuid:tool_id>", tools.ToolView.as_view()),
    path("tools/<uuid:tool_id>/test", tools.ToolTestView.as_view()),
    path("carrier-accounts", carrier.CarrierAccountListView.as_view()),
    path("carrier-accounts/<uuid:pk>", carrier.CarrierAccountView.as_view()),
    path(
        "carrier-accounts/<uuid:pk>/end-token-change",
        carrier.EndTokenChangeView.as_view(),
    ),
    path("phones", carrier.PhoneListView.as_view()),
    path("phones/available", carrier.AvailablePhonesView.as_view()),
    path("phones/<uuid:phone_id>", carrier.PhoneView.as_view()),
    path("calls", calls.CallListView.as_view()),
    path("calls/active", calls.ActiveCallListView.as_view()),
    path("calls/<str:call_sid>", calls.CallView.as_view()),
    path("calls/<str:call_sid>/recording", calls.CallRecordingView.as_view()),
    path("calls/<str:call_sid>/recording-link", calls.CallRecordingLinkView.as_view()),
    path("calls/<str:call_sid>/hangup", calls.CallHangUpView.as_view()),
    path("calls/<str:call_sid>/say", calls.CallSayView.as_view()),
    path("calls/<str:call_sid>/whisper", calls.CallWhisperView.as_view()),
    path("calls/<str:call_sid>/transfer", calls.CallTransferView.as_view()),
    path("calls/<str:call_sid>/analyze", calls.CallAnalyzeView.as_view()),
    path("calls/<str:call_sid>/test-script", rehearsals.CallTestScriptView.as_view()),
    path("test-scripts", rehearsals.TestScriptListView.as_view()),
    path("test-scripts/<uuid:script_id>", rehearsals.TestScriptView.as_view()),
    path("test-scripts/<uuid:script_id>/run", rehearsals.RunView.as_view()),
    path("rehearsals", rehearsals.RehearsalListView.as_view()),
    path("rehearsals/<uuid:rehearsal_id>", rehearsals.RehearsalView.as_view()),
    path("messages", messages.MessageListView.as_view()),
    path("messages/conversations", messages.ConversationListView.as_view()),
    path(
        "messages/conversations/<uuid:conversation_id>",
        messages.ConversationView.as_view(),
    ),
    path(
        "messages/conversations/<uuid:conversation_id>/tool-uses",
        messages.TextToolUseListView.as_view(),
    ),
    path(
        "messages/conversations/<uuid:conversation_id>/takeover",
        messages.TakeOverView.as_view(),
    ),
    path(
        "messages/conversations/<uuid:conversation_id>/release",
        messages.ReleaseView.as_view(),
    ),
    path(
        "messages/conversations/<uuid:conversation_id>/close",
        messages.CloseView.as_view(),
    ),
    path(
        "messages/<uuid:message_id>/media/<int:number>",
        messages.MessageMediaView.as_view(),
    ),
    path(
        "messages/<uuid:message_id>/media/<int:number>/link",
        messages.MessageMediaLinkView.as_view(),
    ),
    path("scheduled-calls", scheduled.ScheduledCallListView.as_view()),
    path("scheduled-calls/<uuid:call_id>", scheduled.ScheduledCallView.as_view()),
    path("recurring-calls", recurring.RecurringCallListView.as_view()),
    path(
        "recurring-calls/<uuid:recurring_call_id>",
        recurring.RecurringCallView.as_view(),
    ),
    path(
        "recurring-calls/<uuid:recurring_call_id>/pause",
        recurring.PauseRecurringCallView.as_view(),
    ),
    path(
        "recurring-calls/<uuid:recurring_call_id>/resume",
        recurring.ResumeRecurringCallView.as_view(),
    ),
    path("language-model", language_models.LanguageModelView.as_view()),
    path("budget", BudgetView.as_view()),
    path("retention", privacy.RetentionView.as_view()),
    path("erasures", privacy.ErasureListView.as_view()),
    path("erasures/<uuid:erasure_id>", privacy.ErasureView.as_view()),
    path("exports", privacy.ExportListView.as_view()),
    path("exports/<uuid:export_id>", privacy.ExportView.as_view()),
    path("exports/<uuid:export_id>/file", privacy.ExportFileView.as_view()),
    path("calling-rules", calling_rules.CallingRulesView.as_view()),
    path("calling-rules/check", calling_rules.CallingRulesCheckView.as_view()),
    path("campaigns", campaigns.CampaignListView.as_view()),
    path("campaigns/<uuid:campaign_id>", include(campaign)),
    path("contacts", contacts.ContactListView.as_view()),
    path("contacts/<uuid:contact_id>", contacts.ContactView.as_view()),
    path("do-not-contact", do_not_contact.DoNotContactListView.as_view()),
    path("do-not-contact/<uuid:pk>", do_not_contact.DoNotContactView.as_view()),
    path("webhooks", include(webhooks)),
    path("alerts", alerts.AlertListView.as_view()),
    path("alerts/<uuid:alert_id>", alerts.AlertView.as_view()),
    path("alerts/<uuid:alert_id>/episodes", alerts.EpisodeListView.as_view()),
    path("alerts/<uuid:alert_id>/test", alerts.AlertTestView.as_view()),
    path("analytics/", include(figures)),
    path("api-keys", accounts.ApiKeyListView.as_view()),
    path("api-keys/<uuid:pk>", accounts.ApiKeyDetailView.as_view()),
    path("audit-log", audit.AuditLogView.as_view()),
    path("workspaces", teams.WorkspaceListView.as_view()),
    path("members", teams.MemberListView.as_view()),
    path("members/<uuid:member_id>", teams.MemberDetailView.as_view()),
    path("invitations", teams.InvitationListView.as_view()),
    path("invitations/<uuid:invitation_id>", teams.InvitationDetailView.as_view()),
    path(
        "invitations/<uuid:invitation_id>/resend",
        teams.InvitationResendView.as_view(),
    ),
]
about = [
    path(
        "schema",
        SpectacularAPIView.as_view(
            authentication_classes=[], permission_classes=[AllowAny]
        ),
        name="schema",
    ),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(
            url_name="api:schema",
            authentication_classes=[],
            permission_classes=[AllowAny],
        ),
        name="docs",
    ),
]
# The families that were first published without the prefix: the same views.
families = [
    path("auth/", include(auth)),
    path("agents", include(agents)),
    path("analytics/", include(figures)),
]

urlpatterns = [
    path("api/", include(([*canonical, *about], "api"))),
    *families,
    # Also with a line break in it, which a dot is not.
    re_path(r"^(api|auth|agents|analytics)(/[\s\S]*)?$", UnknownAddress.as_view()),
]


def canonical_only(endpoints):
    """For the schema: each operation once, at its canonical address."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]
