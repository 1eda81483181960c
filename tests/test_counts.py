"""Nobody counts without end: what is not in the table below counts 10,000 at most."""

import ast
import re
from pathlib import Path

from django.contrib import admin

from voiceops.paging import MOST_COUNTED, CappedPaginator, FirstPages, counted

ROOT = Path(__file__).resolve().parents[1]
APPS = ("accounts", "alerts", "agents", "analytics", "hooks", "privacy", "telephony")
APPS += ("voiceops",)

CAMPAIGN = "a campaign has 50,000 contacts at most, and its page tells each number"
LIMITED = "it asks whether a limit is reached, which it is long before"
SETUP = "of what people set up by hand"
BOUNDED = {
    "accounts/invitations.py _refuse_full": LIMITED,
    "accounts/invitations.py _refuse_unless_invitable": LIMITED,
    "accounts/members.py of_workspace": SETUP,
    "agents/views/prompts.py _living": SETUP,
    "alerts/services.py save": LIMITED,
    "analytics/rebuilding.py left_to_count": "of days; for one who watches a command",
    "analytics/tallies.py _ends": "the rows of one day, by nobody who waits",
    "analytics/tallies.py _texts": "the rows of one day, by nobody who waits",
    "hooks/services.py save_endpoint": LIMITED,
    "telephony/services/answering.py _looks_like_machine": LIMITED,
    "telephony/services/call_texts.py send": LIMITED,
    "telephony/services/campaign_turns.py tally_of": "of one campaign's last minutes",
    "telephony/services/campaigns.py _again": SETUP,
    "telephony/services/campaigns.py counts": CAMPAIGN,
    "telephony/services/campaigns.py redial": CAMPAIGN,
    "telephony/services/carrier.py _refuse_too_many": SETUP,
    "telephony/services/dialling.py _in_use": "an account has a number of lines",
    "telephony/services/facts.py note": LIMITED,
    "telephony/services/inbox_words.py save": LIMITED,
    "telephony/services/rehearsals.py save_script": LIMITED,
    "telephony/services/rehearsing.py _begin": LIMITED,
    "telephony/services/scheduled.py _deserves_another": LIMITED,
    "telephony/services/taking_part.py ask": LIMITED,
    "telephony/services/text_tools.py _begin": "of one answer's uses of tools",
    "telephony/session.py _is_transfer_no_use": LIMITED,
    "telephony/views/campaigns.py _by_kind": CAMPAIGN,
    "telephony/views/carrier_accounts.py carrier_account_list": SETUP,
    "voiceops/claims.py claim": "of what workers have in hand",
}


def counts_in(path):
    """The functions that count rows and do not say how many at most."""
    text = path.read_text()
    if not re.search(r"\ba?count\(\)|\bCount\(|\bPaginator\(", text):
        return
    tree = ast.parse(text)
    aggregates = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.db.models"
        for name in node.names
        if name.name == "Count"
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
            if any(is_open(call, aggregates) for call in calls):
                yield f"{path.relative_to(ROOT)} {function.name}"


def is_open(call, aggregates):
    match call:
        case ast.Call(ast.Attribute(rows, "count" | "acount"), [], []):
            return not isinstance(rows, ast.Subscript)
        case ast.Call(ast.Name(name)):
            return name in aggregates or name == "Paginator"
    return False


def test_every_count_without_end_is_known_to_be_small():
    found = {
        function
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if not {"tests", "migrations"} & set(path.parts)
        for function in counts_in(path)
    }

    assert found == BOUNDED.keys()


def test_operators_lists_are_not_counted_to_their_end():
    for model_admin in admin.site._registry.values():
        assert issubclass(model_admin.paginator, FirstPages), model_admin
        assert not model_admin.show_full_result_count, model_admin


def test_counting_stops(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("voiceops.paging.MOST_COUNTED", 2)
    rows = type(alice.user).objects.order_by("name")
    for number in range(4):
        rows.model.objects.create_user(f"{number}@example.com")

    with django_assert_num_queries(2):
        assert counted(rows) == 3
        assert CappedPaginator(rows, 1).count == 2

    assert MOST_COUNTED == 10_000
