"""Which certificates are revoked, and who is asked: CRLs and OCSP responders."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator

from gateway.config.source import Fault, KeyPath
from gateway.config.values import CrlSource, FilePath, List, Network, Section, Text, url_parts
from pki.destinations import Destination, DestinationRefused, Target

BY_CERTIFICATE: Final = "certificate"
"""The value of ``revocation.ocsp`` by which the responder is the one that the certificate names."""


def _who_is_asked(value: Any) -> str:
    if value == BY_CERTIFICATE:
        return BY_CERTIFICATE
    try:
        if not isinstance(value, str):
            raise DestinationRefused("it isn't a URL")  # noqa: TRY301  # said below, in one place
        return str(Target.parse(value))
    except DestinationRefused as refused:
        text = f"must be {BY_CERTIFICATE}, or the URL of a responder such as http://ocsp.example.com/: {refused}"
        raise ValueError(text) from None


def _place(text: str) -> str:
    Destination.parse(text)
    return text


OcspAtTheDoor = Annotated[str, PlainValidator(_who_is_asked)]
Place = Annotated[Text, AfterValidator(_place)]


class Revocation(Section):
    """Which station certificates are revoked, beside those that were revoked here (A00.FR.705)."""

    crls: List[CrlSource] = ()
    """Files, or http and https URLs, of CRLs in PEM or DER; each signed by the CA whose certificates it lists."""
    refresh: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60.0
    """Seconds between two looks at them."""
    ocsp: OcspAtTheDoor | None = None
    """``certificate``: the responder that a certificate names is asked; or the URL of one; None: nobody is."""
    ocsp_refresh: Annotated[float, Field(ge=1, le=604_800, allow_inf_nan=False)] = 3600.0
    """Seconds after which a responder is asked again about a station, whether or not it is connected still."""
    when_unknown: Literal["refuse", "accept"] = "refuse"
    """A certificate about which no valid CRL or OCSP answer says anything; has a meaning where one of them is named."""
    superseded_after: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 86_400.0
    """Seconds for which a station may still come back with its old certificate, after it has come with the new one."""

    @property
    def is_asked_for(self) -> bool:
        """True where the operator has named anybody who is expected to know."""
        return bool(self.crls) or self.ocsp is not None


class Ocsp(Section):
    """Which OCSP responders are asked when a station or a certificate names them (M06; attack B2)."""

    responders: List[Place] | None = None
    """Hosts, host:port, ``*.example.com`` or beginnings of URLs. None: the hosts that the CA certificates of this
    configuration name."""
    networks: List[Network] = ()
    """Networks that aren't public in which a responder may be."""
    issuers: List[FilePath] = ()
    """Files of further CA certificates (PEM), such as V2G sub-CAs: answers about what they issued can be verified."""
    roots: FilePath | None = None
    """The only roots of responders behind https; None: the machine's trust store."""
    timeout: Annotated[float, Field(ge=0.1, le=15, allow_inf_nan=False)] = 5.0
    """Seconds for one question, from resolving the name to the last byte."""


def broken_by_revocation(revocation: Revocation) -> Iterator[Fault]:
    """Yield every rule that the section breaks; the keys begin at it."""
    for index, source in enumerate(revocation.crls):
        if "://" not in source:
            continue
        key: KeyPath = ("crls", index)
        parts = url_parts(source)
        if parts is None or not parts.hostname or re.search(r"\s", source):
            yield key, "must be a path, or a URL such as http://ca.example.com/stations.crl"
        elif parts.username is not None or parts.password is not None:
            yield key, "must not hold a user or password: a CRL is public"
        elif parts.fragment:
            yield key, "must not have a # part"
    if len(set(revocation.crls)) != len(revocation.crls):
        yield ("crls",), "names a CRL twice; remove one"
    if "when_unknown" in revocation.model_fields_set and not revocation.is_asked_for:
        text = "has an effect where revocation.crls or revocation.ocsp names anybody; add them, or remove it"
        yield ("when_unknown",), text
    if "ocsp_refresh" in revocation.model_fields_set and revocation.ocsp is None:
        yield ("ocsp_refresh",), "has an effect where revocation.ocsp is set; add it, or remove this"
