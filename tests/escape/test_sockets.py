"""Ways out by socket: of every family, and by re-aiming the pair that is allowed."""

import socket

from tests.escape.case import Case, raises, soft

STREAM, DATAGRAM, SEQPACKET, RAW = (
    socket.SOCK_STREAM,
    socket.SOCK_DGRAM,
    socket.SOCK_SEQPACKET,
    socket.SOCK_RAW,
)
INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
XDP, MPTCP, SCTP = 44, 262, 132
SECOND_HALF = 1 << 32

CASES = [
    soft("tcp", ("opens", INET, STREAM), "EACCES"),
    soft("tcp of the newer family", ("opens", INET6, STREAM), "EACCES"),
    soft("udp", ("opens", INET, DATAGRAM), "EACCES"),
    soft("multipath tcp", ("opens", INET, STREAM, MPTCP), "EACCES"),
    soft("sctp", ("opens", INET, STREAM, SCTP), "EACCES"),
    soft("raw", ("opens", INET, RAW, socket.IPPROTO_ICMP), "EACCES", fresh=True),
    soft("packet", ("opens", socket.AF_PACKET, RAW), "EACCES", fresh=True),
    soft("express data path", ("opens", XDP, RAW), "EACCES", fresh=True),
    soft("unix stream", ("opens", UNIX, STREAM), "EACCES"),
    soft("unix datagram", ("opens", UNIX, DATAGRAM), "EACCES"),
    soft("netlink", ("opens", socket.AF_NETLINK, RAW), "EACCES"),
    soft("virtual machine's", ("opens", socket.AF_VSOCK, STREAM), "EACCES"),
    soft("kernel's cryptography", ("opens", socket.AF_ALG, SEQPACKET), "EACCES"),
    soft("tcp with high bits", ("opens_by_number", INET, STREAM), "EACCES"),
    soft("datagram pair", ("pair", DATAGRAM), "EACCES"),
    soft("seqpacket pair", ("pair", SEQPACKET), "EACCES"),
    soft("raw pair", ("pair", RAW), "EACCES"),
    soft(
        "datagram pair with flags", ("pair", DATAGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK), "EACCES"
    ),
    soft(
        "datagram pair with high bits",
        ("pair_by_number", SECOND_HALF | UNIX, SECOND_HALF | DATAGRAM),
        "EACCES",
    ),
    soft("connect to a local port", ("connect_tcp", "{tcp}"), "EACCES", changes="arrived"),
    soft("connect by the newer family", ("connect_tcp6", "{tcp}"), "EACCES", changes="arrived"),
    soft("send to a local port", ("send_udp", "{udp}"), "EACCES", changes="arrived"),
    soft("connect to a path", ("connect_path", "{stream}"), "EACCES", changes="arrived"),
    soft("send to a path", ("send_path", "{datagram}"), "EACCES", changes="arrived"),
    soft("connect to an abstract name", ("connect_path", "{abstract}"), "EACCES", changes="arrived"),
    soft("send to an abstract name", ("send_path", "{abstract}d"), "EACCES", changes="arrived"),
    soft("send from a pair to a path", ("send_path_from_pair", "{datagram}"), "EACCES", changes="arrived"),
    soft(
        "send from a pair to an abstract name",
        ("send_path_from_pair", "{abstract}d"),
        "EACCES",
        changes="arrived",
    ),
    soft(
        "a message from a pair to a path",
        ("message_to_path_from_pair", "{datagram}"),
        "EACCES",
        changes="arrived",
    ),
    soft(
        "an address on a stream pair",
        ("send_with_address", "{datagram}"),
        "EACCES",
        answer={"errno": "EISCONN"},
    ),
    soft("many messages", ("many_messages",), "EPERM"),
    soft(
        "connect what is there",
        ("connect_given", "{datagram}", 3),
        "EPERM",
        arguments=("{datagram}",),
        made_by="unused_datagram",
        changes="arrived",
    ),
    soft(
        "name what is there",
        ("bind_given", "{folder}/bound", 3),
        "EPERM",
        arguments=("{folder}/bound",),
        made_by="unused_datagram",
        changes="folder",
    ),
    soft("listen on what is there", ("listen_given", 3), "EPERM", arguments=(), made_by="bound_stream"),
    soft("accept on what is there", ("accept_given", 3), "EPERM", arguments=(), made_by="awaited_stream"),
    soft("fetch", ("fetch", "{tcp}"), "EACCES", changes="arrived"),
    soft("name the interfaces", ("interfaces",), "EACCES"),
    Case("resolve a name", ("resolve", "localhost"), raises("gaierror")),
    soft("a program on a socket", ("program_on_socket",), "EPERM"),
    soft("large buffers", ("large_buffers",), "EPERM"),
    soft("the peer as a process", ("peer_process", 3), "EPERM", arguments=(), made_by="connected_pair"),
    soft("the peer's identity", ("peer_identity", 3), "EPERM", arguments=(), made_by="connected_pair"),
]


def test_attack(attempt):
    attempt()
