"""A workspace's own language model: by page and API, behind the guard, for it alone."""

import pytest
from django.db import connection
from django.urls import reverse

from accounts.models import AuditEntry
from agents import llm, services
from agents.models import LanguageModel
from tests.people import join
from tests.stub_llm import stub_llm, stub_llm_server

__all__ = ["stub_llm", "stub_llm_server"]

pytestmark = pytest.mark.django_db
PAGE = "/settings/language-model"
API = "/api/language-model"
KEY = "sk-very-secret"
OWN = {"base_url": "https://models.example.com/v1", "model": "small", "api_key": KEY}


@pytest.fixture
def endpoint(stub_llm, settings):
    """The address of a model that the operator lets workspaces reach."""
    settings.TOOL_ALLOWED_HOSTS = ["127.0.0.1"]
    return stub_llm.base_url


def connect(tenant, **changes):
    return services.connect_model(tenant.workspace, **(OWN | changes))


def label_of(tenant, model=""):
    return services.provider_of(tenant.workspace, model).label


def test_own_model_speaks_for_its_workspace_alone(alice, mallory, settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL = "https://ours.example/v1", "ours"
    connect(alice)

    assert label_of(alice) == "small at models.example.com"
    assert label_of(alice, "large") == "large at models.example.com"
    assert label_of(mallory) == "ours at ours.example"


def test_own_model_is_asked_with_its_key(alice, endpoint, stub_llm):
    stub_llm.configure(mode="script", replies=("Hello there!",))
    connect(alice, base_url=endpoint)

    trial = services.try_model(alice.workspace)

    assert trial.text == "Hello there!"
    (asked,) = stub_llm.requests
    assert asked["model"] == "small"


def test_inner_address_behind_a_name_is_sent_nothing(alice, stub_llm):
    address = stub_llm.base_url.replace("127.0.0.1", "localhost")
    connect(alice, base_url=address)

    with pytest.raises(llm.ModelFailed):
        services.try_model(alice.workspace)
    assert stub_llm.requests == []


@pytest.mark.parametrize("fault", ["307", "401", "500", "cut", "not-a-stream"])
def test_fault_of_the_endpoint_is_told_and_nobody_else_is_asked(
    fault, alice, endpoint, stub_llm, settings
):
    settings.LLM_FALLBACK_BASE_URL = endpoint
    stub_llm.configure(mode="fixed", faults=(fault,) * 2)
    connect(alice, base_url=endpoint)

    with pytest.raises(llm.ModelFailed):
        services.try_model(alice.workspace)
    assert {asked["model"] for asked in stub_llm.requests} == {"small"}


def test_clients_share_connections_and_no_keys(alice, endpoint):
    provider = services.provider_of(alice.workspace)
    connect(alice, base_url=endpoint)
    one = services.provider_of(alice.workspace)
    connect(alice, base_url=endpoint, api_key="sk-other")
    other = services.provider_of(alice.workspace)

    async def clients():
        return one._client(), other._client()

    first, second = llm.run(clients())
    assert provider.is_demo
    assert first._client is second._client
    assert (first.api_key, second.api_key) == (KEY, "sk-other")


def test_key_is_encrypted_and_masked(alice):
    own = connect(alice)

    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM agents_languagemodel")
        ((stored,),) = cursor.fetchall()
    assert KEY not in stored and own.api_key == KEY
    entry = AuditEntry.unscoped.get(kind="language_model")
    assert KEY not in str(entry.changes) and "api_key" in entry.changes


def test_stored_key_follows_to_no_other_host(alice):
    connect(alice)
    moved = {"base_url": "https://elsewhere.example.com/v1", "model": "small"}

    by_api = alice.api("PUT", API, moved)
    by_page = alice.client.post(PAGE, moved)

    assert (by_api.status_code, list(by_api.json()["errors"])) == (400, ["api_key"])
    assert by_page.status_code == 422
    assert "This is another host" in by_page.content.decode()
    assert LanguageModel.unscoped.get().base_url == OWN["base_url"]
    assert alice.api("PUT", API, moved | {"api_key": ""}).json()["has_api_key"] is False


def test_api_connects_reads_and_forgets(alice, settings):
    nobodys = alice.api("GET", API).json()
    put = alice.api("PUT", API, OWN)
    kept = alice.api("PUT", API, {"base_url": OWN["base_url"], "model": "large"})
    gone = alice.api("DELETE", API)

    assert nobodys["is_own"] is False and nobodys["base_url"] == ""
    assert put.json() == {
        "base_url": OWN["base_url"],
        "model": "small",
        "has_api_key": True,
        "is_own": True,
        "in_use": "small at models.example.com",
        "is_demo": False,
    }
    assert (kept.json()["model"], kept.json()["has_api_key"]) == ("large", True)
    assert (gone.status_code, alice.api("DELETE", API).status_code) == (204, 204)
    assert alice.api("GET", API).json() == nobodys


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "https://127.0.0.1/v1"}, "base_url"),
        ({"base_url": "https://169.254.169.254/v1"}, "base_url"),
        ({"base_url": "https://user:word@models.example.com/v1"}, "base_url"),
        ({"base_url": "https://models.example.com/v1?key=1"}, "base_url"),
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "https://models.example.com:25/v1"}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"model": ""}, "model"),
        ({"api_key": "two words"}, "api_key"),
        ({"api_key": "line\r\nHost: inner"}, "api_key"),
    ],
)
def test_what_cannot_be_asked_is_refused_beside_its_field(changes, field, alice):
    by_api = alice.api("PUT", API, OWN | changes)
    by_page = alice.client.post(PAGE, OWN | changes)

    assert (by_api.status_code, list(by_api.json()["errors"])) == (400, [field])
    assert (by_page.status_code, list(by_page.context["form"].errors)) == (422, [field])
    assert not LanguageModel.unscoped.exists()


def test_page_connects_tries_and_disconnects(alice, endpoint, stub_llm):
    stub_llm.configure(mode="script", replies=("Hi <b>you</b>",))
    form = {"base_url": endpoint, "model": "small", "api_key": KEY}

    saved = alice.client.post(PAGE, form, follow=True).content.decode()
    again = alice.client.post(PAGE, form | {"api_key": ""}, follow=True)
    tried = alice.client.post(f"{PAGE}/test", follow=True).content.decode()
    alice.client.post(f"{PAGE}/disconnect")

    assert "small at 127.0.0.1" in saved and KEY not in saved
    assert again.status_code == 200
    assert "Hi &lt;b&gt;you&lt;/b&gt;" in tried
    assert not LanguageModel.unscoped.exists()


def test_failing_test_says_why(alice, endpoint, stub_llm):
    stub_llm.configure(faults=("401",))
    connect(alice, base_url=endpoint)

    shown = alice.client.post(f"{PAGE}/test", follow=True).content.decode()

    assert "check its key and the model" in shown


def test_tests_are_counted(alice, limited):
    for _ in range(services.language_models.TESTS_A_MINUTE):
        services.try_model(alice.workspace)

    with pytest.raises(services.TooManyTests):
        services.try_model(alice.workspace)


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_only_those_who_manage_the_workspace_change_it(role, alice):
    connect(alice)
    bob = join(alice, "bob", role)

    page = bob.client.get(PAGE).content.decode()

    assert "small at models.example.com" in page and "<form" not in _main(page)
    assert bob.api("PUT", API, OWN).status_code == 403
    assert bob.api("DELETE", API).status_code == 403
    for path in (PAGE, f"{PAGE}/test", f"{PAGE}/disconnect"):
        assert bob.client.post(path, OWN).status_code == 403


def _main(page):
    return page[page.index("<main") : page.index("</main>")]


def test_list_of_agents_reads_the_model_once(alice, django_assert_max_num_queries):
    connect(alice)

    with django_assert_max_num_queries(20):
        shown = alice.client.get(reverse("agents:agent_list"))

    assert shown.context["provider"].label == "small at models.example.com"
