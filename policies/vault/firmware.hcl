# The key that signs firmware, where the operator is the signer: for whoever releases it (`voltgate firmware sign`), not
# for the gateway. Sign digests with it, and see which of its versions is the certificate's. It can't be exported,
# rotated or deleted.
#
# What isn't among the allowed parameters is refused, and so is another value than the ones listed.
path "voltgate-firmware/sign/firmware" {
  capabilities = ["update"]
  allowed_parameters = {
    "input" = []
    "key_version" = []
    "hash_algorithm" = ["sha2-256"]
    "prehashed" = [true]
    "marshaling_algorithm" = ["asn1"]
    "signature_algorithm" = ["pss"]
    "salt_length" = ["hash"]
  }
  required_parameters = ["hash_algorithm", "prehashed", "marshaling_algorithm"]
}

path "voltgate-firmware/keys/firmware" {
  capabilities = ["read"]
}
