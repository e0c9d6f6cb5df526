"""The names of contracts and vehicles: eMAID and PCID (ISO 15118-2 annex H, DIN SPEC 91286, VDE-AR-E 2802-100-1)."""

import re
from dataclasses import dataclass
from typing import Final, Self

_EMAID: Final = re.compile(r"([A-Z]{2})-?([A-Z0-9]{3})-?([A-Z0-9]{9})(?:-?([A-Z0-9]))?", re.IGNORECASE | re.ASCII)
_EMAID_AS_CN: Final = re.compile(rf"CN={_EMAID.pattern}(?![A-Z0-9-])", re.IGNORECASE | re.ASCII)
_PCID: Final = re.compile(r"[A-Z0-9]{17,18}", re.IGNORECASE | re.ASCII)
_SHOWN_MAX: Final = 40
"""Characters of what isn't an identifier that an error repeats."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Emaid:
    """An e-mobility account identifier: what names a charging contract. All parts are in capitals.

    ``str`` of it is the form for people, with hyphens.
    """

    country: str
    """Two letters (ISO 3166-1)."""
    provider: str
    """Three letters or digits."""
    instance: str
    """Nine letters or digits; the first is a C where the mobility operator follows eMI3."""
    check_digit: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person gave: each hyphen may be there or not, in any case.

        Raises ValueError when it isn't an eMAID or its check digit is another, which is how a slip shows.
        """
        emaid = cls.of_peer(text)
        if emaid.check_digit is not None and emaid.check_digit != (right := check_digit_of(emaid.stem)):
            raise ValueError(
                f"the check digit of the eMAID {emaid} must be {right}: one of its characters is wrong "
                "(or leave the check digit out)"
            )
        return emaid

    @classmethod
    def of_peer(cls, text: str) -> Self:
        """Read what a certificate or a message carries. Raises ValueError when it isn't an eMAID.

        The check digit isn't looked at: the mobility operator gave the name, and there are those whose fifteenth
        character is just one more.
        """
        found = _EMAID.fullmatch(text)
        if found is None:
            raise ValueError(
                f"{_quoted(text)} isn't an eMAID: two letters (country), three letters or digits (provider), nine "
                "(the contract) and perhaps a check digit, such as DE-8EX-C12345678-O or DE8EXC12345678"
            )
        country, provider, instance, check_digit = found.groups()
        return cls(country.upper(), provider.upper(), instance.upper(), check_digit and check_digit.upper())

    @property
    def stem(self) -> str:
        """The fourteen characters before the check digit."""
        return self.country + self.provider + self.instance

    @property
    def wire(self) -> str:
        """As certificates and messages of ISO 15118 have it: 14 or 15 characters, without hyphens."""
        return self.stem + (self.check_digit or "")

    @property
    def key(self) -> str:
        """What two ways to write the same contract have in common: without the check digit, if it is one.

        A fifteenth character that isn't the check digit tells contracts apart.
        """
        if self.check_digit is None or self.check_digit == check_digit_of(self.stem):
            return self.stem
        return self.wire

    @property
    def emsp(self) -> str:
        """Whose contract it is: country and provider, five characters."""
        return self.country + self.provider

    def __str__(self) -> str:
        parts = (self.country, self.provider, self.instance, self.check_digit)
        return "-".join(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Pcid:
    """A provisioning certificate identifier: what names a vehicle, the CN of its OEM certificate ([V2G2-933])."""

    text: str
    """17 or 18 letters and digits, in capitals."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a PCID in any case. Raises ValueError.

        An eighteenth character, the check digit, belongs to the name and is taken as it is.
        """
        if not _PCID.fullmatch(text):
            raise ValueError(
                f"{_quoted(text)} isn't a PCID: three letters or digits (the vehicle's manufacturer, WMI), fourteen "
                "(the vehicle) and perhaps a check digit, such as WVWZZZ1KZAW000123"
            )
        return cls(text.upper())

    @property
    def wmi(self) -> str:
        """World Manufacturer Identifier (ISO 3780), three characters."""
        return self.text[:3]

    def __str__(self) -> str:
        return self.text


def without_emaids(text: str) -> str:
    """Return a text with subjects in it (RFC 4514), of each CN that is an eMAID only whose it is: ``CN=DE8EX...``.

    Who reads a log must not be able to charge on every contract in it.
    """
    return _EMAID_AS_CN.sub(r"CN=\1\2...", text)


def check_digit_of(stem: str) -> str:
    """Return the check digit of an eMAID's first fourteen characters, which are capitals and digits.

    A character's number (0 to 35) is two digits of base 2, its ninth of the alphabet, and two of base 3, its place
    there. The pair at place i is multiplied by ((0, 1), (1, 1)) or ((0, 1), (1, 2)) to the power of i, and the check
    digit at place fifteen makes both sums zero (eMI3, "Check Digit Calculation for Contract-IDs").
    """
    ninths, places = (0, 0), (0, 0)
    for character in reversed(stem):  # Horner's scheme: the leftmost character is multiplied once
        ninth, place = divmod(_ALPHABET.index(character), 9)
        ninths = _times(_plus(ninths, divmod(ninth, 2), 2), 1, 2)
        places = _times(_plus(places, divmod(place, 3), 3), 2, 3)
    # The powers repeat after three and after eight: the fifteenth is 1, and the inverse of the first.
    places = _times(places, 2, 3)
    return _ALPHABET[(ninths[0] * 2 + ninths[1]) * 9 + (-places[0] % 3) * 3 + (-places[1] % 3)]


def _plus(a: tuple[int, int], b: tuple[int, int], modulus: int) -> tuple[int, int]:
    return (a[0] + b[0]) % modulus, (a[1] + b[1]) % modulus


def _times(pair: tuple[int, int], corner: int, modulus: int) -> tuple[int, int]:
    """Return ``pair`` times ((0, 1), (1, corner))."""
    return pair[1] % modulus, (pair[0] + corner * pair[1]) % modulus


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
