"""The host's files: to read, to list, to learn that they exist, to change."""

import os
import socket
import struct
import sys

from attacks.kernel import call, libc

O_TMPFILE = 0o20200000
AT_FDCWD = -100


def read(path):
    with open(path) as file:
        return file.read()


def read_some(path):
    with open(path, "rb", 0) as file:
        return len(file.read(64))


def read_at(path, offset):
    """A process's memory."""
    with open(path, "rb", 0) as file:
        file.seek(offset)
        return file.read(20).decode()


def listing(path):
    return sorted(os.listdir(path))


def size(path):
    return os.stat(path).st_size


def exists(path):
    if libc.access(path.encode(), 0):
        return os.stat(path)
    return True


def target(path):
    return os.readlink(path)


def climb(start, path):
    """From a folder that may be opened, upwards by `..`, with the folder as the place to begin."""
    folder = os.open(start, os.O_RDONLY | os.O_DIRECTORY)
    fd = os.open("../" * 12 + path.lstrip("/"), os.O_RDONLY, dir_fd=folder)
    return os.read(fd, 100).decode()


def library():
    """Where the standard library lies, for both sides."""
    return os.path.dirname(os.__file__)


def climb_from_library(path):
    return climb(library(), path)


def handle(path):
    """A descriptor that only names a file: no right to read is asked for."""
    fd = os.open(path, os.O_PATH)
    return os.fstat(fd).st_size


def reopen(path):
    """Such a descriptor, opened again with more rights."""
    fd = os.open(path, os.O_PATH)
    return read(f"/proc/self/fd/{fd}")


def open_by_openat2(path):
    how = struct.pack("=QQQ", os.O_RDONLY, 0, 0)
    fd = call("openat2", AT_FDCWD, path, how, len(how))
    return os.read(fd, 100).decode()


def attributes(path):
    return call("listxattr", path, 0, 0)


def file_system(path):
    return call("statfs", path, bytearray(256))


def file_handle(path):
    """`struct file_handle` of a path, good for opening it from anywhere on its file system."""
    room = bytearray(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = bytearray(4)
    call("name_to_handle_at", AT_FDCWD, path, room, mount, 0)
    return len(room)


def open_file_handle(path, mount, handle):
    """As the container escape of 2014 did, by a handle alone."""
    fd = call("open_by_handle_at", mount, bytes.fromhex(handle), os.O_RDONLY)
    return os.read(fd, 100).decode()


def handle_of(path):
    room = bytearray(struct.pack("=Ii", 128, 0) + bytes(128))
    call("name_to_handle_at", AT_FDCWD, path, room, bytearray(4), 0)
    return os.open(os.path.dirname(path), os.O_RDONLY), room.hex()


def change_folder(path):
    call("chdir", path)
    return os.getcwd()


def overwrite(path):
    with open(path, "w") as file:
        return file.write("x")


def create(path):
    return overwrite(path)


def create_beside(module):
    """In the folder of a module that can be read; outside, of a file that is given."""
    return overwrite(os.path.join(os.path.dirname(_file_of(module)), "pp_escaped.py"))


def overwrite_module(module):
    return overwrite(_file_of(module))


def _file_of(module):
    return sys.modules[module].__file__ if module in sys.modules else module


def unnamed(folder):
    return os.open(folder, os.O_WRONLY | O_TMPFILE)


def shorten(path):
    return call("truncate", path, 0)


def remove(path):
    return os.unlink(path)


def move(path):
    return os.rename(path, path + ".moved")


def link(path):
    return os.link(path, path + ".link")


def point(folder):
    return os.symlink("/etc/passwd", folder + "/passwd")


def folder(path):
    return os.mkdir(path + "/made")


def mode(path):
    return os.chmod(path, 0o644)


def mode_of_descriptor(fd):
    """Of whatever the host handed in: the pipe of standard error."""
    return os.fchmod(fd, 0o777)


def owner(path):
    return os.chown(path, os.getuid(), os.getgid())


def times(path):
    return os.utime(path, (1, 1))


def set_attribute(path):
    os.setxattr(path, "user.pp", b"x")


def fifo(folder):
    return call("mknodat", AT_FDCWD, folder + "/fifo", 0o10600, 0)


def device(path):
    return call("mknodat", AT_FDCWD, path, 0o20600, os.makedev(1, 3))


def named_socket(folder):
    one = socket.socket(socket.AF_UNIX)
    one.bind(folder + "/socket")
