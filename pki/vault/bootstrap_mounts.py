"""The secrets engines: there, of the right kind, with lifetimes that don't cut certificates short, CRLs and URLs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pki.issuing import ROOT_LIFETIME
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import Finding, Findings, change, right, settled
from pki.vault.bootstrap_plan import CRL_SETTINGS, Plan, url_settings

DEFAULT_MAX: Final = timedelta(hours=768)
"""Vault's own bound where nothing else is said: an engine cuts every certificate to it, whatever its role says."""


def set_up_mounts(vault: Administrator, plan: Plan) -> Findings:
    """Yield what is found of every engine and its settings. Raises BootstrapFailed where the namespace isn't there."""
    if vault.read("sys/mounts") is None:
        where = f"there is no namespace {vault.namespace}" if vault.namespace else "there is no Vault at this address"
        raise BootstrapFailed(f"{where}: sys/mounts isn't found; make it, or name another one")
    # With three URLs an issuing CA, or a contract, has more than the 800 bytes that vehicles take ([V2G2-010]). Whoever
    # checks an issuing CA has its root, and contracts travel with their chain.
    brief = {plan.root_mount, *(use.mount for use in plan.uses if use.profile.subject.domain_component == "MO")}
    for mount, longest in mounts(plan):
        yield from _mount(vault, mount, max(longest, DEFAULT_MAX))
        yield _crl(vault, mount)
        if plan.public_url is not None:
            yield _urls(vault, mount, plan.public_url, is_issuer_named=mount not in brief)


def mounts(plan: Plan) -> Iterator[tuple[str, timedelta]]:
    """Yield each engine with the longest validity of what it issues."""
    if plan.root_mount is not None:
        yield plan.root_mount, ROOT_LIFETIME
    for use in plan.uses:
        yield use.mount, use.profile.validity.lifetime


def _mount(vault: Administrator, mount: str, longest: timedelta) -> Findings:
    subject = f"engine {mount}"
    wanted = int(longest.total_seconds())
    found = (vault.read("sys/mounts") or {}).get(f"{mount}/")
    if found is None:
        body = {
            "type": "pki",
            "description": "Voltgate: certificates of charging stations",
            "config": {"max_lease_ttl": f"{wanted}s"},
        }
        yield change(
            subject, f"created: pki, max_lease_ttl {_hours(wanted)}", vault.writing(f"sys/mounts/{mount}", body)
        )
        return
    if found.get("type") != "pki":
        raise BootstrapFailed(f"{mount} is an engine of type {found.get('type')}; name another one for Voltgate")
    bound = int((vault.read(f"sys/mounts/{mount}/tune") or {}).get("max_lease_ttl") or 0)
    if bound >= wanted:
        yield right(subject, f"max_lease_ttl {_hours(bound)}")
        return
    yield change(
        subject,
        f"max_lease_ttl {_hours(bound)} -> {_hours(wanted)}: it would cut certificates short",
        vault.writing(f"sys/mounts/{mount}/tune", {"max_lease_ttl": f"{wanted}s"}),
    )


def _crl(vault: Administrator, mount: str) -> Finding:
    path = f"{mount}/config/crl"
    return settled(
        f"CRL and OCSP of {mount}", CRL_SETTINGS, vault.read(path), vault.writing(path, CRL_SETTINGS), done="set"
    )


def _urls(vault: Administrator, mount: str, public_url: str, *, is_issuer_named: bool) -> Finding:
    path = f"{mount}/config/urls"
    within = f"{vault.namespace.strip('/')}/{mount}" if vault.namespace else mount
    body = url_settings(within, public_url, is_issuer_named=is_issuer_named)
    return settled(f"URLs in certificates of {mount}", body, vault.read(path), vault.writing(path, body), done="set")


def _hours(seconds: int) -> str:
    return f"{seconds // 3600}h"
