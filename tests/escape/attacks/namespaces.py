"""Other namespaces and other mounts: what a process could do with capabilities of its own making."""

import ctypes
import os
import signal
import struct

from attacks.kernel import call

AT_FDCWD, AT_RECURSIVE = -100, 0x8000
OPEN_TREE_CLONE, MOVE_EMPTY_PATH = 1, 4
FSCONFIG_CREATE = 6
MNT_DETACH = 2


def unshare(flags):
    return call("unshare", flags)


def clone_into(flags):
    pid = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def enter(fd):
    return call("setns", fd, 0)


def own_namespace():
    return (os.open("/proc/self/ns/uts", os.O_RDONLY),)


def mount(folder):
    """A folder of one's own, over one of the host's."""
    call("mount", "tmpfs", folder, "tmpfs", 0, 0)
    return os.listdir(folder)


def unmount(folder):
    return call("umount2", folder, MNT_DETACH)


def mounted():
    call("mount", "tmpfs", "/dev", "tmpfs", 0, 0)
    return ("/dev",)


def another_root(folder):
    call("chroot", folder)
    return sorted(os.listdir("/"))


def pivot(folder):
    """Onto itself, as the host does."""
    return call("pivot_root", folder, folder)


def new_root():
    call("mount", "tmpfs", "/dev", "tmpfs", 0, 0)
    os.chdir("/dev")
    return (".",)


def set_attributes(path):
    """Writable again: `struct mount_attr` that clears read-only."""
    change = struct.pack("=QQQQ", 0, 1, 0, 0)
    return call("mount_setattr", AT_FDCWD, path, 0, change, len(change))


def take_tree(path):
    return call("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE) >= 0


def place_tree(tree, path):
    return call("move_mount", tree, "", AT_FDCWD, path, MOVE_EMPTY_PATH)


def tree_and_place():
    return (call("open_tree", AT_FDCWD, "/dev", OPEN_TREE_CLONE | AT_RECURSIVE), "/dev")


def file_system():
    return call("fsopen", "tmpfs", 0) >= 0


def opened_file_system():
    return (call("fsopen", "tmpfs", 0),)


def configure(fd):
    return call("fsconfig", fd, FSCONFIG_CREATE, 0, 0, 0)


def configured_file_system():
    fd = call("fsopen", "tmpfs", 0)
    call("fsconfig", fd, FSCONFIG_CREATE, 0, 0, 0)
    return (fd,)


def mount_file_system(fd):
    return call("fsmount", fd, 0, 0) >= 0


def pick(path):
    call("mount", "tmpfs", "/dev", "tmpfs", 0, 0) if path == "/dev" else None
    return call("fspick", AT_FDCWD, path, 0) >= 0


def listmount():
    """`struct mnt_id_req` of LSMT_ROOT."""
    request = struct.pack("=IIQQ", 24, 0, 2**64 - 1, 0)
    return call("listmount", request, bytearray(512), 64, 0) >= 0


def host_name(name):
    call("sethostname", name, len(name))
    return os.uname().nodename


def domain_name(name):
    call("setdomainname", name, len(name))
    room = ctypes.create_string_buffer(256)
    ctypes.CDLL(None).getdomainname(room, len(room))
    return room.value.decode()


def map_ids(_, uid=1000):
    """Root, by a map written from inside."""
    with open("/proc/self/uid_map", "w") as file:
        return file.write(f"0 {uid} 1")


def unmapped(_):
    """Whom the new namespace's root would be, once it is mapped."""
    uid = os.getuid()
    call("unshare", 0x1000_0000)
    return (uid,)


def rejoin(pid):
    """The host's own namespaces by their files."""
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    return fd >= 0
