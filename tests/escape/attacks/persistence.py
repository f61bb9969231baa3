"""To be there again: where others start things, and in what the next process finds."""

import os
import signal
import threading


def leave(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        return file.write("x")


def deaf_to(number):
    signal.signal(number, lambda *_: None)


def daemon_thread():
    """A thread that is cancelled while the interpreter ends; glibc wants libgcc_s for that."""
    threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True).start()
