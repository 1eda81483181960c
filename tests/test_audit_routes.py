"""Every route that changes something, and the entry that it leaves in the audit log.

A new route that takes changes belongs into one of the two tables, or the test fails.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now

from accounts import invitations, services
from accounts.models import AccessToken, AuditEntry, Invitation, Membership
from agents import services as agents
from agents.models import MessageAgent, Prompt, Tool, VoiceAgent
from agents.tests.test_message_agent_pages import form_data as texting_form_data
from agents.tests.test_pages import form_data
from alerts import services as alerts
from alerts.models import Alert
from hooks import services as hooks
from hooks.models import Endpoint
from privacy import leaving
from telephony.models import (
    Campaign,
    CannedReply,
    CarrierAccount,
    Contact,
    Conversation,
    Label,
    RecurringCall,
    ScheduledCall,
    TestScript,
)
from telephony.services import (
    budgets,
    campaigns,
    contacts,
    conversations,
    do_not_contact,
    inbox_words,
    recurring,
    rehearsals,
    scheduled,
    texts,
)
from telephony.services import carrier as carriers
from telephony.tables import table_of
from telephony.tests.calls import make_call, make_turn
from tests.people import Tenant, join
from tests.test_roles import CHANGING, ROUTES, name_of
from voiceops.isolation.routes import Kind
from voiceops.isolation.tenants import DOMAIN

# Why these leave no entry. Under /api and, for the older families, without it.
NO_ENTRY = {
    "POST prompts/preview": "shows what a text would become",
    "POST voice-agents/variables": "shows what a form would need",
    "POST message-agents/variables": "shows what a form would need",
    "POST message-agents/<>/test": "a conversation that is nowhere kept",
    "POST settings/language-model/test": "a question that changes nothing",
    "POST voice-agents/<>/test": "a test call; it is in the list of calls",
    "POST voice-agents/<>/rehearse": "runs of tests; they are in their list",
    "POST api/agents/<>/rehearse": "runs of tests; they are in their list",
    "POST test-scripts/<>/run": "a run of a test; it is in its list",
    "POST api/test-scripts/<>/run": "a run of a test; it is in its list",
    "POST calls/new": "a call, and it says who placed it",
    "POST api/calls": "a call, and it says who placed it",
    "POST calls/<>/hang-up": "the call says who ended it",
    "POST api/calls/<>/hangup": "the call says who ended it",
    "POST calls/<>/take-part": "the call says who took part, and how",
    "POST api/calls/<>/say": "the call says who took part, and how",
    "POST api/calls/<>/whisper": "the call says who took part, and how",
    "POST api/calls/<>/transfer": "the call says who took part, and how",
    "POST api/messages": "a text, and it says who sent it",
    "POST inbox/new": "a text, and it says who sent it",
    "POST texts/<>/repeat": "a text, and it says who sent it",
    "POST inbox/<>/notes": "a note, and it says who wrote it",
    "POST texts/<>/cancel": "the text says that it was canceled",
    "POST inbox/<>/read": "somebody has looked at it",
    "POST inbox/size": "shows what a text would cost",
    "POST calls/<>/settle": "the call says who settled it, and why",
    "POST alerts/preview": "shows how often an alert would have fired",
    "POST alerts/<>/test": "tells those whom the alert would tell",
    "POST api/alerts/<>/test": "tells those whom the alert would tell",
    "POST settings/webhooks/<>/test": "a delivery; it is in the webhook's list",
    "POST api/webhooks/<>/test": "a delivery; it is in the webhook's list",
    "POST settings/webhooks/<>/replay-dead": "deliveries that are tried again",
    "POST api/webhooks/<>/replay-dead": "deliveries that are tried again",
    "POST settings/webhooks/<>/deliveries/<>/replay": "a delivery tried again",
    "POST api/webhooks/<>/deliveries/<>/replay": "a delivery tried again",
    "POST calls/<>/analyze": "the same analysis of a call again; it is on its page",
    "POST api/calls/<>/analyze": "the same analysis of a call again",
    "POST settings/profile": "one's own name and time zone",
    "POST settings/account/delete": "one's own account",
    "POST settings/account/export": "one's own data, downloaded",
    "POST settings/workspaces/switch": "where one works; kept in the browser",
    "POST api/prompts/<>/preview": "shows what a text would become",
    "POST api/auth/logout": "one's own log-out",
}


@dataclass
class World:
    """Alice's workspace with one of everything, and the ids of its rows."""

    alice: Tenant
    login: object
    ids: dict[str, uuid.UUID]
    agent: VoiceAgent
    texting_agent: MessageAgent
    caller: VoiceAgent
    bob: Tenant

    def path(self, route) -> str:
        """The route's path, filled with the id of what it is about."""
        name = name_of(route).removeprefix("api/")
        fitting = [key for key in self.ids if name.startswith(key)]
        return route.path(str(self.ids[fitting[0]]) if fitting else "")

    def account(self):
        """What connects one more carrier account, as a form or a body."""
        return {
            "label": "Second",
            "account_sid": self.login.sid,
            "auth_token": self.login.auth_token,
            "calls_per_second": 1,
            "max_concurrent_calls": 10,
        }

    def changed_account(self):
        stored = CarrierAccount.unscoped.get(pk=self.ids["carrier-accounts"])
        return self.account() | {
            "label": "Other",
            "account_sid": stored.account_sid,
            "auth_token": stored.auth_token,
        }

    def number(self):
        first = CarrierAccount.unscoped.get(pk=self.ids["carrier-accounts"])
        (free, *_) = carriers.available_numbers(first)
        account = str(first.pk)
        return {
            "number": free.number,
            "label": "",
            "carrier_account": account,
            "carrier_account_id": account,
        }

    def number_by_api(self):
        number = self.number()
        del number["carrier_account"]
        return number

    def changed_agent(self):
        return form_data(self.agent, name="Other", instructions="Be brief.")

    def changed_texting_agent(self):
        return texting_form_data(self.texting_agent, name="Other")

    def scheduled(self):
        return {
            "agent": str(self.caller.pk),
            "to_number": "+16285550143",
            "scheduled_for": "2130-01-10T12:00",
            "max_attempts": "3",
            "retry_delay_minutes": "30",
        }

    def scheduled_by_api(self):
        return {
            "agent_id": str(self.caller.pk),
            "to": "+16285550143",
            "scheduled_for": "2130-01-10T20:00:00Z",
        }

    def recurring(self):
        return {
            "agent": str(self.caller.pk),
            "to_number": "+16285550143",
            "frequency": "weekly",
            "every": "1",
            "days": ["mon"],
            "month_on": "1",
            "time": "09:00",
            "timezone": "UTC",
            "starts_on": "2130-01-10",
            "max_attempts": "3",
        }

    def recurring_by_api(self):
        return {
            "agent_id": str(self.caller.pk),
            "to": "+16285550143",
            "time": "09:00",
            "timezone": "UTC",
            "starts_on": "2130-01-10",
        }

    def campaign(self):
        return {
            "name": "Recall",
            "agent": str(self.caller.pk),
            "max_attempts": "3",
            "file": SimpleUploadedFile("list.csv", LIST.encode()),
        }

    def changed_campaign(self):
        return {"name": "Other", "agent": str(self.caller.pk), "max_attempts": "2"}

    def campaign_by_api(self):
        return {"name": "Recall", "agent_id": str(self.caller.pk), "file": LIST}

    def new_test_script(self):
        return TEST_SCRIPT | {"agent_id": str(self.agent.pk)}

    # What has to be done first, so that there is something to change.

    def start_campaign(self):
        campaigns.start(Campaign.unscoped.get(), by=None)

    def pause_campaign(self):
        self.start_campaign()
        campaigns.pause(Campaign.unscoped.get(), by=None)

    def reach_nobody(self):
        self.start_campaign()
        ScheduledCall.unscoped.filter(campaign__isnull=False).update(status="busy")

    def activate(self):
        agents.activate(self.agent)
        agents.activate(self.texting_agent)

    def own_name(self):
        return {"name": self.alice.workspace.name}

    def plan_deletion(self):
        by = Membership.objects.get(user=self.alice.user)
        leaving.plan(by.workspace, by=by, typed=by.workspace.name)

    def set_budget(self):
        terms = {"currency": "USD", "warn_percent": 50, "stops_outgoing": True}
        budgets.save(self.alice.workspace, amount=9, **terms)

    def connect_model(self):
        agents.connect_model(self.alice.workspace, **MODEL | {"model": "first"})

    def disable(self):
        hooks.disable(Endpoint.unscoped.get())

    def change_token(self):
        """As after a new one was stored a moment ago."""
        tomorrow = now() + timedelta(days=1)
        CarrierAccount.unscoped.update(
            old_auth_token="the one before", old_auth_token_until=tomorrow
        )

    def free(self):
        """Take the number off its account."""
        carriers.remove_phone(self.agent.phone)

    def take_over(self):
        """The conversation, where an agent is active that can have it back."""
        agents.activate(self.texting_agent)
        conversation = Conversation.unscoped.get()
        conversations.take_over(conversation)

    def to_bob(self):
        return {"user": str(self.bob.user.pk)}

    def labelled(self):
        return {"labels": [str(self.ids["inbox/labels"])]}

    def close(self):
        conversations.close(Conversation.unscoped.get(), at=now())

    def pause(self):
        row = RecurringCall.unscoped.get()
        recurring.pause(row, at=now())

    def second_version(self):
        prompt = Prompt.unscoped.get(pk=self.ids["prompts"])
        agents.save_prompt(
            owner=self.alice.workspace,
            prompt=prompt,
            name=prompt.name,
            text="Newer",
            note="",
            author=None,
        )

    def mute(self):
        alerts.mute(Alert.unscoped.get(), until=datetime(2130, 1, 9, 20, tzinfo=UTC))

    def switch_alert_off(self):
        alerts.deactivate(Alert.unscoped.get())

    def wait(self):
        Invitation.unscoped.update(sent_at=None)


CANNED = {"name": "Hello", "text": "Hello!"}
LIST = "to,name\n+16285550144,Ada\n"
AGENT = {"name": "Other", "instructions": "Be brief."}
WEBHOOK = {
    "url": "https://hooks.example.com/in",
    "description": "The CRM",
    "events": ["call.ended"],
}
TOOL = {
    "name": "other",
    "description": "Finds something.",
    "method": "GET",
    "url": f"https://{DOMAIN}/",  # nobody can have it (RFC 2606)
}
ALERT = {
    "name": "Calls fail",
    "metric": "failure_rate",
    "threshold": "12.5",
    "window_minutes": 60,
    "minimum_calls": 3,
}
ALERT_FORM = ALERT | {"threshold": "20", "mail_to": "admins"}
# As its page sends it, with no row of parameters and headers filled in.
TOOL_PAGE = TOOL | {
    "timeout_s": "5",
    "described_as": "rows",
    **dict.fromkeys(("parameter-TOTAL_FORMS", "parameter-INITIAL_FORMS"), "0"),
    **dict.fromkeys(("header-TOTAL_FORMS", "header-INITIAL_FORMS"), "0"),
}
CONTACT = {"name": "Ada", "call_consent": "given", "text_consent": "unknown"}
TEST_SCRIPT = {
    "name": "Other",
    "caller": "patient",
    "turns": [{"say": "Hello"}, {"say": "Goodbye"}],
}
# As its page sends it.
TEST_SCRIPT_PAGE = {
    "name": "Other",
    "caller": "patient",
    **dict.fromkeys(("turn-TOTAL_FORMS", "turn-INITIAL_FORMS"), "1"),
    "turn-0-kind": "say",
    "turn-0-text": "Hello",
    **dict.fromkeys(("expectation-TOTAL_FORMS", "expectation-INITIAL_FORMS"), "0"),
    **dict.fromkeys(("answer-TOTAL_FORMS", "answer-INITIAL_FORMS"), "0"),
}
MODEL = {"base_url": f"https://{DOMAIN}/v1", "model": "other", "api_key": "k"}
BUDGET = {"amount": "250", "currency": "USD", "warn_percent": 80}
PROMPT = {"name": "Other", "text": "Other", "version": 1, "seen": []}
# Verb and route: what is sent, what is done before, the entry that it leaves.
ENTRIES = {
    "POST prompts/new": (PROMPT, None, "created prompt"),
    "POST prompts/<>": (PROMPT, None, "changed prompt"),
    "POST prompts/<>/versions/<>/restore": (
        {"based_on": 2},
        World.second_version,
        "restored prompt",
    ),
    "POST prompts/<>/delete": ({}, None, "deleted prompt"),
    "POST tools/new": (TOOL_PAGE, None, "created tool"),
    "POST tools/<>": (TOOL_PAGE, None, "changed tool"),
    "POST tools/<>/test": ({}, None, "tested tool"),
    "POST tools/<>/delete": ({}, None, "deleted tool"),
    "POST api/tools": (TOOL, None, "created tool"),
    "PUT api/tools/<>": (TOOL, None, "changed tool"),
    "PATCH api/tools/<>": ({"name": "other"}, None, "changed tool"),
    "DELETE api/tools/<>": ({}, None, "deleted tool"),
    "POST api/tools/<>/test": ({}, None, "tested tool"),
    "POST voice-agents/<>/test-scripts/new": (
        TEST_SCRIPT_PAGE,
        None,
        "created test_script",
    ),
    "POST test-scripts/<>": (TEST_SCRIPT_PAGE, None, "changed test_script"),
    "POST test-scripts/<>/delete": ({}, None, "deleted test_script"),
    "POST calls/<>/make-test": ({}, None, "created test_script"),
    "POST api/calls/<>/test-script": ({}, None, "created test_script"),
    "POST api/test-scripts": (World.new_test_script, None, "created test_script"),
    "PUT api/test-scripts/<>": (World.new_test_script, None, "changed test_script"),
    "PATCH api/test-scripts/<>": ({"name": "Other"}, None, "changed test_script"),
    "DELETE api/test-scripts/<>": ({}, None, "deleted test_script"),
    "POST voice-agents/new": (
        {"name": "New", "direction": "incoming", "instructions": "Be brief."},
        None,
        "created voice_agent",
    ),
    "POST voice-agents/<>": (World.changed_agent, None, "changed voice_agent"),
    "POST voice-agents/<>/activate": ({}, None, "activated voice_agent"),
    "POST voice-agents/<>/deactivate": (
        {},
        World.activate,
        "deactivated voice_agent",
    ),
    "POST voice-agents/<>/duplicate": ({}, None, "created voice_agent"),
    "POST voice-agents/<>/delete": ({}, None, "deleted voice_agent"),
    "POST message-agents/new": (
        {"name": "New", "instructions": "Be brief."},
        None,
        "created message_agent",
    ),
    "POST message-agents/<>": (
        World.changed_texting_agent,
        None,
        "changed message_agent",
    ),
    "POST message-agents/<>/activate": ({}, None, "activated message_agent"),
    "POST message-agents/<>/deactivate": (
        {},
        World.activate,
        "deactivated message_agent",
    ),
    "POST message-agents/<>/duplicate": ({}, None, "created message_agent"),
    "POST message-agents/<>/delete": ({}, None, "deleted message_agent"),
    "POST carrier-accounts/new": (World.account, None, "created carrier_account"),
    "POST carrier-accounts/<>": (
        World.changed_account,
        None,
        "changed carrier_account",
    ),
    "POST carrier-accounts/<>/end-token-change": (
        {},
        World.change_token,
        "changed carrier_account",
    ),
    "POST carrier-accounts/<>/delete": ({}, World.free, "deleted carrier_account"),
    "POST numbers/new": (World.number, None, "created phone"),
    "POST numbers/<>": ({"label": "Other"}, None, "changed phone"),
    "POST numbers/<>/point": ({}, None, "pointed phone"),
    "POST numbers/<>/delete": ({}, None, "deleted phone"),
    "POST settings/webhooks/new": (WEBHOOK, None, "created webhook"),
    "POST settings/webhooks/<>": (WEBHOOK, None, "changed webhook"),
    "POST settings/webhooks/<>/rotate-secret": ({}, None, "changed webhook"),
    "POST settings/webhooks/<>/disable": ({}, None, "deactivated webhook"),
    "POST settings/webhooks/<>/enable": (
        {},
        World.disable,
        "activated webhook",
    ),
    "POST settings/webhooks/<>/delete": ({}, None, "deleted webhook"),
    "POST api/webhooks": (WEBHOOK, None, "created webhook"),
    "PUT api/webhooks/<>": (WEBHOOK, None, "changed webhook"),
    "PATCH api/webhooks/<>": (WEBHOOK, None, "changed webhook"),
    "DELETE api/webhooks/<>": ({}, None, "deleted webhook"),
    "POST api/webhooks/<>/rotate-secret": ({}, None, "changed webhook"),
    "POST people/new": (
        CONTACT | {"number": "+12025550199"},
        None,
        "created contact",
    ),
    "POST people/<>/change": (CONTACT, None, "changed contact"),
    "POST people/<>/delete": ({}, None, "deleted contact"),
    "POST do-not-contact/new": (
        {"number": "+12025550199", "reason": "Asked"},
        None,
        "created do_not_contact",
    ),
    "POST do-not-contact/<>/delete": (
        {"reason": "Asked"},
        None,
        "deleted do_not_contact",
    ),
    "POST settings/language-model": (MODEL, None, "created language_model"),
    "POST settings/language-model/disconnect": (
        {},
        World.connect_model,
        "deleted language_model",
    ),
    "PUT api/language-model": (MODEL, World.connect_model, "changed language_model"),
    "DELETE api/language-model": ({}, World.connect_model, "deleted language_model"),
    "POST settings/budget": (BUDGET, None, "created budget"),
    "POST settings/budget/remove": ({}, World.set_budget, "deleted budget"),
    "PUT api/budget": (BUDGET, World.set_budget, "changed budget"),
    "DELETE api/budget": ({}, World.set_budget, "deleted budget"),
    "POST settings/data": ({"event_days": "30"}, None, "created retention"),
    "POST settings/data/delete": (World.own_name, None, "deleted workspace"),
    "POST settings/data/keep": ({}, World.plan_deletion, "restored workspace"),
    "POST settings/data/export": ({}, None, "created export"),
    "POST settings/data/forget": (
        {"number": "+12025550199", "confirmed": "1"},
        None,
        "created erasure",
    ),
    "POST api/erasures": ({"number": "+12025550199"}, None, "created erasure"),
    "POST api/exports": ({}, None, "created export"),
    "PUT api/retention": ({"event_days": 30}, None, "created retention"),
    "POST calling-rules": (
        {"window_start": "09:00", "window_end": "18:00", "window_days": ["mon"]},
        None,
        "changed calling_rules",
    ),
    "PUT api/calling-rules": (
        {"window_start": "09:00"},
        None,
        "changed calling_rules",
    ),
    "PATCH api/calling-rules": (
        {"window_start": "09:00"},
        None,
        "changed calling_rules",
    ),
    "POST scheduled-calls/new": (World.scheduled, None, "created scheduled_call"),
    "POST scheduled-calls/<>/change": (
        World.scheduled,
        None,
        "changed scheduled_call",
    ),
    "POST scheduled-calls/<>/cancel": ({}, None, "canceled scheduled_call"),
    "POST api/scheduled-calls": (
        World.scheduled_by_api,
        None,
        "created scheduled_call",
    ),
    "PUT api/scheduled-calls/<>": (
        World.scheduled_by_api,
        None,
        "changed scheduled_call",
    ),
    "DELETE api/scheduled-calls/<>": ({}, None, "canceled scheduled_call"),
    "POST recurring-calls/new": (World.recurring, None, "created recurring_call"),
    "POST recurring-calls/<>/change": (
        World.recurring,
        None,
        "changed recurring_call",
    ),
    "POST recurring-calls/<>/pause": ({}, None, "paused recurring_call"),
    "POST recurring-calls/<>/resume": ({}, World.pause, "resumed recurring_call"),
    "POST recurring-calls/<>/delete": ({}, None, "deleted recurring_call"),
    "POST api/recurring-calls": (
        World.recurring_by_api,
        None,
        "created recurring_call",
    ),
    "PUT api/recurring-calls/<>": (
        World.recurring_by_api,
        None,
        "changed recurring_call",
    ),
    "POST api/recurring-calls/<>/pause": ({}, None, "paused recurring_call"),
    "POST api/recurring-calls/<>/resume": (
        {},
        World.pause,
        "resumed recurring_call",
    ),
    "DELETE api/recurring-calls/<>": ({}, None, "deleted recurring_call"),
    "POST campaigns/new": (World.campaign, None, "created campaign"),
    "POST campaigns/<>/change": (World.changed_campaign, None, "changed campaign"),
    "POST campaigns/<>/columns": (
        {"to": "0", "timezone": "1"},
        None,
        "changed campaign",
    ),
    "POST campaigns/<>/start": ({}, None, "activated campaign"),
    "POST campaigns/<>/pause": ({}, World.start_campaign, "paused campaign"),
    "POST campaigns/<>/resume": ({}, World.pause_campaign, "resumed campaign"),
    "POST campaigns/<>/cancel": ({}, None, "canceled campaign"),
    "POST campaigns/<>/redial": (
        {"statuses": ["busy"]},
        World.reach_nobody,
        "created campaign",
    ),
    "POST campaigns/<>/delete": ({}, None, "deleted campaign"),
    "POST api/campaigns": (World.campaign_by_api, None, "created campaign"),
    "PATCH api/campaigns/<>": ({"name": "Other"}, None, "changed campaign"),
    "POST api/campaigns/<>/file": ({"file": LIST}, None, "changed campaign"),
    "DELETE api/campaigns/<>": ({}, None, "deleted campaign"),
    "POST api/campaigns/<>/start": ({}, None, "activated campaign"),
    "POST api/campaigns/<>/pause": ({}, World.start_campaign, "paused campaign"),
    "POST api/campaigns/<>/resume": ({}, World.pause_campaign, "resumed campaign"),
    "POST api/campaigns/<>/cancel": ({}, None, "canceled campaign"),
    "POST api/campaigns/<>/redial": (
        {"statuses": ["busy"]},
        World.reach_nobody,
        "created campaign",
    ),
    "POST api/contacts": ({"number": "+12025550199"}, None, "created contact"),
    "PUT api/contacts/<>": (
        {"number": "+12025550197", "name": "Ada"},
        None,
        "changed contact",
    ),
    "PATCH api/contacts/<>": ({"name": "Ada"}, None, "changed contact"),
    "DELETE api/contacts/<>": ({}, None, "deleted contact"),
    "POST api/do-not-contact": (
        {"number": "+12025550199"},
        None,
        "created do_not_contact",
    ),
    "DELETE api/do-not-contact/<>": ({}, None, "deleted do_not_contact"),
    "POST deleted/<>/restore": ({}, None, "restored voice_agent"),
    "POST api/deleted/<>/restore": ({}, None, "restored voice_agent"),
    "POST api-keys": (
        {"name": "New", "scopes": ["read"], "lifetime_days": "30"},
        None,
        "created api_key",
    ),
    "POST api-keys/<>/revoke": ({}, None, "revoked api_key"),
    "POST settings/workspace": (
        {"name": "Other", "timezone": "UTC"},
        None,
        "changed workspace",
    ),
    "POST settings/workspaces/new": (
        {"name": "New", "timezone": "UTC"},
        None,
        "created workspace",
    ),
    "POST settings/workspace/leave": ({}, "as bob", "left member"),
    "POST settings/members": (
        {"email": "carol@example.com", "role": "member"},
        None,
        "invited invitation",
    ),
    "POST settings/members/<>/role": ({"role": "admin"}, None, "changed member"),
    "POST settings/members/<>/remove": ({}, None, "removed member"),
    "POST settings/members/<>/make-owner": ({}, None, "made_owner member"),
    "POST settings/invitations/<>/resend": ({}, World.wait, "resent invitation"),
    "POST settings/invitations/<>/revoke": ({}, None, "revoked invitation"),
    "POST api/agents": (AGENT, None, "created voice_agent"),
    "PUT api/agents/<>": (AGENT, None, "changed voice_agent"),
    "PATCH api/agents/<>": ({"name": "Other"}, None, "changed voice_agent"),
    "DELETE api/agents/<>": ({}, None, "deleted voice_agent"),
    "POST api/agents/<>/activate": ({}, None, "activated voice_agent"),
    "POST api/agents/<>/deactivate": (
        {},
        World.activate,
        "deactivated voice_agent",
    ),
    "POST api/messages/conversations/<>/takeover": (
        {},
        None,
        "taken_over conversation",
    ),
    "POST api/messages/conversations/<>/release": (
        {},
        World.take_over,
        "released conversation",
    ),
    "POST api/messages/conversations/<>/close": ({}, None, "closed conversation"),
    "POST inbox/<>/take-over": ({}, None, "taken_over conversation"),
    "POST inbox/<>/reply": (
        {"body": "Hello", "takes_over": "1"},
        None,
        "taken_over conversation",
    ),
    "POST inbox/<>/release": ({}, World.take_over, "released conversation"),
    "POST inbox/<>/close": ({}, None, "closed conversation"),
    "POST inbox/<>/reopen": ({}, World.close, "changed conversation"),
    "POST inbox/<>/assign": (World.to_bob, None, "changed conversation"),
    "POST inbox/<>/labels": (World.labelled, None, "changed conversation"),
    "POST inbox/<>/snooze": ({"when": "hour"}, None, "changed conversation"),
    "POST inbox/labels": ({"name": "VIP"}, None, "created label"),
    "POST inbox/labels/<>": ({"name": "VIP"}, None, "changed label"),
    "POST inbox/labels/<>/delete": ({}, None, "deleted label"),
    "POST inbox/canned-replies": (CANNED, None, "created canned_reply"),
    "POST inbox/canned-replies/<>": (CANNED, None, "changed canned_reply"),
    "POST inbox/canned-replies/<>/delete": ({}, None, "deleted canned_reply"),
    "POST api/message-agents": (AGENT, None, "created message_agent"),
    "PUT api/message-agents/<>": (AGENT, None, "changed message_agent"),
    "PATCH api/message-agents/<>": (AGENT, None, "changed message_agent"),
    "DELETE api/message-agents/<>": ({}, None, "deleted message_agent"),
    "POST api/message-agents/<>/activate": ({}, None, "activated message_agent"),
    "POST api/message-agents/<>/deactivate": (
        {},
        World.activate,
        "deactivated message_agent",
    ),
    "POST alerts/new": (ALERT_FORM, None, "created alert"),
    "POST alerts/suggested": ({"metric": "spend"}, None, "created alert"),
    "POST alerts/<>/change": (ALERT_FORM, None, "changed alert"),
    "POST alerts/<>/mute": ({"minutes": "60"}, None, "paused alert"),
    "POST alerts/<>/unmute": ({}, World.mute, "resumed alert"),
    "POST alerts/<>/deactivate": ({}, None, "deactivated alert"),
    "POST alerts/<>/activate": ({}, World.switch_alert_off, "activated alert"),
    "POST alerts/<>/delete": ({}, None, "deleted alert"),
    "POST api/alerts": (ALERT, None, "created alert"),
    "PUT api/alerts/<>": (ALERT | {"name": "Other"}, None, "changed alert"),
    "PATCH api/alerts/<>": ({"name": "Other"}, None, "changed alert"),
    "DELETE api/alerts/<>": ({}, None, "deleted alert"),
    "POST api/prompts": ({"name": "New", "text": "Hi"}, None, "created prompt"),
    "PUT api/prompts/<>": ({"name": "New", "text": "Hi"}, None, "changed prompt"),
    "PATCH api/prompts/<>": ({"name": "Other"}, None, "changed prompt"),
    "DELETE api/prompts/<>": ({}, None, "deleted prompt"),
    "POST api/carrier-accounts": (World.account, None, "created carrier_account"),
    "PUT api/carrier-accounts/<>": (
        {"label": "Other"},
        None,
        "changed carrier_account",
    ),
    "POST api/carrier-accounts/<>/end-token-change": (
        {},
        World.change_token,
        "changed carrier_account",
    ),
    "DELETE api/carrier-accounts/<>": ({}, World.free, "deleted carrier_account"),
    "POST api/phones": (World.number_by_api, None, "created phone"),
    "PUT api/phones/<>": ({"label": "Other"}, None, "changed phone"),
    "DELETE api/phones/<>": ({}, None, "deleted phone"),
    "POST api/api-keys": (
        {"name": "New", "scopes": ["read"]},
        None,
        "created api_key",
    ),
    "DELETE api/api-keys/<>": ({}, None, "revoked api_key"),
    "PATCH api/members/<>": ({"role": "admin"}, None, "changed member"),
    "DELETE api/members/<>": ({}, None, "removed member"),
    "POST api/invitations": (
        {"email": "carol@example.com", "role": "member"},
        None,
        "invited invitation",
    ),
    "DELETE api/invitations/<>": ({}, None, "revoked invitation"),
    "POST api/invitations/<>/resend": ({}, World.wait, "resent invitation"),
    "DELETE api/auth/sessions/<>": ({}, None, "login_revoked person"),
}
CANONICAL = [
    route
    for route in ROUTES
    if route.kind == Kind.PAGE or route.template.startswith("api/")
]
BY_NAME = {name_of(route): route for route in CANONICAL}


@pytest.fixture
def world(alice, carrier):
    owner = alice.workspace
    login, other = carrier.open_account(count=2), carrier.open_account()
    account = carriers.connect_account(
        owner=owner, label="Main", account_sid=login.sid, auth_token=login.auth_token
    )
    phone = carriers.register_phone(
        owner=owner, number=login.numbers[0], account=account
    )
    prompt = agents.save_prompt(
        owner=owner, prompt=None, name="Greeter", text="Hi", note="", author=None
    )
    given = {"owner": owner, "phone": phone, "instructions": "Be kind."}
    agent = agents.save_agent(VoiceAgent(name="Reception", **given))
    texting_agent = agents.save_agent(MessageAgent(name="Desk", **given))
    key, _secret = services.issue_api_key(
        owner=owner, user=alice.user, name="Zapier", scopes=["read"]
    )
    services.issue_login_token(alice.user)
    bob = join(alice, "bob", "member")
    by = Membership.objects.get(workspace=owner, user=alice.user)
    invitation = invitations.invite(email="dan@example.com", role="member", by=by)
    membership = Membership.objects.get(user=bob.user)
    log_in = AccessToken.unscoped.get(kind="login")
    unwanted = do_not_contact.add(owner=owner, number="+12025550198")
    known = contacts.save(Contact(owner=owner, number="+12025550197"), at=now())
    hook = Endpoint.unscoped.create(owner=owner, url="https://hooks.example.com/")
    tool = agents.save_tool(Tool(owner=owner, **TOOL | {"name": "find_order"}))
    caller = VoiceAgent(name="Caller", direction="outgoing", **given)
    agents.activate(agents.save_agent(caller))
    later = ScheduledCall(
        owner=owner,
        agent=caller,
        to_number="+16285550142",
        scheduled_for=datetime(2130, 1, 9, 20, tzinfo=UTC),
    )
    scheduled.schedule(later, by=alice.user, at=now())
    again = RecurringCall(
        owner=owner,
        agent=caller,
        to_number="+16285550142",
        time=time(9),
        timezone="UTC",
        starts_on=date(2130, 1, 9),
    )
    recurring.create(again, by=alice.user, at=now())
    recall = campaigns.create(
        Campaign(owner=owner, agent=caller, name="Recall"),
        file_name="list.csv",
        table=table_of(LIST),
        by=alice.user,
    )
    campaigns.map_columns(recall, recall.mapping)
    text = texts.receive(
        phone,
        sid=f"SM{'0' * 32}",
        address="+16285550142",
        to_address=phone.number,
        body="Hello",
        media=[],
        at=now(),
    )
    Conversation.unscoped.update(mode="agent", need="")  # no agent is active here yet
    gone = agents.save_agent(VoiceAgent(name="Gone", **given))
    agents.delete_agent(gone)
    alert = alerts.save(Alert(owner=owner, **ALERT))
    ids = {
        "prompts": prompt.pk,
        "voice-agents": agent.pk,
        "agents": agent.pk,
        "message-agents": texting_agent.pk,
        "carrier-accounts": account.pk,
        "numbers": phone.pk,
        "phones": phone.pk,
        "api-keys": key.pk,
        "settings/members": membership.pk,
        "members": membership.pk,
        "settings/invitations": invitation.pk,
        "invitations": invitation.pk,
        "auth/sessions": log_in.pk,
        "people": known.number,
        "contacts": known.pk,
        "do-not-contact": unwanted.pk,
        "scheduled-calls": later.pk,
        "recurring-calls": again.pk,
        "campaigns": recall.pk,
        "settings/webhooks": hook.pk,
        "webhooks": hook.pk,
        "deleted": gone.pk,
        "alerts": alert.pk,
        "tools": tool.pk,
        "test-scripts": _script(agent).pk,
        "calls": _call(agent).pk,
        "messages/conversations": text.conversation_id,
        "inbox/labels": _word(Label(owner=owner, name="Late")),
        "inbox/canned-replies": _word(CannedReply(owner=owner, name="Bye", text="Bye")),
        "inbox": text.conversation_id,
        "texts": text.pk,
    }
    return World(alice, other, ids, agent, texting_agent, caller, bob)


def _word(row):
    inbox_words.save(row)
    return row.pk


def _script(agent):
    script = TestScript(owner=agent.owner, agent=agent, name="One", caller="silent")
    return rehearsals.save_script(script)


def _call(agent):
    call = make_call(agent.owner, agent=agent)
    make_turn(call, 1, "Hello")
    return call


@pytest.mark.parametrize("write", ENTRIES)
def test_a_write_leaves_an_entry(write, world):
    verb, name = write.split()
    route = BY_NAME[name]
    given, prepare, told = ENTRIES[write]
    body = given(world) if callable(given) else given
    who = world.bob if prepare == "as bob" else world.alice
    if callable(prepare):
        prepare(world)
    before = set(AuditEntry.unscoped.values_list("pk", flat=True))

    if route.kind == Kind.API:
        answer = who.api(verb, world.path(route), body)
    else:
        answer = who.client.post(world.path(route), body)

    assert answer.status_code < 400, answer.content.decode()
    left = AuditEntry.unscoped.exclude(pk__in=before)
    assert told in {f"{entry.action} {entry.kind}" for entry in left}
    assert {entry.user_id for entry in left} == {who.user.pk}
    assert {entry.source for entry in left} == {
        "api_login" if route.kind == Kind.API else "page"
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_a_route_that_takes_changes_is_in_one_of_the_tables(name, alice):
    route = BY_NAME[name]
    path = route.path(str(uuid.uuid4()))
    verbs = CHANGING if route.kind == Kind.API else ("POST",)
    for verb in verbs:
        cache.clear()
        if route.kind == Kind.API:
            status = alice.api(verb, path, {}).status_code
        else:
            status = alice.client.post(path).status_code
        is_told = f"{verb} {name}" in ENTRIES or f"{verb} {name}" in NO_ENTRY
        assert (status == 405) != is_told, f"{verb} {name}: {status}"


def test_the_tables_name_routes_that_exist():
    told = {write.split()[1] for write in [*ENTRIES, *NO_ENTRY]}

    assert told - set(BY_NAME) == set()
