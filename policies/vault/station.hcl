# Station certificates: sign by one role, revoke what this mount has issued, see the role's settings. The chain, the CRL
# and OCSP need no permission: Vault shows them to everybody.
#
# What isn't among the allowed parameters is refused, and so is another value than the ones listed: not_after would let
# a certificate outlive the role's max_ttl, alternative names would let it stand for something else than the station:
# without exclude_cn_from_sans the common name becomes one.
path "voltgate-stations/sign/charging_station" {
  capabilities = ["update"]
  allowed_parameters = {
    "csr" = []
    "common_name" = []
    "ttl" = []
    "format" = []
    "alt_names" = [""]
    "ip_sans" = [""]
    "exclude_cn_from_sans" = [true]
  }
  required_parameters = ["exclude_cn_from_sans"]
}

path "voltgate-stations/roles/charging_station" {
  capabilities = ["read"]
}

path "voltgate-stations/revoke" {
  capabilities = ["update"]
  allowed_parameters = {
    "serial_number" = []
  }
}
