"""OCSP (RFC 6960): an own client, from the question by hashes to the verified, cached answer.

``request`` and ``response`` are pure: bytes in, bytes or an answer out. ``client`` asks, remembers and lets the many
that ask the same wait for one question; ``source`` makes it a further source of revocation for the edge.
"""
