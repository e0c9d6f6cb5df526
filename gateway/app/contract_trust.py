"""Whom vehicles, contracts and provisioning services must lead to: the files and authorities of the configuration.

Looked at again every minute: a manufacturer's new root needs no restart.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.app.ca_files import read_cas
from gateway.app.problems import StartFailed
from gateway.config.plug_and_charge import PlugAndCharge
from pki.iso15118.answers import AnswerVerifier
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import Provision, VerifiedRequest
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import RequestVerifier

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at the files and authorities."""

log = structlog.get_logger(__name__)

Certificates = tuple[x509.Certificate, ...]


Files = dict[str, Certificates]
"""By key of ``plug_and_charge``; a key that isn't configured is missing."""


class Operators(Protocol):
    """The mobility operators whose contracts are taken."""

    async def current(self) -> ContractAuthorities | None:
        """Return whom contracts may come from now; None where nobody is named."""


class AnswersInForce:
    """Looks at what somebody else provided, by the roots that are in force."""

    verifier: AnswerVerifier

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        """Return it under the request's SessionID; for ``emaid``, if that is given. Raises ProvisioningRefused."""
        return self.verifier.check(exi, request, emaid=emaid)


class ContractTrust:
    """The verifiers of requests and answers."""

    def __init__(self, section: PlugAndCharge, operators: Operators) -> None:
        self._section = section
        self._operators = operators
        self._files: Files = {}
        self._contracts: ContractAuthorities | None = None
        self._complaints: dict[str, str] = {}
        self._requests: RequestVerifier
        self.answers = AnswersInForce()
        """Of providers that issue themselves."""
        self.signed_answers = AnswersInForce()
        """Of those that sign what we have issued."""

    def verify(self, exi: bytes, schema: Schema, action: Action) -> VerifiedRequest:
        """Return a request whose signature leads to a root that is trusted. Raises ProvisioningRefused."""
        return self._requests.verify(exi, schema, action)

    async def open(self) -> None:
        """Take up what there is. Raises StartFailed for a file that can't be used."""
        self._files = await asyncio.to_thread(self._read_all, _fail)
        self._contracts = await self._operators.current()
        self._take()

    async def run(self) -> None:
        """Look for ever. What can't be read any more is logged once, and stays in force as it was."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Look once, and take over what is new."""
        files, contracts = await asyncio.to_thread(self._read_all, self._complain), await self._operators.current()
        if files != self._files:
            log.info("contract_trust_changed", **{name: len(found) for name, found in files.items()})
        self._files, self._contracts = files, contracts
        self._take()

    def _read_all(self, complain: Callable[[str, str], None]) -> Files:
        section = self._section
        paths = {
            "oem_roots": section.oem_roots,
            "oem_intermediates": section.oem_intermediates,
            "v2g_roots": section.v2g_roots,
        }
        found = {}
        for name, path in paths.items():
            if path is not None:
                found[name] = self._read(name, path, complain)
        return found

    def _read(self, name: str, path: Path, complain: Callable[[str, str], None]) -> Certificates:
        try:
            certificates = read_cas(path)
        except OSError as error:
            complain(name, f"{path}: {error.strerror}")
        except ValueError as error:
            complain(name, f"{path} {error}")
        else:
            self._complaints.pop(name, None)
            return certificates
        return self._files.get(name, ())

    def _complain(self, name: str, complaint: str) -> None:
        if self._complaints.get(name) != complaint:
            log.error("contract_trust_not_reloaded", key=f"plug_and_charge.{name}", reason=complaint)
            self._complaints[name] = complaint

    def _take(self) -> None:
        """Make the verifiers anew."""
        files, profiles = self._files, self._section.certificate_profiles
        contracts = None if self._contracts is None else self._contracts.paths
        v2g = TrustedPaths(files["v2g_roots"]) if "v2g_roots" in files else None
        oem = TrustedPaths(files.get("oem_roots", ()), files.get("oem_intermediates", ()))
        self._requests = RequestVerifier(oem, contracts or TrustedPaths(()), profiles=profiles)
        others = contracts if self._section.mo_roots is not None else None
        self.answers.verifier = AnswerVerifier(v2g, others, profiles=profiles)
        self.signed_answers.verifier = AnswerVerifier(v2g, contracts, profiles=profiles)


def _fail(name: str, complaint: str) -> None:
    raise StartFailed(f"plug_and_charge.{name}: {complaint}")
