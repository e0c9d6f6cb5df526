"""What is told of contracts is JSON, of times that are open too."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from gateway.admin.contracts_shown import contract_certificate_shown, contract_shown, provisioning_shown
from gateway.session.contracts import ContractRecord, ProvisioningRecord
from gateway.session.provisionings import ProvisioningEntry
from gateway.store.certificates import CertificateRecord, CertificateState
from gateway.store.contract_certificates import ContractCertificate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = "2026-03-01T12:00:00+00:00"


def test_a_contract() -> None:
    record = ContractRecord(1, "P", "E", None, NOON, False, NOON, "ann", NOON, "bob")
    shown = json.loads(json.dumps(contract_shown(record)))
    assert (shown["valid_from"], shown["valid_until"], shown["changed_by"]) == (None, SAID, "bob")


def test_a_certificate_as_it_is_by_now() -> None:
    record = CertificateRecord("", "a1", "ff", "CN=E", NOON, NOON, CertificateState.ISSUED, "PEM", NOON, NOON)
    found = ContractCertificate(record, "E", "P", "CS1", "native", "-2", "CN=MO", 3)
    shown = json.loads(json.dumps(contract_certificate_shown(found)))
    assert (shown["state"], shown["predecessor_id"]) == ("issued", 3)
    assert "PEM" not in shown.values()
    revoked = contract_certificate_shown(found, replace(record, state=CertificateState.REVOKED))
    assert revoked == shown | {"state": "revoked"}


def test_an_entry_of_the_audit() -> None:
    entry = ProvisioningEntry(NOON, "CS1", "Update", "-2", "ab", "native", emaid="E", not_after=NOON)
    shown = json.loads(json.dumps(provisioning_shown(ProvisioningRecord(5, entry))))
    assert (shown["id"], shown["outcome"], shown["refusal"], shown["not_after"]) == (5, "issued", None, SAID)
