"""EXI read into messages: the vectors, and what isn't one of the six."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.iso15118 import reading
from pki.iso15118.exi import Element, ExiError, QName, Schema, Value
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    Header,
    KeyWrapping,
    Message,
    Notification,
    Reference,
    RootCertificateId,
)
from pki.iso15118.reading import read_message
from pki.iso15118.signature import CANONICAL_EXI, Suite

VECTORS = Path(__file__).parent / "vectors"
SESSION_ID = bytes.fromhex("3031323334353637")
DSIG = Schema.XMLDSIG.value
V2G_ROOT = "DC=V2G,C=DE,O=Example,CN=V2GRootCA"


def read(name: str) -> Message:
    schema = Schema.ISO_20 if name.startswith("iso20") else Schema.ISO_2
    return read_message((VECTORS / f"{name}.exi").read_bytes(), schema)


def certificate(name: str) -> bytes:
    pem = (VECTORS / f"{name}.cert.pem").read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def chain(folder: str, *names: str, part_id: str | None = None) -> CertificateChain:
    leaf, *subs = (certificate(f"{folder}/{name}") for name in names)
    return CertificateChain(leaf, tuple(subs), part_id)


# --- -2 --------------------------------------------------------------------------------------------------------------


def test_installation_request_of_2() -> None:
    message = read("iso2_cert_install_req")

    assert isinstance(message, CertificateInstallationReq)
    assert (message.header.session_id, message.header.timestamp, message.header.notification) == (
        SESSION_ID,
        None,
        None,
    )
    assert message.id == "id1"
    assert message.oem_provisioning_certificate == certificate("pki_iso2/oemLeaf")
    assert message.root_certificate_ids[0].issuer_name == V2G_ROOT


def test_signature_of_2() -> None:
    signature = read("iso2_cert_install_req").header.signature

    assert signature is not None
    assert (len(signature.value), signature.id, signature.extras) == (64, None, ())
    assert signature.signed_info.canonicalization_method == CANONICAL_EXI
    assert signature.signed_info.signature_method == Suite.ISO_2.signature_method
    (reference,) = signature.signed_info.references
    assert (reference.uri, reference.transforms, reference.id) == ("#id1", (CANONICAL_EXI,), None)
    assert (reference.digest_method, len(reference.digest)) == (Suite.ISO_2.digest_method, 32)


def test_unsigned_request_of_2() -> None:
    assert read("iso2_cert_install_req_unsigned").header == Header(SESSION_ID)


def test_update_request_of_2() -> None:
    message = read("iso2_cert_update_req")

    assert isinstance(message, CertificateUpdateReq)
    assert message.contract_chain == chain("pki_iso2", "contractOld", "moSub2", "moSub1")
    assert (message.id, message.emaid) == ("id1", "DE8EXC12345678A")
    assert message.root_certificate_ids == (RootCertificateId(V2G_ROOT, 1001),)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("iso2_cert_install_res", CertificateInstallationRes), ("iso2_cert_update_res", CertificateUpdateRes)],
)
def test_answers_of_2(name: str, kind: type[CertificateInstallationRes | CertificateUpdateRes]) -> None:
    message = read(name)

    assert isinstance(message, kind)
    assert message.response_code == "OK"
    assert message.cps_chain == chain("pki_iso2", "cpsLeaf", "cpsSub2", "cpsSub1")
    assert message.contract.chain == chain("pki_iso2", "contract", "moSub2", "moSub1", part_id="id1")
    assert (len(message.contract.encrypted_private_key), message.contract.encrypted_private_key_id) == (48, "id2")
    assert (len(message.contract.dh_public_key), message.contract.dh_public_key_id) == (65, "id3")
    assert (message.contract.emaid, message.contract.emaid_id) == ("DE8EXC12345678A", "id4")


def test_failure_of_2_is_empty() -> None:
    message = read("iso2_cert_install_res_failed")

    assert isinstance(message, CertificateInstallationRes)
    assert message.header.session_id == b"\0"
    assert message.cps_chain == CertificateChain(b"")
    assert (message.contract.encrypted_private_key, message.contract.dh_public_key) == (b"", b"")


@pytest.mark.parametrize(
    ("name", "days"),
    [("iso2_cert_update_res_retry300", 300), ("iso2_cert_update_res_retry0", 0), ("iso2_cert_update_res", -1)],
)
def test_retry_counter(name: str, days: int) -> None:
    message = read(name)

    assert isinstance(message, CertificateUpdateRes)
    assert message.retry_counter == days


def test_notification() -> None:
    assert read("iso2_cert_install_res_notification").header.notification == Notification("ParsingError", "äöü € 🔌")


# --- -20 -------------------------------------------------------------------------------------------------------------


def test_installation_request_of_20() -> None:
    message = read("iso20_cert_install_req")

    assert isinstance(message, CertificateInstallationReq20)
    assert (message.header.session_id, message.header.timestamp) == (SESSION_ID, 1_767_225_600)
    assert message.oem_chain == chain("pki_iso20", "oemLeaf", "oemSub2", "oemSub1", part_id="id1")
    assert [root.serial_number for root in message.root_certificate_ids] == [1014, 1015]
    assert (message.maximum_contract_certificate_chains, message.prioritized_emaids) == (3, ())


def test_signature_of_20() -> None:
    signature = read("iso20_cert_install_req").header.signature

    assert signature is not None
    assert len(signature.value) == 132
    assert signature.signed_info.references[0].digest_method == Suite.ISO_20.digest_method


def test_prioritized_emaids() -> None:
    message = read("iso20_cert_install_req_emaids")

    assert isinstance(message, CertificateInstallationReq20)
    assert message.prioritized_emaids == ("DE8EXC12345678A", "DE8EXC12345678B")


def test_answer_of_20() -> None:
    message = read("iso20_cert_install_res")

    assert isinstance(message, CertificateInstallationRes20)
    assert (message.response_code, message.evse_processing) == ("OK", "Finished")
    assert message.cps_chain == chain("pki_iso20", "cpsLeaf", "cpsSub2", "cpsSub1")
    assert message.installation_data.contract_chain == chain("pki_iso20", "contract", "moSub2", "moSub1")
    assert (message.installation_data.id, message.remaining_contract_certificate_chains) == ("id1", 0)


@pytest.mark.parametrize(
    ("name", "curve", "wrapping", "size"),
    [
        ("iso20_cert_install_res", "SECP521", KeyWrapping.SECP521, 94),
        ("iso20_cert_install_res_x448", "X448", KeyWrapping.X448, 84),
        ("iso20_cert_install_res_tpm", "SECP521", KeyWrapping.TPM, 206),
    ],
)
def test_wrapped_keys_of_20(name: str, curve: str, wrapping: KeyWrapping, size: int) -> None:
    message = read(name)

    assert isinstance(message, CertificateInstallationRes20)
    data = message.installation_data
    assert (data.ecdh_curve, data.key_wrapping) == (curve, wrapping)
    assert (len(data.encrypted_private_key), len(data.dh_public_key)) == (size, 133)


# --- what is refused, or read and refused later ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "extra"),
    [("with_KeyInfo", "KeyInfo in Signature"), ("with_xpath_transform", "XPath in Transform")],
)
def test_what_is_xml_signature_but_not_15118_is_read_and_named(name: str, extra: str) -> None:
    signature = read(f"negative/iso2_cert_install_req.{name}").header.signature

    assert signature is not None
    assert signature.extras == (extra,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("iso2_cert_install_req.string_table_hits", "a hit in the string table"),
        ("iso2_cert_install_req.unqualified_Id_schema_deviation", "something that the schema doesn't have here"),
        ("iso2_wrong_namespace_root", "the root element isn't a message"),
    ],
)
def test_what_is_no_message(name: str, reason: str) -> None:
    with pytest.raises(ExiError, match=reason):
        read(f"negative/{name}")


@pytest.mark.parametrize("name", ["iso2_cert_install_req", "iso20_cert_install_req"])
def test_a_message_of_the_other_generation(name: str) -> None:
    other = Schema.ISO_2 if name.startswith("iso20") else Schema.ISO_20

    with pytest.raises(ExiError):
        read_message((VECTORS / f"{name}.exi").read_bytes(), other)


def element(name: str, *children: Element, value: Value | None = None, **attributes: str) -> Element:
    """Return an element of no namespace: reading goes by local names, for the codec has seen to the rest."""
    return Element(
        QName("", name), children, value, tuple((QName("", each), word) for each, word in attributes.items())
    )


HEADER = element("Header", element("SessionID", value=SESSION_ID))


@pytest.mark.parametrize(
    ("root", "schema", "reason"),
    [
        (element("V2G_Message", HEADER, element("Body")), Schema.ISO_2, "the Body of the V2G_Message is empty"),
        (
            element("V2G_Message", HEADER, element("Body", element("SessionSetupReq"))),
            Schema.ISO_2,
            "a SessionSetupReq isn't a message about contract certificates",
        ),
        (element("MeteringConfirmationReq"), Schema.ISO_20, "a MeteringConfirmationReq isn't a message about"),
        (element("CertificateInstallationReq"), Schema.ISO_2, "a CertificateInstallationReq isn't a message about"),
        (element("V2G_Message"), Schema.ISO_2, "V2G_Message has no Header"),
        (
            element("V2G_Message", HEADER, element("Body", element("CertificateInstallationReq"))),
            Schema.ISO_2,
            "CertificateInstallationReq has no Id",
        ),
        (
            element("V2G_Message", element("Header", element("SessionID", value="30")), element("Body")),
            Schema.ISO_2,
            "SessionID isn't octets",
        ),
        (
            element("CertificateInstallationRes", HEADER),
            Schema.ISO_20,
            "CertificateInstallationRes has no ResponseCode",
        ),
        (
            element("CertificateInstallationRes", HEADER, element("ResponseCode", value=0)),
            Schema.ISO_20,
            "ResponseCode isn't text",
        ),
        (
            element("V2G_Message", element("Header", element("SessionID", value=b""), element("TimeStamp", value="1"))),
            Schema.ISO_2,
            "TimeStamp isn't a number",
        ),
    ],
)
def test_elements_that_are_no_message(
    root: Element, schema: Schema, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "decode_document", lambda exi, schema: root)

    with pytest.raises(ExiError, match=reason):
        read_message(b"", schema)


def method(name: str, *children: Element, value: Value | None = None) -> Element:
    return element(name, *children, value=value, Algorithm="a")


DIGEST = (method("DigestMethod"), element("DigestValue", value=b"digest"))


def test_everything_that_a_signature_may_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    info = element(
        "SignedInfo",
        method("CanonicalizationMethod", value="text"),
        method("SignatureMethod", element("HMACOutputLength", value=8)),
        element(
            "Reference", element("Transforms", method("Transform", element("XPath", value="/"))), *DIGEST, URI="#1"
        ),
        element("Reference", *DIGEST, Type="t", Id="of reference"),
        Id="of info",
    )
    value = element("SignatureValue", value=b"value", Id="of value")
    signature = element("Signature", info, value, element("KeyInfo"), element("Object"), element("Object"), Id="fine")
    root = element("V2G_Message", element("Header", element("SessionID", value=b""), signature), element("Body"))
    monkeypatch.setattr(reading, "decode_document", lambda exi, schema: root)
    read_header = reading._header(root.children[0])

    assert read_header.signature is not None
    assert read_header.signature.extras == (
        "HMACOutputLength in SignatureMethod",
        "Id of SignatureValue",
        "Id of SignedInfo",
        "KeyInfo in Signature",
        "Object in Signature",
        "Reference without URI",
        "Type of Reference",
        "XPath in Transform",
        "text in CanonicalizationMethod",
    )
    assert read_header.signature.id == "fine"
    assert read_header.signature.signed_info.references == (
        Reference("#1", b"digest", "a", ("a",)),
        Reference("", b"digest", "a", (), "of reference"),
    )


def test_a_method_without_its_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    info = element("SignedInfo", element("CanonicalizationMethod"), method("SignatureMethod"))
    header = element("Header", element("SessionID", value=b""), element("Signature", info))
    monkeypatch.setattr(reading, "decode_document", lambda exi, schema: element("V2G_Message", header))

    with pytest.raises(ExiError, match="CanonicalizationMethod has no Algorithm"):
        read_message(b"", Schema.ISO_2)
