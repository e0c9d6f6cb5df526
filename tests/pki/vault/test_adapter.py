"""What hvac's API classes get from our transport."""

from collections.abc import Iterator
from typing import Any

import pytest
from hvac.api.secrets_engines import Pki
from hvac.api.system_backend import Health

from pki.client_tls import TlsTrust
from pki.vault.adapter import RETRY_AFTER_MAX, VaultAdapter
from pki.vault.failures import NoAnswer, StatusError
from pki.vault.transport import Answer, Attempt, Transport
from tests.vault_standin import Reply, StandIn, failed


@pytest.fixture
def adapter(standin: StandIn) -> Iterator[VaultAdapter]:
    transport = Transport(standin.address, TlsTrust(standin.roots).context)
    yield VaultAdapter(transport, Attempt(10), token="s.hunter2", namespace="team")
    transport.drop()


def test_hvac_speaks_through_it(standin: StandIn, adapter: VaultAdapter) -> None:
    standin.say("GET", "/v1/a/b/roles/r", Reply(200, {"data": {"ttl": 0}}))
    standin.say("LIST", "/v1/a/b/certs", Reply(200, {"data": {"keys": []}}))
    standin.say("GET", "/v1/a/b/crl/pem", Reply(200, b"-----BEGIN"))

    assert Pki(adapter).read_role("r", "a/b") == {"data": {"ttl": 0}}
    assert Pki(adapter).list_certificates("a/b") == {"data": {"keys": []}}
    assert Pki(adapter).read_crl("a/b") == "-----BEGIN"
    headers = standin.asked[0].headers
    assert [headers[f"X-Vault-{name}"] for name in ("Token", "Namespace", "Request")] == ["s.hunter2", "team", "true"]


def test_a_query_and_doubled_slashes(standin: StandIn, adapter: VaultAdapter) -> None:
    standin.say("GET", "/v1/sys/x?a=1+2", Reply(200, {"a": 1}))

    assert adapter.get("//v1//sys/x", params={"a": "1 2"}) == {"a": 1}


def test_an_answer_without_a_body_is_no_dict(standin: StandIn, adapter: VaultAdapter) -> None:
    standin.say("POST", "/v1/x", Reply(204, b""))

    answer = adapter.post("/v1/x", json={})
    assert isinstance(answer, Answer)
    assert (answer.status_code, answer.content) == (204, b"")


def test_what_is_not_2xx(standin: StandIn, adapter: VaultAdapter) -> None:
    standin.say("POST", "/v1/pki/sign/x", failed(403, "permission denied"))
    standin.say("GET", "/v1/sys/health", failed(503, "sealed"))

    with pytest.raises(StatusError) as caught:
        adapter.post("/v1/pki/sign/x", json={})
    error = caught.value
    assert (error.status, error.words, error.method, error.path) == (403, "permission denied", "POST", "pki/sign/x")
    assert Health(adapter).read_health_status(method="GET").status_code == 503


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("999999", RETRY_AFTER_MAX),
        ("inf", RETRY_AFTER_MAX),
        ("-1", None),
        ("nan", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after(standin: StandIn, adapter: VaultAdapter, value: str, seconds: float | None) -> None:
    standin.say("GET", "/v1/x", failed(429, Retry_After=value))

    with pytest.raises(StatusError) as caught:
        adapter.get("/v1/x")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_a_200_that_claims_to_be_json(standin: StandIn, adapter: VaultAdapter, content: bytes) -> None:
    standin.say("GET", "/v1/x", Reply(200, content, {"Content-Type": "application/json"}))

    with pytest.raises(NoAnswer, match="isn't JSON"):
        adapter.get("/v1/x")


def test_a_login_gives_its_token(standin: StandIn, adapter: VaultAdapter) -> None:
    granted: dict[str, Any] = {"auth": {"client_token": "new"}}
    standin.say("POST", "/v1/auth/x/login", Reply(200, granted))

    assert adapter.login("/v1/auth/x/login", json={}) == granted
    assert adapter.token == "new"
    assert "hunter2" not in repr(adapter)
