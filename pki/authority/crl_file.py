"""The CRL of a CA in a folder: ``crl.pem``, the one record of what that CA has revoked.

``serve`` and a command may both revoke at once: the file is read, changed and replaced under a lock on the folder,
which the kernel drops with the process that holds it. Readers need no lock: the file is replaced whole.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import AuthorityUnavailable, SigningRefused
from pki.authority.ca_folder import check_dates
from pki.issued import SERIAL_BITS_MAX
from pki.issuing import Issuer, revocation_list
from pki.pem_files import PUBLIC_MODE, write_file

CRL_FILE: Final = "crl.pem"
LIFETIME: Final = timedelta(days=7)
"""From thisUpdate to nextUpdate. A CRL is made anew when half of it is over."""

_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{1,40}", re.ASCII)


class CrlFile:
    """The CRL of the CA ``issuer`` in ``folder``. Every method blocks, and raises AuthorityUnavailable.

    What is revoked stays listed until the CA ends: nothing in a CRL says when a certificate would have expired.
    CRL numbers are seconds since 1970, or one more than the last: also after the file was restored from a backup or
    lost, the next is greater than any that was seen.
    """

    def __init__(self, folder: Path, issuer: Issuer) -> None:
        self._path = folder / CRL_FILE
        self._issuer = issuer

    def revoke(self, serial: str, reason: x509.ReasonFlags, now: datetime) -> None:
        """List ``serial`` (hex) as revoked, on the disk when this returns. The first reason and time given stay.

        Raises SigningRefused for what is no serial number or no reason.
        """
        number = _serial(serial)
        if reason is x509.ReasonFlags.remove_from_crl:
            raise SigningRefused("removeFromCRL is no reason to revoke (RFC 5280 5.3.1); what is revoked stays so")
        builder = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now.replace(microsecond=0))
        if reason is not x509.ReasonFlags.unspecified:
            builder = builder.add_extension(x509.CRLReason(reason), critical=False)
        with self._locked():
            known = self._read()
            if known is None or known.get_revoked_certificate_by_serial_number(number) is None:
                self._write(known, [*(known or ()), builder.build()], now)

    def current(self, now: datetime) -> bytes:
        """Return the CRL in PEM; where there is none yet, or half its life is over, make one."""
        known = self._read()
        if known is None or _is_half_over(known, now):
            with self._locked():
                known = self._read()
                if known is None or _is_half_over(known, now):
                    known = self._write(known, list(known or ()), now)
        return known.public_bytes(Encoding.PEM)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            os.close(folder)

    def _unavailable(self, error: OSError) -> AuthorityUnavailable:
        return AuthorityUnavailable(
            f"{self._path}: {error.strerror or error}; the CA must be able to read and replace it"
        )

    def _read(self) -> x509.CertificateRevocationList | None:
        """Return what was revoked so far; None where nothing ever was.

        A file that can't be read isn't taken for an empty one: that would bring every revoked certificate back.
        """
        try:
            crl = x509.load_pem_x509_crl(self._path.read_bytes())
            is_own = crl.is_signature_valid(self._issuer.key.public_key())
            _number(crl)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error
        except (ValueError, x509.ExtensionNotFound) as error:
            raise AuthorityUnavailable(f"{self._path} is damaged; restore it from a backup: {error}") from error
        if not is_own:
            raise AuthorityUnavailable(f"{self._path} wasn't signed by issuing.key; restore the one that was")
        return crl

    def _write(
        self, known: x509.CertificateRevocationList | None, entries: list[x509.RevokedCertificate], now: datetime
    ) -> x509.CertificateRevocationList:
        check_dates("the issuing CA", self._issuer.certificate, now)
        number = int(now.timestamp()) if known is None else max(_number(known) + 1, int(now.timestamp()))
        crl = revocation_list(self._issuer, entries, number=number, now=now, lifetime=LIFETIME)
        write_file(self._path, crl.public_bytes(Encoding.PEM), PUBLIC_MODE)
        return crl


def _serial(text: str) -> int:
    number = int(text, 16) if _SERIAL.fullmatch(text) else 0
    if not 0 < number.bit_length() <= SERIAL_BITS_MAX:
        raise SigningRefused(f"{text[:50]!a} isn't a serial number in hex (1 to 40 digits)")
    return number


def _number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _is_half_over(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    until = crl.next_update_utc
    return until is None or now >= crl.last_update_utc + (until - crl.last_update_utc) / 2
