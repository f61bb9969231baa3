"""Strangers' code put behind the walls by hand: a script, a program, the bytes of a hostile peer.

Law: a guest is treated as any plugin is, by the same supervisor, broker and limits, so that what is seen of it holds
for plugins. What a guest runs inside is in `inside`; no module of it ever runs in the host.
"""
