"""What an answer proves, and what it is called."""

import pytest

from pki.vault.failures import StatusError
from pki.vault.verdicts import Verdict, explained, verdict


@pytest.mark.parametrize(
    ("status", "words", "found"),
    [
        (301, "", Verdict.NOT_SERVING),
        (307, "", Verdict.NOT_SERVING),
        (400, "missing csr", Verdict.REFUSED),
        (401, "", Verdict.DENIED),
        (403, "permission denied", Verdict.DENIED),
        (404, "", Verdict.REFUSED),
        (405, "unsupported operation", Verdict.REFUSED),
        (429, "request rate limit exceeded", Verdict.LIMITED),
        (472, "", Verdict.NOT_SERVING),
        (473, "", Verdict.NOT_SERVING),
        (500, "internal error", Verdict.FAILED),
        (500, "local node not active but active cluster node not found", Verdict.NOT_SERVING),
        (502, "bad gateway", Verdict.FAILED),
        (503, "Vault is sealed", Verdict.NOT_SERVING),
        (503, "upstream connect error or disconnect/reset before headers", Verdict.FAILED),
        (599, "", Verdict.FAILED),
    ],
)
def test_what_it_proves(status: int, words: str, found: Verdict) -> None:
    assert verdict(StatusError(status, words, "POST", "pki/sign/x")) is found


@pytest.mark.parametrize(
    ("status", "method", "words"),
    [
        (403, "POST", 'the token\'s policy forbids it: add path "pki/x" { capabilities = ["update"] }'),
        (403, "GET", 'the token\'s policy forbids it: add path "pki/x" { capabilities = ["read"] }'),
        (403, "LIST", 'the token\'s policy forbids it: add path "pki/x" { capabilities = ["list"] }'),
        (404, "GET", "there is no pki/x (said); check the mount and the namespace"),
        (429, "GET", "Vault limits its requests (429); raise the rate limit quota"),
        (307, "GET", "pki/x is answered with a redirect (307), which isn't followed; name the active node"),
        (500, "GET", "Vault failed at pki/x (HTTP 500: said); see Vault's own log"),
        (400, "POST", "Vault refuses pki/x (HTTP 400): said"),
    ],
)
def test_what_to_do(status: int, method: str, words: str) -> None:
    assert explained(StatusError(status, "said", method, "pki/x")) == words
