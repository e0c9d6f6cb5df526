"""What is kept of a request while the store is away, and how long the texts are."""

from gateway.services.ev_certificate_words import TEXT_MAX
from gateway.services.provisioning_record import KINDS, Case, ProvisioningRecord
from gateway.services.security_event_names import label
from gateway.session.tally import Tally
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.services.conftest import KeptEvents
from tests.services.vehicle_desk import NOW, Book, Stand, ev_request


def record(book: Book, events: KeptEvents) -> tuple[ProvisioningRecord, Case]:
    return ProvisioningRecord(book, events, Tally()), Case(Stand(), ev_request(b"exi"), NOW, "d1")


async def test_a_refusal_while_the_store_is_away(events: KeptEvents) -> None:
    book = Book(is_away=True)
    keeping, case = record(book, events)
    await keeping.refused(case, ProvisioningRefused(Refusal.SIGNATURE_INVALID, "forged"))
    assert book.entries == []
    assert [event.detail for event in events.noted] == ["forged"]


async def test_nothing_unbounded_and_nothing_that_does_not_print(events: KeptEvents) -> None:
    book = Book()
    keeping, case = record(book, events)
    await keeping.refused(case, ProvisioningRefused(Refusal.MALFORMED, "\n" * 9999))
    assert len(book.entries[0].text) == TEXT_MAX
    assert book.entries[0].text.isprintable()


def test_every_kind_has_its_label() -> None:
    assert all(label(kind) == kind for kind in KINDS.values())


def test_the_exi_is_not_shown() -> None:
    assert "secret" not in repr(Case(Stand(), ev_request(b""), NOW, "d1", exi=b"secret"))
