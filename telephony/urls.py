"""Pages about carrier accounts, numbers and calls."""

from django.urls import path

from telephony.views import (
    calling_rules,
    calls,
    campaigns,
    carrier_accounts,
    do_not_contact,
    inbox,
    inbox_words,
    interventions,
    outgoing,
    people,
    phones,
    recordings,
    recurring,
    rehearsals,
    scheduled,
    shared,
    testing,
    texts,
)

app_name = "telephony"

CARRIER_ACCOUNTS = [
    path(
        "carrier-accounts",
        carrier_accounts.carrier_account_list,
        name="carrier_account_list",
    ),
    path(
        "carrier-accounts/new",
        carrier_accounts.carrier_account_create,
        name="carrier_account_create",
    ),
    path(
        "carrier-accounts/<uuid:pk>",
        carrier_accounts.carrier_account_detail,
        name="carrier_account_detail",
    ),
    path(
        "carrier-accounts/<uuid:pk>/end-token-change",
        carrier_accounts.carrier_account_end_token_change,
        name="carrier_account_end_token_change",
    ),
    path(
        "carrier-accounts/<uuid:pk>/delete",
        carrier_accounts.carrier_account_delete,
        name="carrier_account_delete",
    ),
]

PHONES = [
    path("numbers", phones.phone_list, name="phone_list"),
    path("numbers/new", phones.phone_create, name="phone_create"),
    path("numbers/<uuid:pk>", phones.phone_detail, name="phone_detail"),
    path("numbers/<uuid:pk>/check", phones.phone_check, name="phone_check"),
    path("numbers/<uuid:pk>/point", phones.phone_point, name="phone_point"),
    path("numbers/<uuid:pk>/delete", phones.phone_delete, name="phone_delete"),
]

CALLS = [
    path("calls", calls.call_list, name="call_list"),
    path("calls/new", outgoing.call_create, name="call_create"),
    path("calls/<uuid:pk>/hang-up", outgoing.call_hang_up, name="call_hang_up"),
    path(
        "calls/<uuid:pk>/take-part", interventions.call_take_part, name="call_take_part"
    ),
    path(
        "calls/<uuid:pk>/interventions",
        interventions.call_interventions,
        name="call_interventions",
    ),
    path("calls/<uuid:pk>/settle", outgoing.call_settle, name="call_settle"),
    path("calls/<uuid:pk>", calls.call_detail, name="call_detail"),
    path("calls/<uuid:pk>/recording", recordings.call_recording, name="call_recording"),
    path("calls/<uuid:pk>/analyze", calls.call_analyze, name="call_analyze"),
    path("calls/by-sid/<str:sid>", calls.call_by_sid, name="call_by_sid"),
    path("voice-agents/<uuid:pk>/calls", calls.agent_calls, name="agent_calls"),
    path("live", calls.call_live, name="call_live"),
    path("live/badge", calls.call_live_badge, name="call_live_badge"),
]

TESTING = [
    path("test", testing.agent_test_choose, name="agent_test_choose"),
    path("voice-agents/<uuid:pk>/test", testing.agent_test, name="agent_test"),
]

REHEARSALS = [
    path(
        "voice-agents/<uuid:pk>/rehearsals",
        rehearsals.agent_rehearsals,
        name="agent_rehearsals",
    ),
    path(
        "voice-agents/<uuid:pk>/rehearse",
        rehearsals.agent_rehearse,
        name="agent_rehearse",
    ),
    path(
        "voice-agents/<uuid:pk>/test-scripts/new",
        rehearsals.test_script_create,
        name="test_script_create",
    ),
    path(
        "test-scripts/<uuid:pk>",
        rehearsals.test_script_detail,
        name="test_script_detail",
    ),
    path(
        "test-scripts/<uuid:pk>/run", rehearsals.test_script_run, name="test_script_run"
    ),
    path(
        "test-scripts/<uuid:pk>/delete",
        rehearsals.test_script_delete,
        name="test_script_delete",
    ),
    path("rehearsals/<uuid:pk>", rehearsals.rehearsal_detail, name="rehearsal_detail"),
    path("calls/<uuid:pk>/make-test", rehearsals.call_make_test, name="call_make_test"),
]

SCHEDULED_CALLS = [
    path("scheduled-calls", scheduled.scheduled_call_list, name="scheduled_call_list"),
    path(
        "scheduled-calls/calendar",
        scheduled.scheduled_call_calendar,
        name="scheduled_call_calendar",
    ),
    path(
        "scheduled-calls/new",
        scheduled.scheduled_call_create,
        name="scheduled_call_create",
    ),
    path(
        "scheduled-calls/<uuid:pk>",
        scheduled.scheduled_call_detail,
        name="scheduled_call_detail",
    ),
    path(
        "scheduled-calls/<uuid:pk>/change",
        scheduled.scheduled_call_change,
        name="scheduled_call_change",
    ),
    path(
        "scheduled-calls/<uuid:pk>/cancel",
        scheduled.scheduled_call_cancel,
        name="scheduled_call_cancel",
    ),
]

RECURRING_CALLS = [
    path("recurring-calls", recurring.recurring_call_list, name="recurring_call_list"),
    path(
        "recurring-calls/new",
        recurring.recurring_call_create,
        name="recurring_call_create",
    ),
    path(
        "recurring-calls/<uuid:pk>",
        recurring.recurring_call_detail,
        name="recurring_call_detail",
    ),
    path(
        "recurring-calls/<uuid:pk>/change",
        recurring.recurring_call_change,
        name="recurring_call_change",
    ),
    path(
        "recurring-calls/<uuid:pk>/pause",
        recurring.recurring_call_pause,
        name="recurring_call_pause",
    ),
    path(
        "recurring-calls/<uuid:pk>/resume",
        recurring.recurring_call_resume,
        name="recurring_call_resume",
    ),
    path(
        "recurring-calls/<uuid:pk>/delete",
        recurring.recurring_call_delete,
        name="recurring_call_delete",
    ),
]

CAMPAIGNS = [
    path("campaigns", campaigns.campaign_list, name="campaign_list"),
    path("campaigns/new", campaigns.campaign_create, name="campaign_create"),
    path(
        "campaigns/template.csv", campaigns.campaign_template, name="campaign_template"
    ),
    path("campaigns/<uuid:pk>", campaigns.campaign_detail, name="campaign_detail"),
    path(
        "campaigns/<uuid:pk>/change", campaigns.campaign_change, name="campaign_change"
    ),
    path(
        "campaigns/<uuid:pk>/columns",
        campaigns.campaign_columns,
        name="campaign_columns",
    ),
    path(
        "campaigns/<uuid:pk>/contacts",
        campaigns.campaign_contacts,
        name="campaign_contacts",
    ),
    path(
        "campaigns/<uuid:pk>/refused",
        campaigns.campaign_refused,
        name="campaign_refused",
    ),
    path("campaigns/<uuid:pk>/start", campaigns.campaign_start, name="campaign_start"),
    path("campaigns/<uuid:pk>/pause", campaigns.campaign_pause, name="campaign_pause"),
    path(
        "campaigns/<uuid:pk>/resume", campaigns.campaign_resume, name="campaign_resume"
    ),
    path(
        "campaigns/<uuid:pk>/cancel", campaigns.campaign_cancel, name="campaign_cancel"
    ),
    path(
        "campaigns/<uuid:pk>/redial", campaigns.campaign_redial, name="campaign_redial"
    ),
    path(
        "campaigns/<uuid:pk>/delete", campaigns.campaign_delete, name="campaign_delete"
    ),
    path(
        "campaigns/<uuid:pk>/refused.csv",
        campaigns.campaign_refused_export,
        name="campaign_refused_export",
    ),
    path(
        "campaigns/<uuid:pk>/results.csv",
        campaigns.campaign_results_export,
        name="campaign_results_export",
    ),
]

PEOPLE = [
    path("people", people.person_list, name="person_list"),
    path("people/new", people.person_create, name="person_create"),
    path("people/contacts.csv", people.person_export, name="person_export"),
    path("people/<str:number>", people.person_detail, name="person_detail"),
    path("people/<str:number>/change", people.person_change, name="person_change"),
    path("people/<str:number>/delete", people.person_delete, name="person_delete"),
]

DIALLING = [
    path(
        "do-not-contact", do_not_contact.do_not_contact_list, name="do_not_contact_list"
    ),
    path(
        "do-not-contact/new",
        do_not_contact.do_not_contact_create,
        name="do_not_contact_create",
    ),
    path(
        "do-not-contact/<uuid:pk>/delete",
        do_not_contact.do_not_contact_delete,
        name="do_not_contact_delete",
    ),
    path("calling-rules", calling_rules.calling_rules, name="calling_rules"),
    path(
        "calling-rules/check",
        calling_rules.calling_rules_check,
        name="calling_rules_check",
    ),
]

INBOX = [
    path("inbox", inbox.inbox_list, name="inbox"),
    path("inbox/badge", inbox.inbox_badge, name="inbox_badge"),
    path("inbox/new", texts.text_create, name="text_create"),
    path("inbox/size", texts.text_size, name="text_size"),
    path("inbox/<uuid:pk>", inbox.conversation_detail, name="conversation_detail"),
    path("inbox/<uuid:pk>/texts", inbox.conversation_texts, name="conversation_texts"),
    path("inbox/<uuid:pk>/reply", texts.conversation_reply, name="conversation_reply"),
    path(
        "inbox/<uuid:pk>/take-over",
        inbox.conversation_take_over,
        name="conversation_take_over",
    ),
    path(
        "inbox/<uuid:pk>/release",
        inbox.conversation_release,
        name="conversation_release",
    ),
    path("inbox/<uuid:pk>/close", inbox.conversation_close, name="conversation_close"),
    path(
        "inbox/<uuid:pk>/reopen",
        inbox.conversation_reopen,
        name="conversation_reopen",
    ),
    path(
        "inbox/<uuid:pk>/assign", inbox.conversation_assign, name="conversation_assign"
    ),
    path(
        "inbox/<uuid:pk>/labels", inbox.conversation_labels, name="conversation_labels"
    ),
    path(
        "inbox/<uuid:pk>/snooze", inbox.conversation_snooze, name="conversation_snooze"
    ),
    path("inbox/<uuid:pk>/notes", texts.conversation_note, name="conversation_note"),
    path("inbox/labels", inbox_words.label_list, name="inbox_label_list"),
    path("inbox/labels/<uuid:pk>", inbox_words.label_change, name="inbox_label_change"),
    path(
        "inbox/labels/<uuid:pk>/delete",
        inbox_words.label_delete,
        name="inbox_label_delete",
    ),
    path(
        "inbox/canned-replies",
        inbox_words.canned_reply_list,
        name="inbox_canned_reply_list",
    ),
    path(
        "inbox/canned-replies/<uuid:pk>",
        inbox_words.canned_reply_change,
        name="inbox_canned_reply_change",
    ),
    path(
        "inbox/canned-replies/<uuid:pk>/delete",
        inbox_words.canned_reply_delete,
        name="inbox_canned_reply_delete",
    ),
    path("texts/<uuid:pk>/cancel", texts.message_cancel, name="message_cancel"),
    path("inbox/<uuid:pk>/read", inbox.conversation_read, name="conversation_read"),
    path("texts/<uuid:pk>/media/<int:number>", texts.text_medium, name="text_medium"),
    path("media/<str:token>", shared.shared_medium, name="shared_medium"),
    path("texts/<uuid:pk>/repeat", texts.message_repeat, name="message_repeat"),
]

urlpatterns = [
    *CARRIER_ACCOUNTS,
    *PHONES,
    *CALLS,
    *INBOX,
    *TESTING,
    *REHEARSALS,
    *SCHEDULED_CALLS,
    *RECURRING_CALLS,
    *CAMPAIGNS,
    *PEOPLE,
    *DIALLING,
]
