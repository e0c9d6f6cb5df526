"""Setting up an empty Vault or OpenBao for Voltgate, again and again with the same end: ``voltgate pki bootstrap``.

Uses only what HashiCorp Vault 1.13 (issuers, templated URLs) and OpenBao have; tested on OpenBao alone. It never
deletes anything and never makes a CA anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pki.vault.bootstrap_access import Login, set_up_approle, set_up_policies, set_up_roles
from pki.vault.bootstrap_authorities import Papers, set_up_authorities
from pki.vault.bootstrap_connection import Administrator
from pki.vault.bootstrap_findings import Finding, Findings, State
from pki.vault.bootstrap_keys import set_up_keys
from pki.vault.bootstrap_mounts import set_up_mounts
from pki.vault.bootstrap_plan import Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found and done."""

    findings: list[Finding] = field(default_factory=list)
    papers: Papers = field(default_factory=Papers)
    login: Login = field(default_factory=Login)

    def of(self, state: State) -> list[Finding]:
        """Return the findings of one kind."""
        return [each for each in self.findings if each.state is state]


def bootstrap(
    vault: Administrator,
    plan: Plan,
    *,
    now: datetime,
    secret_id_file: Path | None = None,
    dry_run: bool = False,
    tell: Callable[[Finding], None] = lambda _: None,
) -> Outcome:
    """Set up what ``plan`` wants, and tell each finding when it is settled.

    With ``dry_run`` nothing is changed, and reading is all that the token must be allowed. Raises BootstrapFailed;
    what was changed until then stays, and the next run goes on from there.
    """
    outcome = Outcome()
    for finding in _findings(vault, plan, outcome, now, secret_id_file, look=dry_run):
        if finding.apply is not None and not dry_run:
            finding.apply()
        outcome.findings.append(finding)
        tell(finding)
    return outcome


def _findings(
    vault: Administrator, plan: Plan, outcome: Outcome, now: datetime, secret_id_file: Path | None, *, look: bool
) -> Findings:
    """Each is yielded before the next thing is looked at, so that it finds what the one before has changed."""
    yield from set_up_mounts(vault, plan)
    yield from set_up_authorities(vault, plan, outcome.papers, now=now, look=look)
    yield from set_up_roles(vault, plan)
    yield from set_up_keys(vault, plan, outcome.papers, look=look)
    yield from set_up_policies(vault, plan)
    if plan.approle is not None:
        yield from set_up_approle(vault, plan, plan.approle, outcome.login, secret_id_file, look=look)


def authority_section(
    vault: Administrator, plan: Plan, outcome: Outcome, secret_id_file: Path | None
) -> dict[str, Any]:
    """Return the ``authority`` section of voltgate.yaml for what was set up."""
    how = (vault, plan, outcome, secret_id_file)
    return {
        "authority": {use.name: {"vault": _server(*how) | {"mount": use.mount, "role": use.role}} for use in plan.uses}
    }


def cps_section(vault: Administrator, plan: Plan, outcome: Outcome, secret_id_file: Path | None) -> dict[str, Any]:
    """Return what goes below ``native`` of a provider in voltgate.yaml; the chains are yet to be signed."""
    how = (vault, plan, outcome, secret_id_file)
    return {
        key.name: {
            "chain": f"certs/{key.name}.pem",
            "transit": _server(*how) | {"mount": key.mount, "key": key.name},
        }
        for key in plan.cps
    }


def _server(vault: Administrator, plan: Plan, outcome: Outcome, secret_id_file: Path | None) -> dict[str, Any]:
    """Return where Vault is, and how the gateway comes in."""
    entry: dict[str, Any] = {"address": vault.address}
    if vault.namespace is not None:
        entry["namespace"] = vault.namespace
    if vault.cacert is not None:
        entry["roots"] = str(vault.cacert.absolute())
    if plan.approle is not None:
        file = Path("secrets/vault-secret-id") if secret_id_file is None else secret_id_file.absolute()
        login = {"role_id": outcome.login.role_id or "ROLE_ID", "secret_id": f"file:{file}"}
        if plan.approle.mount != "approle":
            login["mount"] = plan.approle.mount
        entry["auth"] = {"approle": login}
    return entry
