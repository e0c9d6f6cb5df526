"""`voltgate pki ...`: the PKI that signs, and what the gateway may do there."""

import typer

from gateway.cli import pki_bootstrap, pki_check

app = typer.Typer(help="The PKI that signs: HashiCorp Vault or OpenBao.", no_args_is_help=True)
app.command("bootstrap")(pki_bootstrap.bootstrap)
app.command("check")(pki_check.check)
