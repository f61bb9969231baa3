"""Whose code may run here: packages, keys, signatures, manifests, consent.

Laws: no plugin code is imported or run in this room. Nothing leaves it as a VerifiedPlugin unless
`admit.verify` made it, from the very bytes that will run.
"""
