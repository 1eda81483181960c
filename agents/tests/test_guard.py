"""Real requests to a real server, and every way out of the public internet."""

import asyncio
import ipaddress
import socket
import ssl
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from agents.tools import guard
from agents.tools.guard import Blocked, Failed, Request, Rules, TimedOut
from tests.hasty import sometime
from tests.stub_service import running_service, stub_service

__all__ = ["stub_service"]

OPEN = Rules(https_only=False)
SECRET = {"Authorization": "Bearer secret"}


def send(url, method="GET", timeout_s=5, **options):
    request_options = {n: options.pop(n) for n in ("headers", "body") if n in options}
    request = Request(method, url, **request_options)
    return asyncio.run(guard.send(request, timeout_s=timeout_s, **options))


class Answers(AbstractResolver):
    """A name server that gives its answers one after the other, the last for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked.append(host)
        addresses = self.answers[0]
        if len(self.answers) > 1:
            del self.answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in addresses
        ]

    async def close(self):
        pass


# -- Addresses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200"),
        *("127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.170.2"),
        *("168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
        *("192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b:1::8.8.8.8", "2001::1", "2001:db8::1", "2002:7f00:1::"),
        *("2002:a9fe:a9fe::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254"),
        *("fe80::1", "fec0::1", "ff02::1", "100::1", "4000::1", "5f00::1"),
    ],
)
def test_address_is_not_public(address):
    assert not guard.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1"),
        *("2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
        "2002:808:808::1",
    ],
)
def test_address_is_public(address):
    assert guard.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fd00:ec2::254", "fe80::1", "::ffff:169.254.169.254"),
        *("100.100.100.200", "192.0.0.192", "0.0.0.0", "::", "224.0.0.1", "ff02::1"),
        "8.8.8.8",
    ],
)
def test_no_operator_opens_such_an_address(address):
    assert not guard.is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///path",
        "https://",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\r\nHost: evil",
        "https://example.com\t/",
        "https://example.com./",
        "https://.example.com/",
        "https://a..b/",
        "https://a%2eb/",
        "https://[::1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::1%25lo]/",
        "https://[fe80::1%25eth0]/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://0x7f.0.0.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://2130706433/",
        "https://127.0.0.0x1/",
        "https://127.0.0.1./",
        "https://1.2.3.4.5/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://example.com:0/",
        "https://example.com:22/",
        "https://example.com:25/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "http://example.com/",
        f"https://example.com/{'a' * 2000}",
    ],
)
def test_url_is_blocked(url):
    with pytest.raises(Blocked):
        guard.check_url(url, Rules())


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com", "example.com"),
        ("HTTPS://EXAMPLE.com:8443/x?y=1", "example.com"),
        ("https://münchen.example/", "xn--mnchen-3ya.example"),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111"),
        ("https://my_service.example:65535/", "my_service.example"),
    ],
)
def test_url_is_allowed(url, host):
    assert guard.check_url(url, Rules()).raw_host == host


def test_host_named_by_the_operator_may_be_private_and_plain():
    rules = Rules(allowed_hosts=frozenset({"crm.internal", "localhost:81", "10.0.0.1"}))

    for url in ("http://crm.internal/", "http://localhost:81/", "http://10.0.0.1:22/"):
        assert guard.check_url(url, rules) == URL(url)
    for url in ("http://localhost/", "http://localhost:82/", "https://10.0.0.2/"):
        with pytest.raises(Blocked):
            guard.check_url(url, rules)


def test_operator_cannot_open_the_metadata_service():
    rules = Rules(allowed_hosts=frozenset({"169.254.169.254"}))

    with pytest.raises(Blocked):
        guard.check_url("http://169.254.169.254/", rules)


# -- Names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["93.184.216.34", "127.0.0.1"],  # one that is good does not help the other
    ],
)
def test_name_of_a_private_address_is_blocked(stub_service, addresses):
    url = f"http://rebound.example:{stub_service.port}/answer"

    with pytest.raises(Blocked):
        send(url, rules=OPEN, resolver=Answers(addresses))

    assert stub_service.requests == []


def test_system_names_of_loopback_are_blocked(stub_service):
    with pytest.raises(Blocked):
        send(f"http://localhost:{stub_service.port}/answer", rules=OPEN)

    assert stub_service.requests == []


def test_request_goes_to_the_address_that_was_checked(stub_service, monkeypatch):
    """Rebinding: whatever the name stands for the second time is never used."""
    monkeypatch.setattr(guard, "is_public", lambda address: str(address) == "127.0.0.1")
    resolver = Answers(["127.0.0.1"], ["127.0.0.2"])

    answer = send(
        f"http://rebound.example:{stub_service.port}/answer",
        rules=OPEN,
        resolver=resolver,
    )

    assert answer.status == 200
    assert resolver.asked == ["rebound.example"]
    (request,) = stub_service.requests
    assert request["headers"]["Host"] == f"rebound.example:{stub_service.port}"


def test_redirect_is_resolved_and_checked_anew(stub_service, monkeypatch):
    monkeypatch.setattr(guard, "is_public", lambda address: str(address) == "127.0.0.1")
    stub_service.location = f"http://rebound.example:{stub_service.port}/answer"
    resolver = Answers(["127.0.0.1"], ["127.0.0.2"])

    with pytest.raises(Blocked):
        send(
            f"http://rebound.example:{stub_service.port}/redirect/302",
            rules=OPEN,
            resolver=resolver,
        )

    assert [one["path"] for one in stub_service.requests] == ["/redirect/302"]


def test_named_host_that_points_at_the_metadata_service_is_blocked():
    rules = Rules(allowed_hosts=frozenset({"crm.internal"}))

    with pytest.raises(Blocked):
        send("http://crm.internal/", rules=rules, resolver=Answers(["169.254.169.254"]))


def test_unknown_name_fails():
    with pytest.raises(Failed, match="not known"):
        send("https://nobody.invalid/")


# -- Redirects -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_get_follows_within_the_origin_with_its_headers(stub_service, status):
    answer = send(f"{stub_service.url}/redirect/{status}", headers=SECRET)

    assert answer.text == '{"temperature": 21}'
    headers = [one["headers"]["Authorization"] for one in stub_service.requests]
    assert headers == ["Bearer secret"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/answer",
        "http://[::1]:{port}/answer",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433:{port}/answer",
        "//127.0.0.1:{port}/answer",
        "file:///etc/passwd",
        "mailto:somebody@example.com",
    ],
)
def test_redirect_to_a_private_address_is_blocked(stub_service, location):
    stub_service.location = location.format(port=stub_service.port)

    with pytest.raises(Blocked):
        send(f"{stub_service.url}/redirect/302")

    assert len(stub_service.requests) == 1


def test_redirect_to_another_origin_loses_the_headers(stub_service, settings):
    with running_service() as other:
        settings.TOOL_ALLOWED_HOSTS = [stub_service.host, other.host]
        stub_service.location = f"{other.url}/answer"

        send(f"{stub_service.url}/redirect/307", headers=SECRET)

        (request,) = other.requests
    assert "Authorization" not in request["headers"]


def test_redirect_to_another_origin_does_not_take_the_body_along(
    stub_service, settings
):
    with running_service() as other:
        settings.TOOL_ALLOWED_HOSTS = [stub_service.host, other.host]
        stub_service.location = f"{other.url}/answer"

        with pytest.raises(Blocked):
            send(f"{stub_service.url}/redirect/307", method="POST", body=b"{}")

        assert other.requests == []


@pytest.mark.parametrize(
    ("status", "then"),
    [(303, ("GET", "")), (307, ("POST", "{}")), (308, ("POST", "{}"))],
)
def test_post_is_redirected_as_the_standard_says(stub_service, status, then):
    send(f"{stub_service.url}/redirect/{status}", method="POST", body=b"{}")

    last = stub_service.requests[-1]
    assert (last["method"], last["body"]) == then


@pytest.mark.parametrize("status", [301, 302])
def test_post_that_has_moved_fails_instead_of_reading(stub_service, status):
    with pytest.raises(Failed, match="moved"):
        send(f"{stub_service.url}/redirect/{status}", method="POST", body=b"{}")

    assert len(stub_service.requests) == 1


def test_redirects_end(stub_service):
    with pytest.raises(Failed, match="too often"):
        send(f"{stub_service.url}/loop")

    assert len(stub_service.requests) == 1 + guard.MAX_REDIRECTS


def test_redirect_that_is_not_followed_is_an_answer(stub_service):
    answer = send(f"{stub_service.url}/redirect/302", redirects=0)

    assert answer.status == 302
    assert len(stub_service.requests) == 1


# -- Requests --------------------------------------------------------------------------


def test_request_uses_no_proxy_and_no_cookies(stub_service, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    answer = send(f"{stub_service.url}/cookie")

    assert answer.status == 200
    assert "Cookie" not in stub_service.requests[-1]["headers"]


def test_request_sends_what_it_is_given(stub_service):
    send(
        f"{stub_service.url}/answer/%2F?a=%26b",
        method="PATCH",
        body=b'{"a": 1}',
        headers={"accept": "text/plain", "X-Key": "k"},
    )

    (request,) = stub_service.requests
    kept = {n: v for n, v in request["headers"].items() if n != "Host"}
    assert (request["method"], request["path"]) == ("PATCH", "/answer/%2F?a=%26b")
    assert request["body"] == '{"a": 1}'
    assert kept == {
        "User-Agent": "VoiceOps",
        "accept": "text/plain",
        "Accept-Encoding": "identity",
        "X-Key": "k",
        "Connection": "close",
        "Content-Length": "8",
        "Content-Type": "application/octet-stream",
    }


def test_refused_connection_fails():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"localhost:{unused.getsockname()[1]}"
        rules = Rules(allowed_hosts=frozenset({host}))

        with pytest.raises(Failed, match="no connection"):
            send(f"http://{host}/", rules=rules)


# -- Answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/stall", "/drip"])
def test_slow_answer_ends_with_the_time(stub_service, path):
    def is_given_up_in_time():
        began = time.monotonic()
        with pytest.raises(TimedOut, match="within 0.3 seconds"):
            send(f"{stub_service.url}{path}", timeout_s=0.3)
        return time.monotonic() - began < 1

    assert sometime(is_given_up_in_time)


def test_endless_answer_is_cut(stub_service):
    answer = send(f"{stub_service.url}/endless")

    assert (len(answer.text), answer.is_cut) == (guard.MAX_BODY_BYTES, True)


def test_packed_bomb_is_not_unpacked(stub_service):
    tracemalloc.start()
    try:
        answer = send(f"{stub_service.url}/bomb")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (len(answer.text), answer.is_cut) == (guard.MAX_BODY_BYTES, True)
    assert peak_bytes < 8_000_000


def test_packed_answer_is_read(stub_service):
    assert send(f"{stub_service.url}/packed").text == "unpacked"


@pytest.mark.parametrize("type_", ["image/png", "application/octet-stream", "x"])
def test_answer_of_another_type_fails(stub_service, type_):
    with pytest.raises(Failed, match="only text and JSON"):
        send(f"{stub_service.url}/type/{type_}")


@pytest.mark.parametrize(
    "type_", ["text/html", "application/problem+json", "application/xml"]
)
def test_answer_of_text_is_read(stub_service, type_):
    assert send(f"{stub_service.url}/type/{type_}").text == "words"


def test_answer_is_text_without_control_characters(stub_service):
    assert send(f"{stub_service.url}/latin").text == "Größe\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("path", ["/broken", "/cut"])
def test_unreadable_answer_fails(stub_service, path):
    with pytest.raises(Failed, match="broke off"):
        send(f"{stub_service.url}{path}")


# -- TLS -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and its own certificate, for `service.example`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "service")])
    names = x509.SubjectAlternativeName([x509.DNSName("service.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "service.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure_service(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    seen = []
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    with running_service(context) as service:
        service.names_asked_for = seen
        yield service


def ask_securely(service, host, trusted=None):
    address = f"{host}:{service.port}"
    return send(
        f"https://{address}/answer",
        rules=Rules(allowed_hosts=frozenset({address})),
        resolver=Answers(["127.0.0.1"]),
        tls=ssl.create_default_context(cafile=trusted) if trusted else None,
    )


def test_certificate_is_verified_for_the_name(secure_service, certificate):
    answer = ask_securely(secure_service, "service.example", certificate)

    assert answer.status == 200
    assert secure_service.names_asked_for == ["service.example"]
    (request,) = secure_service.requests
    assert request["headers"]["Host"] == f"service.example:{secure_service.port}"


def test_certificate_for_another_name_fails(secure_service, certificate):
    with pytest.raises(Failed, match="not valid"):
        ask_securely(secure_service, "other.example", certificate)

    assert secure_service.requests == []


def test_certificate_of_nobody_known_fails(secure_service):
    with pytest.raises(Failed, match="not valid"):
        ask_securely(secure_service, "service.example")

    assert secure_service.requests == []
