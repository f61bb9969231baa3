"""Runs a command as a container would: an ordinary user who gains no rights, behind a profile's filter.

    python confined.py PROFILE COMMAND...

Root becomes an ordinary user first, in a mount namespace of its own: with an empty /tmp, and with this checkout and its
Python in sight even where they lie below a folder that only root may enter.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pp_host.sandbox import abi, mounts, namespaces, process, seccomp  # noqa: E402

from tests.deploy.profile import compiled  # noqa: E402

NOBODY = 65534
TMP = Path("/tmp")


def closed(path):
    """The outermost folder above `path` that others may not enter."""
    return next((up for up in reversed(path.parents) if not up.stat().st_mode & 0o001), None)


def become_ordinary():
    needed = sorted({ROOT, Path(sys.base_prefix).resolve()})
    covers = sorted({TMP, *filter(None, map(closed, needed))})
    hidden = [path for path in needed if any(path.is_relative_to(cover) for cover in covers)]
    abi.call("unshare", namespaces._NEW_MOUNT)
    abi.call("mount", None, "/", None, mounts._MS_REC | mounts._MS_PRIVATE, None)
    trees = [
        abi.call("open_tree", abi.AT_FDCWD, str(path), mounts._OPEN_TREE_CLONE | abi.AT_RECURSIVE)
        for path in hidden
    ]
    for cover in covers:
        mounts._mount_tmpfs(str(cover), 0, f"mode={'1777' if cover == TMP else '755'}")
    for tree, path in zip(trees, hidden, strict=True):
        mounts._place(tree, path, is_folder=True)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def main(profile, *command):
    filter_program = compiled(json.loads(Path(profile).read_text()))
    if os.geteuid() == 0:
        become_ordinary()
    process.forbid_gaining_privileges()
    seccomp.load(filter_program)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
