"""`voltgate pki bootstrap`: set up an empty Vault or OpenBao for Voltgate. It needs no configuration of the gateway."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from gateway.cli.output import Failed, JsonOption, print_json, printable
from gateway.cli.pki_plan import Generation, KeyType, Wishes, administrator, approle_plan, chosen_engines, plan_for
from pki.pem_files import PUBLIC_MODE, write_file
from pki.vault.bootstrap import Outcome, authority_section, cps_section
from pki.vault.bootstrap import bootstrap as set_up
from pki.vault.bootstrap_authorities import Papers
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import Finding, State
from pki.vault.bootstrap_plan import CPS_KEY_TYPES, MOUNTS, ROOT_MOUNT, Plan, policy_names

MARKS: Final = {State.RIGHT: "right  ", State.CHANGED: "changed", State.ATTENTION: "look at"}
WOULD_CHANGE: Final = "change "
"""The mark of a change in a dry run."""

_NAMES: Final = "Names of engines"
_CONTRACTS: Final = "Plug & Charge"
_LOGIN: Final = "The gateway's login"
_OFFLINE: Final = "Offline root"

Operator = Annotated[str, typer.Option(help="Your name, as `operator` in voltgate.yaml: the O of every certificate.")]
Address = Annotated[str, typer.Option(envvar=["BAO_ADDR", "VAULT_ADDR"], help="Vault's or OpenBao's URL.")]
CaCert = Annotated[
    Path | None,
    typer.Option(envvar=["BAO_CACERT", "VAULT_CACERT"], help="The only roots that may have signed its certificate."),
]
Namespace = Annotated[
    str | None, typer.Option(envvar=["BAO_NAMESPACE", "VAULT_NAMESPACE"], help="The namespace to work in.")
]
V2g = Annotated[bool, typer.Option("--v2g", help="Certificates that stations show to vehicles, too (ISO 15118).")]
Server = Annotated[bool, typer.Option("--server", help="The gateway's own server certificates, too.")]
Contract = Annotated[
    list[Generation] | None,
    typer.Option(help="Contract certificates of ISO 15118-2 or -20, too; repeatable.", rich_help_panel=_CONTRACTS),
]
CpsOption = Annotated[
    list[Generation] | None,
    typer.Option(
        "--cps", help="A key that signs answers to vehicles of ISO 15118-2 or -20.", rich_help_panel=_CONTRACTS
    ),
]
Firmware = Annotated[
    KeyType | None,
    typer.Option(help="A key that signs firmware, where you are the signer; the gateway's login may not use it."),
]
MobilityOperator = Annotated[
    str | None,
    typer.Option(help="The O of contract certificates; default: the operator.", rich_help_panel=_CONTRACTS),
]
Mount = Annotated[
    list[str] | None,
    typer.Option(help="contract=NAME, contract_20=NAME, cps=NAME, firmware=NAME; repeatable.", rich_help_panel=_NAMES),
]
ServerName = Annotated[
    list[str] | None, typer.Option(help="The only host names of server certificates; repeatable; default: any.")
]
PublicUrl = Annotated[
    str | None,
    typer.Option(help="Where others reach Vault's public paths: CRL, OCSP and issuer URLs in certificates."),
]
Lifetime = Annotated[
    list[str] | None, typer.Option(help="USE=90d: the longest validity, instead of the profile's; repeatable.")
]
OfflineRoot = Annotated[
    bool, typer.Option("--offline-root", help="Make no root: give out CSRs to sign.", rich_help_panel=_OFFLINE)
]
Intermediate = Annotated[
    list[str] | None,
    typer.Option(
        help="USE=FILE: the signed issuing CA, then the CAs above it up to the root; without USE= it is the stations'.",
        rich_help_panel=_OFFLINE,
    ),
]
RootMount = Annotated[str, typer.Option(help="Of the roots.", rich_help_panel=_NAMES)]
StationsMount = Annotated[str, typer.Option(help="Of station certificates.", rich_help_panel=_NAMES)]
V2gMount = Annotated[str, typer.Option(help="Of SECC certificates.", rich_help_panel=_NAMES)]
ServerMount = Annotated[str, typer.Option(help="Of server certificates.", rich_help_panel=_NAMES)]
WithAppRole = Annotated[
    bool,
    typer.Option("--approle/--no-approle", help="An AppRole; without it, bind the policies.", rich_help_panel=_LOGIN),
]
AppRoleMount = Annotated[str, typer.Option(help="Where AppRole is enabled.", rich_help_panel=_LOGIN)]
SecretIdFile = Annotated[
    Path | None,
    typer.Option(help="Where a secret_id is written, mode 0600; without it none is made.", rich_help_panel=_LOGIN),
]
TokenTtl = Annotated[str, typer.Option(help="Of the gateway's tokens; it renews them.", rich_help_panel=_LOGIN)]
TokenMaxTtl = Annotated[str, typer.Option(help="Then it logs in anew.", rich_help_panel=_LOGIN)]
SecretIdTtl = Annotated[str, typer.Option(help="0s: until it is rotated.", rich_help_panel=_LOGIN)]
GatewayNetwork = Annotated[
    list[str] | None,
    typer.Option(help="From where alone the login and its tokens work; repeatable.", rich_help_panel=_LOGIN),
]
Out = Annotated[Path | None, typer.Option(help="A folder for the roots' certificates and the CSRs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be changed, and change nothing.")]


def bootstrap(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    operator: Operator,
    address: Address,
    cacert: CaCert = None,
    namespace: Namespace = None,
    v2g: V2g = False,
    server: Server = False,
    server_name: ServerName = None,
    contract: Contract = None,
    cps: CpsOption = None,
    mobility_operator: MobilityOperator = None,
    firmware: Firmware = None,
    lifetime: Lifetime = None,
    public_url: PublicUrl = None,
    offline_root: OfflineRoot = False,
    intermediate: Intermediate = None,
    root_mount: RootMount = ROOT_MOUNT,
    stations_mount: StationsMount = MOUNTS["station"],
    v2g_mount: V2gMount = MOUNTS["v2g"],
    server_mount: ServerMount = MOUNTS["server"],
    mount: Mount = None,
    approle: WithAppRole = True,
    approle_mount: AppRoleMount = "approle",
    secret_id_file: SecretIdFile = None,
    token_ttl: TokenTtl = "1h",  # noqa: S107  # how long, not what
    token_max_ttl: TokenMaxTtl = "24h",  # noqa: S107  # as above
    secret_id_ttl: SecretIdTtl = "0s",  # noqa: S107  # as above
    gateway_network: GatewayNetwork = None,
    out: Out = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Set up Vault or OpenBao: engines, CAs, roles, policies, login. A second run finds everything right.

    It needs an administrator's token (VAULT_TOKEN, or what `vault login` has left). It deletes nothing.
    """
    contracts, keys, signing = chosen_engines(contract or [], cps or [], firmware, mount or [])
    mounts = {"station": stations_mount} | ({"v2g": v2g_mount} if v2g else {})
    mounts |= ({"server": server_mount} if server else {}) | contracts
    root, chains, lifetimes = None if offline_root else root_mount, intermediate or [], lifetime or []
    names = server_name or []
    wishes = Wishes(operator, mounts, root, chains, lifetimes, public_url, names, mobility_operator, keys, signing)
    terms = (approle_mount, token_ttl, token_max_ttl, secret_id_ttl, gateway_network or [])
    plan = plan_for(wishes, approle_plan(*terms) if approle else None)
    with administrator(address, cacert, namespace) as vault:
        _Run(vault, plan, secret_id_file if approle else None, out, dry_run=dry_run, as_json=as_json).go()


@dataclass(frozen=True, slots=True)
class _Run:
    vault: Administrator
    plan: Plan
    secret_id_file: Path | None
    out: Path | None
    dry_run: bool
    as_json: bool

    def go(self) -> None:
        """Raises Failed."""
        try:
            self._set_up()
        except (BootstrapFailed, OSError) as error:
            raise Failed(str(error)) from None

    def _set_up(self) -> None:
        outcome = set_up(
            self.vault,
            self.plan,
            now=datetime.now(UTC),
            secret_id_file=self.secret_id_file,
            dry_run=self.dry_run,
            tell=self._tell,
        )
        section = authority_section(self.vault, self.plan, outcome, self.secret_id_file)
        if self.plan.cps:
            native = cps_section(self.vault, self.plan, outcome, self.secret_id_file)
            owner = {"mobility_operator": self.plan.mobility_operator} if self.plan.mobility_operator else {}
            roots = {"oem_roots": "certs/oem-roots.pem"}
            section["plug_and_charge"] = {"providers": {"own": {"native": native}}, **owner, **roots}
        written = {} if self.out is None or self.dry_run else _write_papers(self.out, outcome.papers)
        if self.as_json:
            print_json(self._shown(outcome) | {"written": [str(each) for each in written.values()]} | section)
            return
        self._print_end(outcome, section, written)

    def _tell(self, finding: Finding) -> None:
        if self.as_json:
            return
        mark = WOULD_CHANGE if self.dry_run and finding.state is State.CHANGED else MARKS[finding.state]
        typer.echo(f"{mark}  {printable(str(finding))}")

    def _shown(self, outcome: Outcome) -> dict[str, Any]:
        kinds = {state.value: [str(each) for each in outcome.of(state)] for state in State}
        return {
            "dry_run": self.dry_run,
            **kinds,
            "role_id": outcome.login.role_id,
            "csrs": outcome.papers.csrs | outcome.papers.requests,
            "roots": outcome.papers.roots,
        }

    def _print_end(self, outcome: Outcome, section: dict[str, Any], written: dict[str, Path]) -> None:
        changed = len(outcome.of(State.CHANGED))
        if not changed:
            typer.echo("\nnothing changed" if not self.dry_run else "\nnothing would change")
        else:
            typer.echo(f"\n{changed} changed" if not self.dry_run else f"\n{changed} would change; nothing did")
        for path in written.values():
            typer.echo(f"written: {path}")
        for use, csr in outcome.papers.csrs.items():
            if f"{use}.csr" not in written:
                typer.echo(f"\nto be signed by the offline root ({use}: CA:TRUE, path length 0):\n{csr}", nl=False)
        for name, csr in outcome.papers.requests.items():
            if f"{name}.csr" not in written:
                typer.echo(f"\nto be signed under {_signed_under(name)}:\n{csr}", nl=False)
        typer.echo("\n# voltgate.yaml\n" + yaml.safe_dump(section, sort_keys=False, allow_unicode=True), nl=False)
        if self.plan.approle is None:
            policies = ", ".join(policy_names(self.plan))
            typer.echo(f"# and under each, `auth`: a login whose tokens have the policies {policies}")


def _signed_under(name: str) -> str:
    """Return whose the signature under a CSR is to be, and what it must grant."""
    if name in CPS_KEY_TYPES:
        return f"the V2G root ({name}: DC=CPS, key usage digitalSignature)"
    return f"the root of your firmware ({name}: key usage digitalSignature)"


def _write_papers(folder: Path, papers: Papers) -> dict[str, Path]:
    """Write the roots and the CSRs; none of it is secret. Raises OSError."""
    texts = {f"{use}-root.pem": pem for use, pem in papers.roots.items()}
    texts |= {f"{name}.csr": pem for name, pem in (papers.csrs | papers.requests).items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, pem in texts.items():
        write_file(folder / name, pem.encode(), PUBLIC_MODE)
    return {name: folder / name for name in texts}
