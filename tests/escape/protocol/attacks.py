"""Every way to break the protocol that a table can hold: what is said, at which moment, and how it ends.

Each row has the same words made right, which must pass: an attack whose twin does not pass proves nothing.
"""

from __future__ import annotations

from tests.escape.protocol import contents, framing

ATTACKS = [
    *framing.lengths(),
    *framing.envelopes(),
    *framing.methods(),
    *framing.moments(),
    *framing.ids(),
    *framing.floods(),
    *contents.bombs(),
    *contents.bodies(),
    *contents.requests(),
    *contents.logs(),
]
