"""What is told of a certificate."""

from datetime import UTC, datetime

from gateway.store.certificate_records import COLUMNS, CertificateRecord, CertificateState, CertificateUnknown, to_row

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_row_has_every_column_but_the_number_that_the_store_gives() -> None:
    record = CertificateRecord("CS1", "1", "f", "CN=1", NOW, NOW, CertificateState.IN_USE, "PEM", NOW, NOW, id=7)
    row = to_row(record)
    assert set(row) == {column.key for column in COLUMNS} - {"id"}
    assert row["state"] == "in_use"


def test_what_is_unknown_is_named() -> None:
    assert str(CertificateUnknown("aff")) == "no certificate with the serial number 'aff' is recorded"
