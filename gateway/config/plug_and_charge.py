"""ISO 15118 Plug & Charge: who provides contract certificates, whom vehicles' certificates must lead to."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from gateway.config.authorities import Timeout, VaultServer
from gateway.config.values import FilePath, List, Named, Network, Organization, Secret, Section, Text

NOBODY: Final = "-"
"""No provider's name: there are several, and none is named."""


class TransitKey(VaultServer):
    """A signing key of a transit engine of HashiCorp Vault or OpenBao; it never leaves it."""

    mount: Text = "transit"
    key: Text


class Cps(Section):
    """A certificate provisioning service's leaf, which signs answers to vehicles: with ``key`` or with ``transit``."""

    chain: FilePath
    """PEM, leaf first, without the V2G root."""
    key: Secret | None = None
    """The private key in PEM: for development."""
    transit: TransitKey | None = None


class NativeProvider(Section):
    """We issue: key and envelope are made here, ``authority.contract`` signs the certificate, the CPS the answer."""

    cps: Cps | None = None
    """ISO 15118-2: P-256. None: its requests are refused."""
    cps_20: Cps | None = None
    """ISO 15118-20: P-521."""


class OAuthClient(Section):
    """OAuth 2.0 client credentials (RFC 6749 4.4)."""

    url: Text
    client_id: Text
    client_secret: Secret
    scope: Text | None = None
    audience: Text | None = None


class Opcp(Section):
    """A provider of the Open Plug&Charge Protocol."""

    url: Text
    """https://host[/path]; /v1/ccp/... follows by itself."""
    token: OAuthClient | None = None
    headers: Named[Secret] = Field(default_factory=dict)
    """Further headers, such as an API key's."""
    roots: FilePath | None = None
    """The only roots that may have signed the provider's own certificate; without it, the machine's trust store."""
    trusted_networks: List[Network] = ()
    """Where plain http:// may be; loopback always may."""
    always_return_exi: bool = False
    """Whether it is to answer refusals with EXI, too."""


class NativeOpcpCps(Section):
    """We issue and encrypt, and an OPCP provider signs under the V2G root."""

    opcp: Opcp
    v2g_root_fingerprint: Text | None = None
    """cpsV2GRootCertificateFingerprint: under which V2G root it is to sign."""


class BackendProvider(Section):
    """The station's own backend: Get15118EVCertificate is passed on to it."""


class Provider(Section):
    """Who provides contract certificates: exactly one of these."""

    native: NativeProvider | None = None
    opcp: Opcp | None = None
    native_opcp_cps: NativeOpcpCps | None = None
    backend: BackendProvider | None = None


class PlugAndCharge(Section):
    """Plug & Charge."""

    providers: Named[Provider] = Field(default_factory=dict)
    """None: contracts are verified in Authorize, and certificates are left to the backend, as without the section."""
    provider: Text = NOBODY
    """Who provides where ``emsps`` names nobody else; a key of ``providers``, the only one if it isn't named."""
    emsps: Named[Text] = Field(default_factory=dict)
    """Providers by eMSP: the first five characters of an eMAID (country and party, such as DE8EX)."""
    mobility_operator: Organization | None = None
    """The O of contract certificates; None: ``operator``."""
    oem_roots: FilePath | None = None
    """Roots of vehicles' OEM provisioning certificates."""
    oem_intermediates: FilePath | None = None
    """The manufacturers' sub-CAs: a request of ISO 15118-2 carries the leaf alone."""
    mo_roots: FilePath | None = None
    """Roots of contract certificates, beside those of ``authority.contract``: for Authorize and for updates."""
    v2g_roots: FilePath | None = None
    """Roots that a provider's answer must lead to."""
    certificate_profiles: Literal["enforce", "warn"] = "enforce"
    """What becomes of certificates that break the profiles of ISO 15118 though their path is sound."""
    timeout: Timeout = 4.0
    """Seconds for one request of a vehicle, which itself gives up after five."""
    requests_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Of one station."""
    revocation: Literal["strict", "available"] = "strict"
    """Authorize with a contract whose OCSP responder doesn't answer: refused; or taken, unless known as revoked."""

    @model_validator(mode="before")
    @classmethod
    def _capitals(cls, data: Any) -> Any:
        """A key of the environment comes in small letters."""
        if isinstance(data, dict) and isinstance(emsps := data.get("emsps"), dict):
            return {**data, "emsps": {str(emsp).upper(): name for emsp, name in emsps.items()}}
        return data

    @model_validator(mode="before")
    @classmethod
    def _name_the_only_provider(cls, data: Any) -> Any:
        if isinstance(data, dict) and "provider" not in data:
            providers = data.get("providers")
            if isinstance(providers, dict) and len(providers) == 1:
                return {**data, "provider": next(iter(providers)) or NOBODY}
        return data
