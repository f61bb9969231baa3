"""A report drawn: one self-contained page, and the same figures as pictures."""
