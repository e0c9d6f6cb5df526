# The gateway's own server certificates: sign by one role, revoke what this mount has issued, see the role's settings.
# The chain, the CRL and OCSP need no permission: Vault shows them to everybody.
#
# What isn't among the allowed parameters is refused. not_after would let a certificate outlive the role's max_ttl.
path "voltgate-server/sign/csms_server" {
  capabilities = ["update"]
  allowed_parameters = {
    "csr" = []
    "common_name" = []
    "alt_names" = []
    "ip_sans" = []
    "ttl" = []
    "format" = []
    "exclude_cn_from_sans" = []
  }
}

path "voltgate-server/roles/csms_server" {
  capabilities = ["read"]
}

path "voltgate-server/revoke" {
  capabilities = ["update"]
  allowed_parameters = {
    "serial_number" = []
  }
}
