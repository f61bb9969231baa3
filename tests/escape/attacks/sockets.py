"""Ways out by socket: of every family, and by re-aiming the pair that is allowed."""

import ctypes
import http.client
import os
import socket
import struct

from attacks.kernel import call, libc

SO_ATTACH_FILTER, SO_PEERPIDFD = 26, 77


def opens(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def opens_by_number(family, kind):
    """The kernel reads the low half of each argument only."""
    return os.close(call("socket", 1 << 32 | family, 1 << 32 | kind, 0))


def pair(kind):
    for end in socket.socketpair(socket.AF_UNIX, kind):
        end.close()


def pair_by_number(family, kind):
    ends = bytearray(8)
    call("socketpair", family, kind, 0, ends)
    for end in struct.unpack("=ii", ends):
        os.close(end)


def connect_tcp(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def connect_tcp6(port):
    """By the address of the older family inside the newer."""
    with socket.create_connection(("::ffff:127.0.0.1", port), timeout=5):
        return True


def send_udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        return one.sendto(b"x", ("127.0.0.1", port))


def connect_path(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


def send_path(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        return one.sendto(b"x", path)


def send_path_from_pair(path):
    """A datagram pair needs no `socket`, and its ends may be aimed anywhere: at /dev/log for one."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        return here.sendto(b"x", path)


def message_to_path_from_pair(path):
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        return here.sendmsg([b"x"], [], 0, path)


def send_with_address(path):
    """From the kind of pair that is allowed: outside the kernel looks at the address."""
    here, there = socket.socketpair()
    with here, there:
        return here.sendto(b"x", path)


def many_messages():
    here, there = socket.socketpair()
    with here, there:
        return call("sendmmsg", here.fileno(), bytes(64), 0, 0)


def connect_given(path, fd):
    """Turn a socket that is already there elsewhere: a datagram one, which has no peer yet."""
    address = struct.pack("=H", socket.AF_UNIX) + path.encode() + b"\0"
    call("connect", fd, address, len(address))
    return os.write(fd, b"x")


def bind_given(path, fd):
    address = struct.pack("=H", socket.AF_UNIX) + path.encode() + b"\0"
    return call("bind", fd, address, len(address))


def listen_given(fd):
    return call("listen", fd, 1)


def accept_given(fd):
    return call("accept", fd, 0, 0)


def unused_datagram(_):
    return (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(),)


def bound_stream():
    one = socket.socket(socket.AF_UNIX)
    one.bind("")
    return (one.detach(),)


def awaited_stream():
    """A listener with somebody waiting."""
    one, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    one.bind("")
    one.listen()
    other.connect(one.getsockname())
    other.detach()
    return (one.detach(),)


def resolve(name):
    return len(socket.getaddrinfo(name, 80))


def fetch(port):
    """Whatever answers, something arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except TimeoutError:
        return "asked"


def interfaces():
    return len(socket.if_nameindex())


def program_on_socket():
    """Code for the kernel's own machine, compiled there and run for every message."""
    here, there = socket.socketpair()
    code = struct.pack("=HBBI", 0x6, 0, 0, 0xFFFF)
    room = bytearray(code)
    address = ctypes.addressof((ctypes.c_char * len(room)).from_buffer(room))
    with here, there:
        here.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("=HxxxxxxQ", 1, address))


def large_buffers():
    """Kernel memory that no rlimit counts."""
    here, there = socket.socketpair()
    with here, there:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        return here.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def peer_process(fd):
    """A descriptor of the process at the other end."""
    room = bytearray(4)
    length = bytearray(struct.pack("=i", 4))
    words = [ctypes.addressof(ctypes.c_char.from_buffer(each)) for each in (room, length)]
    if libc.getsockopt(fd, socket.SOL_SOCKET, SO_PEERPIDFD, *map(ctypes.c_void_p, words)):
        raise OSError(ctypes.get_errno(), "getsockopt")
    return struct.unpack("=i", room)[0] >= 0


def peer_identity(fd):
    """Pid, user and group of the other end."""
    one = socket.socket(fileno=os.dup(fd))
    with one:
        return struct.unpack("=iii", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]


def connected_pair():
    return (socket.socketpair()[0].detach(),)
