"""What a hostile plugin would try. Bound into the view as a single file; also runs outside, as the positive control.

Inside: `main` answers one JSON line per request. Outside: `python attacker.py NAME ARGS-AS-JSON`.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

X86_64 = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    words = [ctypes.c_ulong(argument & (2**64 - 1)) for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def read_file(path):
    with open(path) as file:
        return file.read()


def write_file(path):
    with open(path, "w") as file:
        return file.write("x")


def fill_file(path, size):
    with open(path, "wb") as file:
        return file.write(bytes(size))


def list_folder(path):
    return sorted(os.listdir(path))


def stat(path):
    return os.stat(path).st_size


def environment():
    return dict(os.environ)


def c_environment(name):
    libc.getenv.restype = ctypes.c_char_p
    found = libc.getenv(name.encode())
    return found and found.decode()


def start_stack(size):
    """What the kernel put above the stack at exec: arguments, then the environment, then the program's name."""
    libc.getauxval.restype = ctypes.c_ulong
    program = libc.getauxval(31)
    return ctypes.string_at(program - size, size).decode("latin-1")


def open_socket(family, kind):
    socket.socket(family, kind).close()


def socket_pair(kind):
    for end in socket.socketpair(socket.AF_UNIX, kind):
        end.close()


def send_to(path):
    here, there = socket.socketpair()
    with here, there:
        try:
            return here.sendto(b"x", path)
        except IsADirectoryError:  # the kernel looked at the address: nobody stopped it
            return None


def resolve(name):
    return socket.getaddrinfo(name, 80)


def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def spawn():
    return subprocess.run([sys.executable or "/bin/true", "-c", ""], check=False).returncode


def kill(pid, number):
    os.kill(pid, number)


def kill_thread(pid):
    syscall(234 if X86_64 else 131, pid, pid, 0)


def queue_signal(pid):
    info = ctypes.create_string_buffer(128)
    syscall(129 if X86_64 else 138, pid, 0, ctypes.addressof(info))


def read_limits(pid):
    return resource.prlimit(pid, resource.RLIMIT_CORE)


def raise_limit():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(0, resource.RLIMIT_NOFILE, (soft, soft))


def set_priority(pid):
    os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))


def set_affinity():
    os.sched_setaffinity(0, os.sched_getaffinity(0))


def become(uid):
    os.setuid(uid)


def become_group(gid):
    os.setgid(gid)


def raw(number, *arguments):
    return syscall(number, *arguments)


def prctl(*arguments):
    if libc.prctl(*map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:5])) == -1:
        raise OSError(ctypes.get_errno(), "prctl")


def ioctl(request):
    if libc.ioctl(0, ctypes.c_ulong(request), ctypes.create_string_buffer(64)) == -1:
        raise OSError(ctypes.get_errno(), "ioctl")


def executable_memory():
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def make_executable():
    libc.mmap.restype = ctypes.c_void_p
    page = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(4096), 5):
        raise OSError(ctypes.get_errno(), "mprotect")


def memory_bomb():
    hoard = []
    while True:
        hoard.append(bytes(8 << 20))


def descriptor_bomb():
    return [os.dup(0) for _ in range(100_000)]


def thread_bomb(most):
    release = threading.Event()
    threads = []
    try:
        for _ in range(most):
            threads.append(threading.Thread(target=release.wait))
            threads[-1].start()
    except RuntimeError:
        return len(threads) - 1
    finally:
        release.set()
        for thread in threads:
            if thread.ident:
                thread.join()
    return most


def descriptors():
    found = []
    for fd in range(256):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.append(fd)
    return found


def identity():
    return {"pid": os.getpid(), "ppid": os.getppid(), "uid": os.getuid(), "name": os.uname().nodename}


def tree(top):
    return sorted(
        os.path.join(folder, name) for folder, folders, files in os.walk(top) for name in folders + files
    )


def import_module(name):
    __import__(name)


def host_paths(prefixes):
    """Where Python itself would show a host path: modules, their functions, the sys module."""
    import gc
    import types

    shown = [str(value) for value in vars(sys).values()]
    for module in list(sys.modules.values()):
        shown += [str(vars(module).get(name)) for name in ("__file__", "__path__", "__spec__", "__cached__")]
    shown += [each.__code__.co_filename for each in gc.get_objects() if isinstance(each, types.FunctionType)]
    return sorted({text for text in shown for prefix in prefixes if prefix in text})


def library():
    """What a decent plugin needs of the standard library after the walls stand."""
    import asyncio
    import csv
    import datetime
    import decimal
    import hashlib
    import logging
    import random
    import ssl
    import statistics
    import uuid
    import zlib
    from concurrent.futures import ThreadPoolExecutor

    async def answer():
        await asyncio.sleep(0)
        return await asyncio.to_thread(lambda: 41) + 1

    with ThreadPoolExecutor(2) as pool:
        doubled = list(pool.map(lambda n: n * 2, range(3)))
    with open("/dev/null", "w") as sink:
        csv.writer(sink).writerow([1])
    logging.getLogger("x").error("to stderr")
    modules = (decimal, datetime, random, ssl, statistics, uuid, zlib)
    digest = hashlib.sha256(b"").hexdigest()[:8]
    return [asyncio.run(answer()), doubled, digest, hashlib.blake2b(os.urandom(8)).digest_size, len(modules)]


def daemon_thread():
    """A thread that is cancelled while the interpreter ends; glibc wants libgcc_s for that."""
    threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True).start()


def crash():
    ctypes.string_at(0)


def spin():
    while True:
        pass


def hold_signal(number):
    signal.signal(number, lambda *_: None)


def attempt(name, arguments):
    try:
        return {"value": globals()[name](*arguments)}
    except OSError as error:
        return {"errno": errno.errorcode.get(error.errno, str(error.errno))}
    except (MemoryError, ImportError, ValueError) as error:
        return {"error": type(error).__name__}


def main(rpc_fd, selfcheck):
    rpc = socket.socket(fileno=rpc_fd)
    lines = rpc.makefile("r")
    for line in lines:
        name, arguments = json.loads(line)
        answer = selfcheck if name == "selfcheck" else attempt(name, arguments)
        rpc.sendall(json.dumps(answer, default=str).encode() + b"\n")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(attempt(sys.argv[1], json.loads(sys.argv[2])), default=str))
