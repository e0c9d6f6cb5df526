# The key of the provisioning service that signs answers to vehicles (ISO 15118-20): sign with it, and see which of its
# versions is the certificate's. It can't be exported, rotated or deleted.
#
# What isn't among the allowed parameters is refused, and so is another value than the ones listed.
path "voltgate-cps/sign/cps_20" {
  capabilities = ["update"]
  allowed_parameters = {
    "input" = []
    "key_version" = []
    "hash_algorithm" = ["sha2-512"]
    "marshaling_algorithm" = ["jws"]
    "prehashed" = [false]
  }
  required_parameters = ["hash_algorithm", "marshaling_algorithm"]
}

path "voltgate-cps/keys/cps_20" {
  capabilities = ["read"]
}
