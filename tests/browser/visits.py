"""Every page of the product, and why the other addresses are none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from django.urls import URLResolver, get_resolver, reverse

from telephony.periods import Week
from tests.browser.world import INVITATION, World

NOBODY = ""


@dataclass(frozen=True)
class Visit:
    """One page in one state; `who` is the name of a person of the world, or NOBODY."""

    name: str
    who: str
    path: Callable[[World], str]
    status: int = 200
    lands_on: str = ""  # where it sends the browser on to, if it does


def at(url_name: str, *args, query: str = "") -> Callable[[World], str]:
    """The path of a route; arguments may be functions of the world."""

    def path(world: World) -> str:
        filled = [arg(world) if callable(arg) else arg for arg in args]
        return reverse(url_name, args=filled) + query

    return path


def row(name: str) -> Callable[[World], object]:
    return lambda world: world.rows[name].pk


def number_of(name: str) -> Callable[[World], object]:
    return lambda world: world.rows[name].number


def workspace(world: World) -> object:
    return world.alice.workspace.pk


def call(name: str) -> Callable[[World], object]:
    return lambda world: world.calls[name].pk


def literally(path: str) -> Callable[[World], str]:
    return lambda world: path


def visits_of(who: str, **paths: Callable[[World], str]) -> list[Visit]:
    return [Visit(f"{name}-of-{who}", who, path) for name, path in paths.items()]


SIGNED_OUT = [
    Visit(name, NOBODY, at(url_name))
    for name, url_name in {
        "log-in": "account_login",
        "sign-up": "account_signup",
        "reset": "account_reset_password",
        "reset-sent": "account_reset_password_done",
        "reset-done": "account_reset_password_from_key_done",
        "inactive": "account_inactive",
        "verification-sent": "account_email_verification_sent",
        "api-docs": "api:docs",
    }.items()
] + [
    Visit(
        "confirm",
        NOBODY,
        lambda world: reverse("account_confirm_email", args=[world.confirmation_key]),
    ),
    Visit("confirm-expired", NOBODY, literally("/account/confirm-email/old-key/")),
    Visit(
        "reset-from-key",
        NOBODY,
        lambda world: f"/account/password/reset/key/{world.reset_key}/",
        lands_on="-set-password/",
    ),
    Visit(
        "reset-from-old-key", NOBODY, literally("/account/password/reset/key/1-old/")
    ),
    Visit("invitation", NOBODY, at("accounts:invitation_detail", INVITATION)),
    Visit(
        "digest-off",
        NOBODY,
        lambda world: reverse("alerts:digest_off", args=[world.digest_token]),
    ),
    Visit(
        "invitation-unusable",
        NOBODY,
        at("accounts:invitation_detail", "used-up"),
        status=404,
    ),
    Visit("not-found", NOBODY, literally("/nothing-is-here"), status=404),
    Visit("simulator", NOBODY, literally("/simulator")),
    Visit(
        "simulator-unknown", NOBODY, literally("/simulator/accounts/none"), status=404
    ),
]

LISTS = {
    "dashboard": at("analytics:dashboard"),
    "costs": at("analytics:costs"),
    "budget": at("analytics:budget"),
    "data": at("privacy:kept"),
    "forget": at("privacy:forget"),
    "delete-account": at("privacy:person_delete"),
    "calls": at("telephony:call_list"),
    "live": at("telephony:call_live"),
    "inbox": at("telephony:inbox"),
    "inbox-open": at("telephony:inbox", query="?tab=open"),
    "inbox-closed": at("telephony:inbox", query="?tab=closed"),
    "inbox-snoozed": at("telephony:inbox", query="?tab=snoozed"),
    "inbox-mine": at("telephony:inbox", query="?tab=open&assigned=me"),
    "labels": at("telephony:inbox_label_list"),
    "canned-replies": at("telephony:inbox_canned_reply_list"),
    "text-new": at("telephony:text_create"),
    "agents": at("agents:agent_list"),
    "message-agents": at("agents:message_agent_list"),
    "prompts": at("agents:prompt_list"),
    "tools": at("agents:tool_list"),
    "numbers": at("telephony:phone_list"),
    "number-new": at("telephony:phone_create"),
    "carrier-accounts": at("telephony:carrier_account_list"),
    "scheduled-calls": at("telephony:scheduled_call_list"),
    "scheduled-calls-month": at("telephony:scheduled_call_calendar"),
    "scheduled-calls-week": at(
        "telephony:scheduled_call_calendar", query=f"?week={Week.of(date.today())}"
    ),
    "scheduled-call-new": at("telephony:scheduled_call_create"),
    "recurring-calls": at("telephony:recurring_call_list"),
    "recurring-call-new": at("telephony:recurring_call_create"),
    "campaigns": at("telephony:campaign_list"),
    "campaign-new": at("telephony:campaign_create"),
    "people": at("telephony:person_list"),
    "person-new": at("telephony:person_create"),
    "do-not-contact": at("telephony:do_not_contact_list"),
    "calling-rules": at("telephony:calling_rules"),
    "language-model": at("agents:language_model"),
    "calling-rules-check": at("telephony:calling_rules_check"),
    "call-new": at("telephony:call_create"),
    "api-keys": at("accounts:api_key_list"),
    "deleted": at("accounts:deleted_list"),
    "webhooks": at("hooks:endpoint_list"),
    "alerts": at("alerts:alert_list"),
    "test-choose": at("telephony:agent_test_choose"),
}

WITH_DATA = visits_of(
    "alice",
    **LISTS,
    erasure=at("privacy:erasure_detail", row("erasure")),
    **{
        "dashboard-hours": at("analytics:dashboard", query="?period=today"),
        "dashboard-year": at(
            "analytics:dashboard",
            query="?period=12m&compare=year&timezone=Asia/Kathmandu",
        ),
        "dashboard-quiet": at(
            "analytics:dashboard", query="?from=2020-01-01&to=2020-01-31"
        ),
        "calls-of-an-hour": at(
            "telephony:call_list", query="?kind=counted&answered=yes&weekday=1&hour=9"
        ),
        "live-paused": at("telephony:call_live", query="?paused=1"),
        "inbox-found": at("telephony:inbox", query="?q=thursday"),
        "label": at("telephony:inbox_label_change", row("label")),
        "canned-reply": at("telephony:inbox_canned_reply_change", row("cannedreply")),
        "inbox-none-match": at("telephony:inbox", query="?q=zebra"),
        "inbox-none-unread": at("telephony:inbox", query="?tab=closed&unread=1"),
        **{
            f"conversation-{name}": at("telephony:conversation_detail", row(state))
            for name, state in {
                "with-agent": "answered",
                "by-whatsapp": "by whatsapp",
                "closed": "settled",
                "needing-person": "asked for",
                "snoozed": "snoozed",
            }.items()
        },
        "calls-none-match": at("telephony:call_list", query="?q=zebra"),
        "call-running": at("telephony:call_detail", call("running")),
        "call-finished": at("telephony:call_detail", call("finished")),
        "call-test": at("telephony:call_detail", call("test")),
        "call-broken": at("telephony:call_detail", call("broken")),
        "call-refused": at("telephony:call_detail", call("refused")),
        "call-missed": at("telephony:call_detail", call("missed")),
        "call-outgoing": at("telephony:call_detail", call("outgoing")),
        "call-not-allowed": at("telephony:call_detail", call("not allowed")),
        "call-unknown": at("telephony:call_detail", call("unknown")),
        "agent": at("agents:agent_detail", row("voiceagent")),
        "agent-idle": at("agents:agent_detail", row("idle agent")),
        "agent-new": at("agents:agent_create"),
        "agent-new-from-starter": at("agents:agent_create", query="?start=survey"),
        "agent-pinned": at("agents:agent_detail", row("pinned agent")),
        "agents-none-match": at("agents:agent_list", query="?q=zebra"),
        "message-agent": at("agents:message_agent_detail", row("messageagent")),
        "message-agent-hours": at("agents:message_agent_detail", row("texting agent")),
        "message-agent-new": at(
            "agents:message_agent_create", query="?start=after-hours"
        ),
        "message-agent-test": at("agents:message_agent_test", row("texting agent")),
        "message-agents-none-match": at("agents:message_agent_list", query="?q=zebra"),
        "agent-test": at("telephony:agent_test", row("idle agent")),
        "rehearsals": at("telephony:agent_rehearsals", row("pinned agent")),
        "rehearsals-none": at("telephony:agent_rehearsals", row("idle agent")),
        "test-script": at("telephony:test_script_detail", row("test script")),
        "test-script-new": at("telephony:test_script_create", row("idle agent")),
        "rehearsal-failed": at("telephony:rehearsal_detail", row("failed rehearsal")),
        "rehearsal-running": at("telephony:rehearsal_detail", row("running rehearsal")),
        "rehearsal-interrupted": at(
            "telephony:rehearsal_detail", row("interrupted rehearsal")
        ),
        "prompt": at("agents:prompt_detail", row("prompt")),
        "prompt-new": at("agents:prompt_create"),
        "prompt-version": at("agents:prompt_version", row("prompt"), 1),
        "prompt-compare": at("agents:prompt_compare", row("prompt")),
        "tool": at("agents:tool_detail", row("order tool")),
        "tool-with-schema": at("agents:tool_detail", row("slots tool")),
        "tool-new": at("agents:tool_create"),
        "alert": at("alerts:alert_detail", row("firing alert")),
        "alert-new": at("alerts:alert_create"),
        "alert-new-silence": at("alerts:alert_create", query="?metric=no_calls"),
        "alert-change": at("alerts:alert_change", row("firing alert")),
        "number": at("telephony:phone_detail", row("phone")),
        "carrier-account": at(
            "telephony:carrier_account_detail", row("carrieraccount")
        ),
        "deleted-none-of-a-kind": at("accounts:deleted_list", query="?kind=phone"),
        "carrier-account-new": at("telephony:carrier_account_create"),
        "scheduled-calls-none-match": at(
            "telephony:scheduled_call_list", query="?q=999999"
        ),
        "scheduled-calls-month-none-match": at(
            "telephony:scheduled_call_calendar", query="?q=999999"
        ),
        "scheduled-call": at("telephony:scheduled_call_detail", row("waiting")),
        "scheduled-call-blocked": at("telephony:scheduled_call_detail", row("blocked")),
        "scheduled-call-change": at("telephony:scheduled_call_change", row("waiting")),
        "recurring-calls-none-match": at(
            "telephony:recurring_call_list", query="?q=999999"
        ),
        "recurring-call": at("telephony:recurring_call_detail", row("recurring")),
        "recurring-call-paused": at(
            "telephony:recurring_call_detail", row("recurringcall")
        ),
        "recurring-call-change": at(
            "telephony:recurring_call_change", row("recurring")
        ),
        "scheduled-call-recurring": at(
            "telephony:scheduled_call_detail", row("recurring time")
        ),
        "campaigns-none-match": at("telephony:campaign_list", query="?q=zebra"),
        **{
            f"campaign-{state}": at(
                "telephony:campaign_detail", row(f"campaign {state}")
            )
            for state in ("draft", "reading", "ready", "running", "stopped", "over")
        },
        "campaign-estimate": at(
            "telephony:campaign_detail",
            row("campaign ready"),
            query="?minutes=3&percent=40&price=0.08",
        ),
        "campaign-change": at("telephony:campaign_change", row("campaign ready")),
        "campaign-rename": at("telephony:campaign_change", row("campaign running")),
        "campaign-columns": at("telephony:campaign_columns", row("campaign ready")),
        "campaign-contacts": at("telephony:campaign_contacts", row("campaign over")),
        "campaign-contacts-none": at(
            "telephony:campaign_contacts", row("campaign over"), query="?q=999999"
        ),
        "campaign-refused": at("telephony:campaign_refused", row("campaign ready")),
        "campaign-redial": at("telephony:campaign_redial", row("campaign over")),
        "people-none-match": at("telephony:person_list", query="?q=zebra"),
        "person": at("telephony:person_detail", number_of("contact")),
        "person-texts": at(
            "telephony:person_detail", number_of("contact"), query="?show=texts"
        ),
        "person-refusing": at("telephony:person_detail", number_of("nameless contact")),
        "person-unknown": at("telephony:person_detail", "+16285550199"),
        "person-change": at("telephony:person_change", number_of("contact")),
        "person-listed": at("telephony:person_detail", number_of("donotcontact")),
        "do-not-contact-new": at("telephony:do_not_contact_create"),
        "do-not-contact-remove": at(
            "telephony:do_not_contact_delete", row("donotcontact")
        ),
        "do-not-contact-none-match": at(
            "telephony:do_not_contact_list", query="?q=zebra"
        ),
        "webhook": at("hooks:endpoint_detail", row("webhook")),
        "webhook-switched-off": at("hooks:endpoint_detail", row("broken webhook")),
        "webhook-new": at("hooks:endpoint_create"),
        "delivery": at(
            "hooks:delivery_detail", row("webhook"), row("delivered delivery")
        ),
        "delivery-dead": at(
            "hooks:delivery_detail", row("webhook"), row("dead delivery")
        ),
        "profile": at("accounts:profile"),
        "members": at("accounts:member_list"),
        "workspace": at("accounts:workspace_change"),
        "workspace-new": at("accounts:workspace_create"),
        "audit-log": at("accounts:audit_log"),
        "audit-log-none-match": at("accounts:audit_log", query="?q=zebra"),
        "e-mail": at("account_email"),
        "password": at("account_change_password"),
        "second-factor-off": at("mfa_index"),
        "sessions": at("usersessions_list"),
        "log-out": at("account_logout"),
        "reauthenticate": at("account_reauthenticate"),
    },
) + [
    Visit(
        "calls-bad-filter",
        "alice",
        at("telephony:call_list", query="?from=nonsense&number=abc"),
        status=422,
    ),
    Visit(
        "dashboard-bad-filter",
        "alice",
        at("analytics:dashboard", query="?timezone=nowhere&agent=7"),
        status=422,
    ),
    Visit(
        "inbox-bad-filter",
        "alice",
        at("telephony:inbox", query="?tab=nonsense"),
        status=422,
    ),
    Visit(
        "audit-log-bad-filter",
        "alice",
        at("accounts:audit_log", query="?from=nonsense&kind=zebra"),
        status=422,
    ),
    Visit(
        "agents-bad-filter",
        "alice",
        at("agents:agent_list", query="?status=nonsense"),
        status=422,
    ),
    Visit(
        "scheduled-calls-bad-week",
        "alice",
        at("telephony:scheduled_call_calendar", query="?week=nonsense&q=abc"),
        status=422,
    ),
    Visit(
        "deleted-bad-filter",
        "alice",
        at("accounts:deleted_list", query="?kind=nonsense"),
        status=422,
    ),
    Visit(
        "message-agents-bad-filter",
        "alice",
        at("agents:message_agent_list", query="?status=nonsense"),
        status=422,
    ),
    Visit(
        "prompt-compare-unknown",
        "alice",
        at("agents:prompt_compare", row("prompt"), query="?from=99"),
        status=422,
    ),
    Visit("not-found-of-alice", "alice", literally("/calls/nothing"), status=404),
]


def _checked(world) -> str:
    """The chain of rules for a number and an agent."""
    agent = world.rows["idle agent"].pk
    page = reverse("telephony:calling_rules_check")
    return f"{page}?number=%2B19005550100&agent={agent}"


WITH_DATA.append(Visit("calling-rules-checked", "alice", _checked))

WITH_RIGHTS = [
    *visits_of(
        "careful",
        **{
            "second-factor-on": at("mfa_index"),
            "recovery-codes": at("mfa_view_recovery_codes"),
            "recovery-codes-new": at("mfa_generate_recovery_codes"),
            "second-factor-remove": at("mfa_deactivate_totp"),
            "second-factor-again": at("mfa_reauthenticate"),
        },
    ),
    *visits_of("builder", **{"second-factor-new": at("mfa_activate_totp")}),
    *visits_of(
        "viewer",
        **{
            "agents": at("agents:agent_list"),
            "message-agents": at("agents:message_agent_list"),
            "tool": at("agents:tool_detail", row("tool of the viewer")),
            "numbers": at("telephony:phone_list"),
            "api-keys": at("accounts:api_key_list"),
            "deleted": at("accounts:deleted_list"),
            "members": at("accounts:member_list"),
            "workspace": at("accounts:workspace_change"),
            "calling-rules": at("telephony:calling_rules"),
            "language-model": at("agents:language_model"),
            "budget": at("analytics:budget"),
            "data": at("privacy:kept"),
            "people": at("telephony:person_list"),
            "person": at("telephony:person_detail", "+16285550199"),
            "do-not-contact": at("telephony:do_not_contact_list"),
            "inbox": at("telephony:inbox"),
            "conversation": at(
                "telephony:conversation_detail", row("conversation of the viewer")
            ),
            "audit-log": at("accounts:audit_log"),
        },
    ),
    Visit(
        "invitation-of-another",
        "viewer",
        at("accounts:invitation_detail", INVITATION),
        status=403,
    ),
    Visit("forbidden", "viewer", at("agents:prompt_create"), status=403),
    Visit("admin", "operator", at("admin:index")),
    Visit("isolation", "operator", at("isolation")),
    Visit("dialling", "operator", at("dialling")),
    Visit("features", "operator", at("features")),
    Visit("queues", "operator", at("queues")),
    Visit("given-up", "operator", at("given_up")),
    Visit("operated-workspace", "operator", at("workspace", workspace)),
]

VISITS = [
    *SIGNED_OUT,
    *WITH_DATA,
    *visits_of("newcomer", **LISTS),
    *WITH_RIGHTS,
]

# Not visited, and why.
POSTED = "only takes a form; its answer is another page"
PART = "a part of a page that is visited"
NOT_VISITED = {
    "livez": "a probe",
    "metrics": "for programs",
    "readyz": "a probe",
    "api:schema": "a file for programs",
    "mfa_download_recovery_codes": "a text file",
    "mfa_authenticate": "between password and code; visited by the log-in test",
    "account_confirm_login_code": "log-in by mailed code is switched off",
    "account_set_password": "every account has a password: sends on to its change",
    "privacy:workspace_delete": POSTED,
    "privacy:workspace_keep": POSTED,
    "privacy:export_create": POSTED,
    "privacy:export_download": "a file",
    "telephony:call_by_sid": "sends on to the call's page",
    "telephony:phone_check": PART,
    "telephony:call_live_badge": PART,
    "telephony:inbox_badge": PART,
    "telephony:conversation_texts": PART,
    "telephony:text_medium": "a picture or file",
    "telephony:text_size": POSTED,
    "telephony:conversation_reply": POSTED,
    "telephony:conversation_take_over": POSTED,
    "telephony:conversation_release": POSTED,
    "telephony:conversation_close": POSTED,
    "telephony:conversation_reopen": POSTED,
    "telephony:conversation_read": POSTED,
    "telephony:conversation_assign": POSTED,
    "telephony:conversation_labels": POSTED,
    "telephony:conversation_snooze": POSTED,
    "telephony:conversation_note": POSTED,
    "telephony:inbox_label_delete": POSTED,
    "telephony:inbox_canned_reply_delete": POSTED,
    "telephony:message_cancel": POSTED,
    "telephony:message_repeat": POSTED,
    "telephony:call_interventions": PART,
    "analytics:dashboard_live": PART,
    "analytics:agent_figures": PART,
    "analytics:phone_figures": PART,
    "agents:prompt_preview": PART,
    "telephony:agent_calls": PART,
    "agents:agent_variables": PART,
    "agents:message_agent_variables": PART,
    "accounts:audit_log_export": "a file",
    "telephony:campaign_template": "a file",
    "telephony:campaign_refused_export": "a file",
    "telephony:campaign_results_export": "a file",
    "telephony:campaign_start": POSTED,
    "telephony:campaign_pause": POSTED,
    "telephony:campaign_resume": POSTED,
    "telephony:campaign_cancel": POSTED,
    "telephony:campaign_delete": POSTED,
    "telephony:call_recording": "a sound",
    "accounts:workspace_switch": POSTED,
    "accounts:workspace_leave": POSTED,
    "accounts:member_change_role": POSTED,
    "accounts:member_remove": POSTED,
    "accounts:member_make_owner": POSTED,
    "accounts:invitation_resend": POSTED,
    "accounts:invitation_revoke": POSTED,
    "accounts:api_key_revoke": POSTED,
    "accounts:deleted_restore": POSTED,
    "hooks:endpoint_rotate": POSTED,
    "hooks:endpoint_enable": POSTED,
    "hooks:endpoint_disable": POSTED,
    "hooks:endpoint_delete": POSTED,
    "hooks:endpoint_test": POSTED,
    "hooks:endpoint_replay_dead": POSTED,
    "hooks:delivery_replay": POSTED,
    "telephony:call_analyze": POSTED,
    "agents:language_model_test": POSTED,
    "agents:language_model_disconnect": POSTED,
    "analytics:budget_remove": POSTED,
    "agents:prompt_delete": POSTED,
    "agents:tool_delete": POSTED,
    "agents:tool_test": POSTED,
    "agents:agent_activate": POSTED,
    "agents:agent_deactivate": POSTED,
    "agents:agent_delete": POSTED,
    "agents:agent_duplicate": POSTED,
    "agents:message_agent_activate": POSTED,
    "agents:message_agent_deactivate": POSTED,
    "agents:message_agent_delete": POSTED,
    "agents:message_agent_duplicate": POSTED,
    "agents:prompt_restore": POSTED,
    "telephony:carrier_account_delete": POSTED,
    "telephony:carrier_account_end_token_change": POSTED,
    "telephony:call_hang_up": POSTED,
    "telephony:call_take_part": POSTED,
    "telephony:agent_rehearse": POSTED,
    "telephony:test_script_run": POSTED,
    "telephony:test_script_delete": POSTED,
    "telephony:call_make_test": POSTED,
    "dialling_settle": POSTED,
    "workspace_suspend": POSTED,
    "workspace_resume": POSTED,
    "workspace_look": POSTED,
    "looking_stop": POSTED,
    "switch": POSTED,
    "given_up_again": POSTED,
    "telephony:shared_medium": "a file",
    "telephony:scheduled_call_cancel": POSTED,
    "telephony:recurring_call_pause": POSTED,
    "telephony:recurring_call_resume": POSTED,
    "telephony:recurring_call_delete": POSTED,
    "telephony:person_delete": POSTED,
    "telephony:person_export": "a file",
    "privacy:person_export": "a file",
    "telephony:call_settle": POSTED,
    "telephony:phone_point": POSTED,
    "telephony:phone_delete": POSTED,
    "alerts:alert_suggested": POSTED,
    "alerts:alert_preview": POSTED,
    "alerts:alert_activate": POSTED,
    "alerts:alert_deactivate": POSTED,
    "alerts:alert_mute": POSTED,
    "alerts:alert_unmute": POSTED,
    "alerts:alert_test": POSTED,
    "alerts:alert_delete": POSTED,
}
FOR_PROGRAMS = ("webhooks/", "api/", "auth/", "agents", "analytics/", "^(api|")
OF_THE_ADMIN = "admin"


def page_routes() -> Iterator[str]:
    """Names of all routes (paths where they have none) that could be pages."""
    for path, name in _walk(get_resolver().url_patterns):
        is_named = name in NOT_VISITED or name.startswith("api:docs")
        if is_named or not path.startswith(FOR_PROGRAMS):
            yield name


def _walk(patterns, path="", namespace="") -> Iterator[tuple[str, str]]:
    for entry in patterns:
        deeper = path + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            if entry.namespace != OF_THE_ADMIN:
                yield from _walk(entry.url_patterns, deeper, inner)
        else:
            yield deeper, namespace + entry.name if entry.name else deeper


__all__ = ["NOBODY", "NOT_VISITED", "VISITS", "Visit", "page_routes"]
