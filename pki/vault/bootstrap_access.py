"""Who may do what: the roles by which is signed, the ACL policies, the gateway's AppRole and its secret_id."""

from dataclasses import dataclass
from pathlib import Path

from pki.pem_files import FOLDER_MODE, SECRET_MODE, write_file
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import Finding, Findings, change, right, settled
from pki.vault.bootstrap_plan import (
    TOKEN_POLICY,
    AppRolePlan,
    CpsKey,
    FirmwareKey,
    Plan,
    Use,
    policy_names,
    policy_text,
    role_body,
)


@dataclass(slots=True)
class Login:
    """What the gateway logs in with."""

    role_id: str | None = None


def set_up_roles(vault: Administrator, plan: Plan) -> Findings:
    """Yield what is found of the role of each use."""
    for use in plan.uses:
        path = f"{use.mount}/roles/{use.role}"
        body = role_body(use, plan.owner(use))
        yield settled(f"role {use.mount}/{use.role}", body, vault.read(path), vault.writing(path, body))


def set_up_policies(vault: Administrator, plan: Plan) -> Findings:
    """Yield what is found of each ACL policy."""
    yield _policy(vault, f"voltgate-{TOKEN_POLICY}", None)
    for use in (*plan.granted, *(() if plan.firmware is None else (plan.firmware,))):
        yield _policy(vault, use.policy, use)


def set_up_approle(
    vault: Administrator, plan: Plan, approle: AppRolePlan, login: Login, secret_id_file: Path | None, *, look: bool
) -> Findings:
    """Yield what is found of the gateway's login. ``look``: nothing is asked that needs more than reading."""
    found = (vault.read("sys/auth") or {}).get(f"{approle.mount}/")
    subject = f"login {approle.mount}"
    if found is None:
        yield change(subject, "approle enabled", vault.writing(f"sys/auth/{approle.mount}", {"type": "approle"}))
    elif found.get("type") != "approle":
        raise BootstrapFailed(f"auth/{approle.mount} is of type {found.get('type')}; name another one")
    else:
        yield right(subject)
    role = vault.read(approle.path)
    body = approle.settings(policy_names(plan, (role or {}).get("token_policies") or ()))
    yield settled(f"role {approle.path}", body, role, vault.writing(approle.path, body))
    told = vault.read(f"{approle.path}/role-id")
    login.role_id = str(told["role_id"]) if told else None
    if secret_id_file is not None:
        yield _secret_id(vault, approle, secret_id_file, look=look)


def _policy(vault: Administrator, name: str, use: Use | CpsKey | FirmwareKey | None) -> Finding:
    path = f"sys/policies/acl/{name}"
    text = policy_text(use)
    found = vault.read(path)
    subject = f"policy {name}"
    if found is None:
        return change(subject, "created", vault.writing(path, {"policy": text}))
    # A policy of this name that allows more is a hole: it is replaced whole.
    was, wanted = (_lines(str(each)) for each in (found.get("policy", ""), text))
    if was == wanted:
        return right(subject)
    gone = ", ".join(line for line in was if line not in wanted) or "nothing"
    return change(subject, f"replaced; what it no longer says: {gone}", vault.writing(path, {"policy": text}))


def _lines(policy: str) -> list[str]:
    """Return what a policy says, without comments and layout."""
    stripped = (line.strip() for line in policy.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _secret_id(vault: Administrator, approle: AppRolePlan, file: Path, *, look: bool) -> Finding:
    subject = f"secret_id in {file}"
    there = file.exists()
    if there and (look or _is_valid(vault, approle, file)):
        return right(subject, "there" if look else "valid")

    def mint() -> None:
        _replaceable(file)
        secret_id = str(vault.write(f"{approle.path}/secret-id", {})["secret_id"])
        write_file(file, secret_id.encode(), SECRET_MODE)

    return change(subject, "replaced: Vault doesn't take the one that was there" if there else "created", mint)


def _is_valid(vault: Administrator, approle: AppRolePlan, file: Path) -> bool:
    try:
        secret_id = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BootstrapFailed(f"{file} can't be read ({type(error).__name__}); name another file") from None
    return bool(secret_id and vault.write(f"{approle.path}/secret-id/lookup", {"secret_id": secret_id}))


def _replaceable(file: Path) -> None:
    """Return when the file can be written, in a folder that is made where it is missing (mode 0700).

    Raises BootstrapFailed: a secret_id that can't be kept isn't made.
    """
    try:
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        write_file(file, b"", SECRET_MODE)
    except OSError as error:
        raise BootstrapFailed(f"{file} can't be written: {error.strerror}; name another file") from None
