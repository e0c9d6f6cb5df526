"""What an offline root sends back, and what is wrong with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.issuing import Issuer
from pki.vault.bootstrap_connection import BootstrapFailed
from pki.vault.bootstrap_signed import check_key, read_signed
from tests.pki.vault.bootstrapped import csr_of
from tests.pki.vault.offline_root import offline_root, signed_by

NOW = datetime.now(UTC)
ROOT = offline_root()
CSR = csr_of("x")


def test_a_whole_chain_is_returned() -> None:
    chain = read_signed(signed_by(ROOT, CSR), now=NOW)

    assert chain[1:] == [ROOT.certificate]
    check_key(chain, CSR)


@pytest.mark.parametrize(
    ("others", "fault"),
    [
        ({"ca": False, "path_length": None}, "isn't a CA that signs certificates and CRLs"),
        ({"usages": ("key_cert_sign",)}, "isn't a CA that signs certificates and CRLs"),
        ({"usages": ("digital_signature", "crl_sign")}, "isn't a CA that signs certificates and CRLs"),
        ({"path_length": None}, "may make further CAs; sign it with a path length of 0"),
        ({"path_length": 1}, "may make further CAs; sign it with a path length of 0"),
        ({"begins": NOW + timedelta(days=1)}, "isn't valid now"),
        ({"begins": NOW - timedelta(days=20), "lasts": timedelta(days=10)}, "isn't valid now"),
        ({"with_root": False}, "must hold the issuing CA first and its root last"),
        ({"signer": offline_root()}, "isn't issued by the certificate that follows it"),
    ],
)
def test_what_is_wrong_is_told(others: dict[str, Any], fault: str) -> None:
    with pytest.raises(BootstrapFailed, match=fault):
        read_signed(signed_by(ROOT, CSR, **others), now=NOW)


def test_a_root_that_may_have_no_ca_under_it() -> None:
    """The root's own path length of 0 would make every certificate of the chain invalid (RFC 5280 4.2.1.9)."""
    chain = signed_by(ROOT, CSR)
    leaf_first, root = chain.split("-----END CERTIFICATE-----\n", 1)
    twice = signed_by(Issuer(read_signed(chain, now=NOW)[0], ROOT.key), csr_of("y"))
    below = twice.split("-----END CERTIFICATE-----\n", 1)[0] + "-----END CERTIFICATE-----\n"

    with pytest.raises(BootstrapFailed, match="has a path length of 0, too little for what follows"):
        read_signed(below + leaf_first + "-----END CERTIFICATE-----\n" + root, now=NOW)


def test_another_key_is_told() -> None:
    with pytest.raises(BootstrapFailed, match="is for another key than the one in Vault"):
        check_key(read_signed(signed_by(ROOT, CSR), now=NOW), csr_of("x"))


@pytest.mark.parametrize("text", ["", "x", CSR, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_chain(text: str) -> None:
    with pytest.raises(BootstrapFailed, match=r"holds no certificates in PEM|can't be decoded"):
        read_signed(text, now=NOW)


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(BootstrapFailed):
        read_signed(text, now=NOW)
