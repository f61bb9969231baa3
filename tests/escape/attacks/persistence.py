"""To be there again: where others start things, and in what the next process finds."""

import atexit
import json
import os
import random
import signal
import sys
import threading


def leave(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        return file.write("x")


def poison_module():
    """A module that every plugin has, changed for whoever comes next."""
    json.poisoned = True
    return True


def is_poisoned():
    return hasattr(json, "poisoned")


def poison_path():
    sys.path.insert(0, "/tmp")
    return True


def search_path():
    return sys.path


def chance():
    """What siblings of one zygote must not share."""
    return [random.random(), os.urandom(8).hex()]


def at_exit():
    atexit.register(lambda: os.write(2, b"still here\n"))
    return True


def deaf_to(number):
    signal.signal(number, lambda *_: None)


def daemon_thread():
    """A thread that is cancelled while the interpreter ends; glibc wants libgcc_s for that."""
    threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True).start()
