# Certificates that stations show to vehicles (ISO 15118): sign, revoke what this mount has issued, see the role's
# settings. The chain, the CRL and OCSP need no permission: Vault shows them to everybody.
#
# sign-verbatim, because vehicles ask for a DC in the subject ([V2G2-925]) and sign drops it. It takes the subject from
# the CSR, which the gateway has reviewed: that is why these certificates have a mount of their own.
#
# What isn't among the allowed parameters is refused. not_after would let a certificate outlive the role's max_ttl.
path "voltgate-v2g/sign-verbatim/secc" {
  capabilities = ["update"]
  allowed_parameters = {
    "csr" = []
    "ttl" = []
    "format" = []
    "key_usage" = []
    "ext_key_usage" = []
  }
}

path "voltgate-v2g/roles/secc" {
  capabilities = ["read"]
}

path "voltgate-v2g/revoke" {
  capabilities = ["update"]
  allowed_parameters = {
    "serial_number" = []
  }
}
