"""The description of contracts names what the answers have."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.admin.contracts_shown import contract_certificate_shown, contract_shown, provisioning_shown
from gateway.admin.openapi_contracts import CONTRACT_SCHEMAS, contracts
from gateway.session.contracts import ContractRecord, ProvisioningRecord
from gateway.session.provisionings import ProvisioningEntry
from gateway.store.certificates import CertificateRecord, CertificateState
from gateway.store.contract_certificates import ContractCertificate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = CertificateRecord("", "a1", "ff", "CN=E", NOON, NOON, CertificateState.ISSUED, "PEM", NOON, NOON)


@pytest.mark.parametrize(
    ("name", "shown", "more"),
    [
        ("Contract", contract_shown(ContractRecord(1, "P", "E", None, None, False, NOON, "a", NOON, "a")), set()),
        (
            "ContractCertificate",
            contract_certificate_shown(ContractCertificate(RECORD, "E", "P", "CS1", "n", "-2", "CN=MO", None)),
            {"chain", "authority_problem"},
        ),
        (
            "ContractProvisioning",
            provisioning_shown(ProvisioningRecord(1, ProvisioningEntry(NOON, "CS1", "Install", "-2", "ab"))),
            set(),
        ),
    ],
)
def test_every_member_is_described(name: str, shown: dict[str, Any], more: set[str]) -> None:
    schema = CONTRACT_SCHEMAS[name]
    assert set(schema["properties"]) == set(shown) | more
    assert set(schema["required"]) == set(shown)


def test_a_batch_is_json_or_csv() -> None:
    content = contracts()["contracts/import"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "text/csv"}
    assert "pcid, emaid, valid_from" in content["text/csv"]["schema"]["description"]
