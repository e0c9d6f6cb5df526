# Contract certificates of vehicles (ISO 15118-2): sign, revoke what this mount has issued, see the role's settings. The
# chain, the CRL and OCSP need no permission: Vault shows them to everybody.
#
# sign-verbatim, because they have a DC in the subject ([V2G2-925]) and sign drops it. It takes subject, key usage and
# key identifier from the CSR, which the gateway makes itself: that is why these certificates have a mount of their own.
#
# What isn't among the allowed parameters is refused. not_after would let a certificate outlive the role's max_ttl.
path "voltgate-contracts/sign-verbatim/contract" {
  capabilities = ["update"]
  allowed_parameters = {
    "csr" = []
    "ttl" = []
    "format" = []
    "key_usage" = []
    "ext_key_usage" = []
  }
}

path "voltgate-contracts/roles/contract" {
  capabilities = ["read"]
}

path "voltgate-contracts/revoke" {
  capabilities = ["update"]
  allowed_parameters = {
    "serial_number" = []
  }
}
