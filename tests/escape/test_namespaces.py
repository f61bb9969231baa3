"""Other namespaces and other mounts: what a process could do with capabilities of its own making."""

from tests.escape.case import gets, killed, soft

TIME, MOUNT, CGROUP, UTS, IPC = 0x80, 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000
USER, PID, NET = 0x1000_0000, 0x2000_0000, 0x4000_0000
KINDS = {
    "time": TIME,
    "mount": MOUNT,
    "control group": CGROUP,
    "name": UTS,
    "ipc": IPC,
    "user": USER,
    "pid": PID,
    "net": NET,
}

CASES = [
    *(
        killed(f"leave the {name} namespace", ("unshare", flag), "unshare", fresh=True)
        for name, flag in KINDS.items()
    ),
    *(
        killed(
            f"a child in another {name} namespace", ("clone_into", flag), "clone", fresh=True, answer=gets(7)
        )
        for name, flag in KINDS.items()
        if flag != TIME  # clone3's alone
    ),
    killed("enter a namespace", ("enter", 0), "setns", fresh=True, arguments=(), made_by="own_namespace"),
    killed("mount", ("mount", "{inner}"), "mount", fresh=True, answer=gets([])),
    killed("unmount", ("unmount", "/dev"), "umount2", fresh=True, arguments=(), made_by="mounted"),
    killed("another root", ("another_root", "{inner}"), "chroot", fresh=True, answer=gets([])),
    killed("exchange the root", ("pivot", "/"), "pivot_root", fresh=True, arguments=(), made_by="new_root"),
    killed(
        "make a mount writable",
        ("set_attributes", "/"),
        "mount_setattr",
        fresh=True,
        arguments=(),
        made_by="new_root",
    ),
    killed("take a tree", ("take_tree", "/dev"), "open_tree", fresh=True),
    killed(
        "place a tree",
        ("place_tree", 0, "/"),
        "move_mount",
        fresh=True,
        arguments=(),
        made_by="tree_and_place",
    ),
    killed("a file system", ("file_system",), "fsopen", fresh=True),
    killed(
        "configure a file system",
        ("configure", 0),
        "fsconfig",
        fresh=True,
        arguments=(),
        made_by="opened_file_system",
    ),
    killed(
        "mount a file system",
        ("mount_file_system", 0),
        "fsmount",
        fresh=True,
        arguments=(),
        made_by="configured_file_system",
    ),
    killed("pick a file system", ("pick", "/"), "fspick", fresh=True, arguments=("/dev",)),
    soft("list the mounts", ("listmount",), "EPERM"),
    killed("another host name", ("host_name", "mine"), "sethostname", fresh=True, answer=gets("mine")),
    killed("another domain name", ("domain_name", "mine"), "setdomainname", fresh=True, answer=gets("mine")),
    soft("map ids", ("map_ids", 0), "ENOENT", "EACCES", made_by="unmapped"),
    soft("the host's namespaces by path", ("rejoin", "{victim}"), "ENOENT", "EACCES"),
]


def test_attack(attempt):
    attempt()
