"""EST, Enrollment over Secure Transport (RFC 7030, RFC 8951): the client's side.

Every answer is taken over TLS whose server was verified against trust anchors that the operator has named, or the
machine's: the bootstrap distribution of RFC 7030 4.1.1, which trusts first and asks a person later, isn't done.
"""
