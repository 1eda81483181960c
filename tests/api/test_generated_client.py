"""A client that a generator made of the published schema drives the real API."""

import importlib
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings

from tests.people import PASSWORD

SCHEMA = settings.BASE_DIR / "docs" / "openapi.yaml"
# It would format what it made, with a ruff that it looks for on the PATH.
NO_HOOKS = "post_hooks: []\n"
# The generator has no name of its own for a sound, a picture or an archive: a file.
FILES = (
    "content_type_overrides:\n"
    "  audio/wav: application/octet-stream\n"
    "  image/*: application/octet-stream\n"
    "  application/zip: application/octet-stream\n"
)


@pytest.fixture(scope="session")
def client_package(tmp_path_factory):
    """The name under which the generated client can be imported."""
    directory = tmp_path_factory.mktemp("client")
    config = directory / "config.yaml"
    config.write_text(NO_HOOKS + FILES)
    made = subprocess.run(
        [
            *(Path(sys.executable).with_name("openapi-python-client"), "generate"),
            *("--path", SCHEMA, "--config", config, "--meta", "none"),
            *("--output-path", directory / "voiceops_client", "--fail-on-warning"),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(directory))
    yield "voiceops_client"
    sys.path.remove(str(directory))


@pytest.fixture
def generated(client_package):
    """`generated("api.prompts.prompt_create")`: a module of the client."""
    return lambda name: importlib.import_module(f"{client_package}.{name}")


@pytest.fixture
def registered(generated, live_server):
    """A client that signed up with the client itself, and its workspace's id."""
    package = generated("client")
    models = generated("models")
    anonymous = package.Client(base_url=live_server.url)
    answer = generated("api.auth.register").sync(
        client=anonymous,
        body=models.RegisterRequest(email="ada@example.com", password=PASSWORD),
    )
    return package.AuthenticatedClient(base_url=live_server.url, token=answer.token)


@pytest.mark.django_db(transaction=True)
def test_the_client_makes_a_key_and_works_with_it(generated, registered):
    models = generated("models")
    scopes = [models.ScopesEnum.READ]

    key = generated("api.api_keys.api_key_create").sync(
        client=registered,
        body=models.ApiKeyRequest(name="Reports", scopes=scopes),
    )
    reader = generated("client").AuthenticatedClient(
        base_url=registered._base_url, token=key.key
    )

    me = generated("api.auth.me").sync(client=reader)
    assert (me.user.email, me.role) == ("ada@example.com", "owner")
    refused = generated("api.prompts.prompt_create").sync_detailed(
        client=reader, body=models.PromptRequest(name="a", text="b")
    )
    assert (refused.status_code, refused.parsed.status) == (403, 403)


@pytest.mark.django_db(transaction=True)
def test_the_client_builds_an_agent_and_activates_it(generated, registered, carrier):
    models = generated("models")
    login = carrier.open_account()
    account = generated("api.carrier_accounts.carrier_account_create").sync(
        client=registered,
        body=models.CarrierAccountRequest(
            label="Main", account_sid=login.sid, auth_token=login.auth_token
        ),
    )
    phone = generated("api.phones.phone_create").sync(
        client=registered, body=models.PhoneRequest(number=login.numbers[0])
    )
    prompt = generated("api.prompts.prompt_create").sync(
        client=registered,
        body=models.PromptRequest(name="Desk", text="Hello {{ name }}"),
    )
    agent = generated("api.agents.agent_create").sync(
        client=registered,
        body=models.VoiceAgentRequest(
            name="Reception", phone_id=phone.id, prompt_id=prompt.id
        ),
    )

    activated = generated("api.agents.agent_activate").sync(agent.id, client=registered)

    assert phone.carrier_account_id == account.id
    assert prompt.placeholders == ["name"]
    assert (activated.id, activated.is_active) == (agent.id, True)
    assert activated.deactivated == []


@pytest.mark.django_db(transaction=True)
def test_the_client_repeats_a_request_and_gets_the_first_answer(generated, registered):
    create = generated("api.prompts.prompt_create")
    body = generated("models").PromptRequest(name="Desk", text="Hello")

    first, again = (
        create.sync_detailed(client=registered, body=body, idempotency_key="once")
        for _ in range(2)
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.parsed == again.parsed
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
def test_the_client_pages_by_cursor(generated, registered):
    create = generated("api.prompts.prompt_create")
    prompts = generated("api.prompts.prompt_list")
    body = generated("models").PromptRequest
    for name in "abc":
        create.sync(client=registered, body=body(name=name, text="Hello"))

    first = prompts.sync(client=registered, page_size=2)
    (cursor,) = parse_qs(urlsplit(first.next_).query)["cursor"]
    second = prompts.sync(client=registered, page_size=2, cursor=cursor)

    assert [prompt.name for prompt in first.results] == ["c", "b"]
    assert [prompt.name for prompt in second.results] == ["a"]
    assert second.next_ is None


@pytest.mark.django_db(transaction=True)
def test_the_client_reads_errors(generated, registered):
    models = generated("models")

    wrong = generated("api.prompts.prompt_create").sync(
        client=registered, body=models.PromptRequest(name="", text="b")
    )
    unknown = generated("api.agents.agent_get").sync(
        "01930000-0000-7000-8000-000000000000", client=registered
    )

    assert isinstance(wrong, models.Problem)
    assert wrong.errors.additional_properties == {
        "name": ["This field may not be blank."]
    }
    assert (unknown.status, unknown.title) == (404, "Not Found")
