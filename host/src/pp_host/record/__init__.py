"""The record: one append-only, signed Merkle log of what happened. Bytes that must never change live here."""
