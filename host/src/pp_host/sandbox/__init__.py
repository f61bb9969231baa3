"""The walls around one plugin process. Knows no manifest and no plugin: it gets a frozen plan and enforces it.

Read zygote.py and jail.py first: the order of the zygote's and of a child's steps. Each step lives in the file of its
kernel facility. The host's side (plan, launch, nursery, attest, fatal, probe, walls) imports no ctypes and runs on any
system; the rest runs in a zygote and its children only. A wall that cannot be built is refused by name, never left out.
"""
