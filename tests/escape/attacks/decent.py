"""What a decent plugin needs after the walls stand."""

import socket


def library():
    import asyncio
    import csv
    import datetime
    import decimal
    import hashlib
    import logging
    import os
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


def pair():
    here, there = socket.socketpair()
    with here, there:
        here.sendall(b"heard")
        return there.recv(5).decode()
