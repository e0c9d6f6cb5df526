"""What the tables of contracts themselves refuse, whoever writes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.store.certificates import Certificates
from gateway.store.contract_models import ContractCertificateRow, ContractProvisioningRow, ContractRow
from gateway.store.database import Database
from gateway.store.models import CertificateRow, Model

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def contract(pcid: str, key: str, *, is_default: bool = False) -> dict[str, Any]:
    said = {"pcid": pcid, "emaid": key, "emaid_key": key, "is_default": is_default}
    return {**said, "added_at": NOW, "added_by": "ann", "changed_at": NOW, "changed_by": "ann"}


@pytest.mark.parametrize(
    ("rows", "is_taken"),
    [
        ([contract("A", "1"), contract("A", "2"), contract("B", "1")], True),
        ([contract("A", "1", is_default=True), contract("B", "1", is_default=True)], True),
        ([contract("A", "1"), contract("A", "1")], False),
        ([contract("A", "1", is_default=True), contract("A", "2", is_default=True)], False),
    ],
)
async def test_a_pair_is_there_once_and_a_vehicle_has_one_default(
    database: Database, rows: list[dict[str, Any]], is_taken: bool
) -> None:
    if is_taken:
        await database.write(lambda connection: connection.execute(insert(ContractRow), rows))
        return
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.execute(insert(ContractRow), rows))


async def test_what_is_said_of_a_certificate_goes_with_it_and_not_with_its_predecessor(
    database: Database, certificates: Certificates
) -> None:
    old, new = [
        await certificates.add(
            "", serial=serial, fingerprint=serial, subject="", not_before=NOW, not_after=NOW, chain="", usage="contract"
        )
        for serial in "12"
    ]
    texts = dict.fromkeys(("emaid", "emaid_key", "station", "provider", "schema", "issuer"), "")
    row = {**texts, "certificate_id": new.id, "predecessor_id": old.id}
    await database.write(lambda connection: connection.execute(insert(ContractCertificateRow), row))

    async def after_deleting(number: int) -> list[Any]:
        gone = delete(CertificateRow).where(CertificateRow.id == number)
        await database.write(lambda connection: connection.execute(gone))
        left = select(ContractCertificateRow.certificate_id, ContractCertificateRow.predecessor_id)
        return [tuple(each) for each in await database.read(lambda connection: connection.execute(left).all())]

    assert await after_deleting(old.id) == [(new.id, None)]
    assert await after_deleting(new.id) == []


def test_a_listing_goes_on_behind_a_number_that_is_never_given_twice() -> None:
    for model in (ContractRow, ContractProvisioningRow):
        assert Model.metadata.tables[model.__tablename__].dialect_options["sqlite"]["autoincrement"] is True
