"""Messages written as EXI: each vector byte for byte, and whatever a message may hold comes back as it was."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ContractData,
    Header,
    KeyWrapping,
    Message,
    Notification,
    Reference,
    RootCertificateId,
    Signature,
    SignedInfo,
    SignedInstallationData,
    schema_of,
)
from pki.iso15118.reading import read_message
from pki.iso15118.writing import signed_parts, write_message

VECTORS = Path(__file__).parent / "vectors"
MANIFEST: list[Mapping[str, Any]] = json.loads((VECTORS / "manifest.json").read_text())
DOCUMENTS = [entry["name"] for entry in MANIFEST if not entry["fragment"]]
PARTS_2 = ("ContractSignatureCertChain", "ContractSignatureEncryptedPrivateKey", "DHpublickey", "eMAID")
PARTS = {
    "iso2_cert_install_req": ("body",),
    "iso2_cert_update_req": ("body",),
    "iso2_cert_install_res": PARTS_2,
    "iso2_cert_update_res": PARTS_2,
    "iso20_cert_install_req": ("OEMProvisioningCertificateChain",),
    "iso20_cert_install_res": ("SignedInstallationData",),
}


def octets(name: str) -> bytes:
    return (VECTORS / f"{name}.exi").read_bytes()


def read(name: str) -> Message:
    return read_message(octets(name), Schema.ISO_20 if name.startswith("iso20") else Schema.ISO_2)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_as_it_was(name: str) -> None:
    assert write_message(read(name)) == octets(name)


@pytest.mark.parametrize(("name", "parts"), PARTS.items())
def test_each_signed_part(name: str, parts: tuple[str, ...]) -> None:
    fragments = {f"id{number}": octets(f"{name}.frag.{part}") for number, part in enumerate(parts, 1)}

    assert signed_parts(read(name)) == fragments


# --- whatever a message may hold -------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
IDS = st.text("abcdefgh-1", min_size=1, max_size=20)
SESSION_IDS_2 = st.binary(max_size=8)
NUMBERS = st.integers(-(2**160), 2**160)
ROOTS = st.lists(st.builds(RootCertificateId, TEXT, NUMBERS), min_size=1, max_size=20).map(tuple)
EMAIDS = st.text("ABC123", min_size=14, max_size=15)
REFERENCES = st.builds(
    Reference, TEXT, st.binary(max_size=70), TEXT, st.lists(TEXT, max_size=3).map(tuple), st.none() | IDS
)
SIGNED_INFOS = st.builds(SignedInfo, TEXT, TEXT, st.lists(REFERENCES, min_size=1, max_size=5).map(tuple))
SIGNATURES = st.builds(Signature, SIGNED_INFOS, st.binary(max_size=140), st.none() | IDS)
NOTIFICATIONS = st.builds(
    Notification,
    st.sampled_from(["ParsingError", "NoTLSRootCertificatAvailable", "UnknownError"]),
    st.none() | TEXT.filter(lambda text: len(text) <= 64),
)
HEADERS_2 = st.builds(Header, SESSION_IDS_2, st.none() | SIGNATURES, st.none() | NOTIFICATIONS)
HEADERS_20 = st.builds(
    Header,
    st.binary(min_size=8, max_size=8),
    st.none() | SIGNATURES,
    timestamp=st.integers(0, 2**64 - 1),
)


def chains(subs: int, part_id: st.SearchStrategy[str | None], subs_min: int = 0) -> st.SearchStrategy[CertificateChain]:
    some = st.lists(st.binary(max_size=30), min_size=subs_min, max_size=subs).map(tuple)
    return st.builds(CertificateChain, st.binary(max_size=40), some, part_id)


CHAINS_2 = chains(4, st.none() | IDS)
CONTRACT_DATA = st.builds(ContractData, CHAINS_2, st.binary(max_size=48), IDS, st.binary(max_size=65), IDS, EMAIDS, IDS)
WRAPPED_KEYS = st.sampled_from([(KeyWrapping.SECP521, 94), (KeyWrapping.X448, 84), (KeyWrapping.TPM, 206)])
INSTALLATION_DATA = WRAPPED_KEYS.flatmap(
    lambda wrapped: st.builds(
        SignedInstallationData,
        IDS,
        chains(3, st.none(), subs_min=1),
        st.sampled_from(["SECP521", "X448"]),
        st.binary(min_size=133, max_size=133),
        st.just(wrapped[0]),
        st.binary(min_size=wrapped[1], max_size=wrapped[1]),
    )
)
CODES = st.sampled_from(["OK", "FAILED", "FAILED_SignatureError", "OK_CertificateExpiresSoon"])
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(CertificateInstallationReq, HEADERS_2, IDS, st.binary(max_size=800), ROOTS),
    st.builds(CertificateInstallationRes, HEADERS_2, CODES, CHAINS_2, CONTRACT_DATA),
    st.builds(CertificateUpdateReq, HEADERS_2, IDS, CHAINS_2, EMAIDS, ROOTS),
    st.builds(
        CertificateUpdateRes, HEADERS_2, CODES, CHAINS_2, CONTRACT_DATA, st.none() | st.integers(-(2**15), 2**15 - 1)
    ),
    st.builds(
        CertificateInstallationReq20,
        HEADERS_20,
        chains(3, IDS),
        ROOTS,
        st.integers(0, 255),
        st.lists(TEXT.filter(lambda text: len(text) <= 255), max_size=8).map(tuple),
    ),
    st.builds(
        CertificateInstallationRes20,
        HEADERS_20,
        CODES,
        st.sampled_from(["Finished", "Ongoing"]),
        chains(3, st.none()),
        INSTALLATION_DATA,
        st.integers(0, 255),
    ),
)


@given(MESSAGES)
def test_what_is_written_is_read_again(message: Message) -> None:
    assert read_message(write_message(message), schema_of(message)) == message


# --- what can't be written -------------------------------------------------------------------------------------------


def with_header(message: Message, **changes: Any) -> Message:
    return replace(message, header=replace(message.header, **changes))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (with_header(read("iso2_cert_install_req"), timestamp=1), "a header of ISO 15118-2 has no TimeStamp"),
        (with_header(read("iso20_cert_install_req"), timestamp=None), "a header of ISO 15118-20 has a TimeStamp"),
        (
            with_header(read("iso20_cert_install_req"), notification=Notification("ParsingError")),
            "a header of ISO 15118-20 has a TimeStamp, and no Notification",
        ),
        (read("negative/iso2_cert_install_req.with_KeyInfo"), "a signature with KeyInfo in Signature isn't written"),
    ],
)
def test_messages_that_cannot_be_written(message: Message, reason: str) -> None:
    with pytest.raises(ExiError, match=reason):
        write_message(message)


def test_what_the_schema_has_no_room_for() -> None:
    request, answer = read("iso2_cert_install_req"), read("iso20_cert_install_res")
    assert isinstance(request, CertificateInstallationReq)
    assert isinstance(answer, CertificateInstallationRes20)
    unsigned = replace(answer.cps_chain, id="id2")

    for message in (
        replace(request, oem_provisioning_certificate=bytes(801)),
        replace(request, root_certificate_ids=()),
        with_header(request, session_id=bytes(9)),
        replace(answer, response_code="FAILED_CertChainError"),
        replace(answer, cps_chain=unsigned),
        replace(answer, remaining_contract_certificate_chains=256),
    ):
        with pytest.raises(ExiError):
            write_message(message)


@pytest.mark.parametrize("emaid_id", ["id1", ""])
def test_parts_need_an_id_of_their_own(emaid_id: str) -> None:
    answer = read("iso2_cert_install_res")
    assert isinstance(answer, CertificateInstallationRes)
    message = replace(answer, contract=replace(answer.contract, emaid_id=emaid_id))

    with pytest.raises(ExiError, match="eMAID, which is to be signed, has no Id of its own"):
        signed_parts(message)


def test_a_contract_chain_without_an_id_cannot_be_signed() -> None:
    answer = read("iso2_cert_install_res")
    assert isinstance(answer, CertificateInstallationRes)
    contract = replace(answer.contract, chain=replace(answer.contract.chain, id=None))

    with pytest.raises(ExiError, match="ContractSignatureCertChain, which is to be signed, has no Id of its own"):
        signed_parts(replace(answer, contract=contract))
