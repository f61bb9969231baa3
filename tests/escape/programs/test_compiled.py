"""`pp sandbox exec` with ordinary C programs, static and dynamic, honest and not."""

import json
import os
import select
import subprocess
from pathlib import Path

import pytest

from tests.escape.programs.conftest import PP

HONEST = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern char **environ;
static void *add(void *sum) { ++*(int *)sum; pthread_exit(0); }
int main(int count, char **words) {
    pthread_t thread; int sum = 40; char *copy = malloc(1 << 20);
    if (pthread_create(&thread, 0, add, &sum)) return 99;
    pthread_join(thread, 0);
    printf("%d words, first %s, last %s, environment %d, uid %d, pid %d, sum %d, stdin %d\n", count, words[0],
           words[count - 1], environ && environ[0], getuid(), getpid(), sum, getchar());
    fprintf(stderr, "and this\n");
    free(copy);
    return count > 1 ? atoi(words[1]) : 0;
}
"""
ATTACKS = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static void say(const char *what, long result) { printf("%s %s\n", what, result < 0 ? strerrorname(errno) : "done"); }
int main(int count, char **words) {
    setvbuf(stdout, 0, _IONBF, 0);
    switch (words[1][0]) {
    case 's': {
        int pair[2]; char *here = "x";
        say("passwd", open("/etc/passwd", O_RDONLY));
        say("root", open("/", O_RDONLY | O_DIRECTORY));
        say("library", open("/python/lib/x", O_CREAT | O_WRONLY, 0600));
        say("socket", socket(AF_INET, SOCK_STREAM, 0));
        say("datagram pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
        say("kill everybody", kill(-1, SIGKILL));
        say("fork", fork());
        say("code memory", (long)mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        say("make it code", mprotect(mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, 5));
        say("memfd", memfd_create("x", 0));
        say("shell", execl("/bin/sh", "sh", "-c", "true", 0));
        return 0;
    }
    case 'b': { int made = 0; for (int i = 0; i < 1000; i++) made += fork() > 0; printf("%d children\n", made); return 0; }
    case 'p': ptrace(PTRACE_TRACEME, 0, 0, 0); return 0;
    case 'm': mount("none", "/", "tmpfs", 0, 0); return 0;
    case 'u': unshare(CLONE_NEWUSER); return 0;
    case 'g': memset(words[1], 0xff, 2); write(3, words, 64); for (;;) sleep(1);
    case 'c': close(3); for (;;) sleep(1);
    case 'h': printf("before"); for (;;) sleep(1);
    case 'f': for (;;) write(1, words[0], 8);
    case 'x': return *(volatile int *)16;
    }
    return 98;
}
""".replace("strerrorname(errno)", "strerrorname_np(errno)")
SOFT = """\
passwd ENOENT
root EACCES
library EROFS
socket EACCES
datagram pair EACCES
kill everybody EPERM
fork EAGAIN
code memory EPERM
make it code EPERM
memfd EPERM
shell ENOENT
"""
KINDS = {"dynamic": (), "static": ("-static",), "static, position-independent": ("-static-pie",)}


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_program_runs(compiled, pp, kind):
    done = pp("exec", "--json", "--", compiled(HONEST, *KINDS[kind]), "7", "--json", input="words")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    words = told.pop("stdout").split(", ")
    assert words[0] == "3 words"
    assert words[2:] == ["last --json", "environment 0", "uid 1000", "pid 1", "sum 41", "stdin -1\n"]
    assert told == {
        "level": "L3", "outcome": "error", "signal": None, "status": 7, "stderr": "and this\n", "denied": [],
    }  # fmt: skip


def test_a_program_of_the_path_is_found_and_a_person_is_told_in_words(pp):
    done = pp("exec", "echo", "-n", "\x1b[31mred")
    assert done.returncode == 0, done.stderr
    assert "  \\x1b[31mred\n" in done.stdout
    assert "walls attested before it began" in done.stdout
    assert "status: 0\n" in done.stdout


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_soft_refusals(compiled, sandbox, kind):
    status, told = sandbox("exec", "--", compiled(ATTACKS, *KINDS[kind]), "soft")
    assert (status, told["stdout"]) == (0, SOFT)


@pytest.mark.parametrize("attack", ["ptrace", "mount", "unshare"])
def test_fatal_calls(compiled, sandbox, attack):
    status, told = sandbox("exec", "--", compiled(ATTACKS), attack)
    assert (status, told["outcome"], told["signal"], told["denied"]) == (
        3,
        "violation",
        "SIGKILL",
        [attack],
    )


def test_without_walls_a_fatal_call_only_returns(compiled):
    """Of the three this one harms nobody: no mount is ever tried outside."""
    assert subprocess.run([compiled(ATTACKS), "ptrace"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("attack", "outcome", "sign", "stdout"),
    [
        ("bomb", "ok", None, "0 children\n"),
        ("garbage", "violation", "SIGKILL", ""),
        ("closes the connection", "violation", "SIGKILL", ""),
        ("hangs", "timeout", "SIGKILL", "before"),
        ("x: reads nothing", "signaled", "SIGSEGV", ""),
    ],
)
def test_other_ends(compiled, sandbox, attack, outcome, sign, stdout):
    seconds = 2 if outcome == "timeout" else 30
    _, told = sandbox("exec", "--seconds", seconds, "--", compiled(ATTACKS), attack)
    assert (told["outcome"], told["signal"], told["stdout"]) == (outcome, sign, stdout)
    assert told["status"] == (0 if outcome == "ok" else None)


def test_a_flood_ends_it_and_what_is_shown_of_it_is_bounded(compiled, sandbox):
    _, told = sandbox("exec", "--", compiled(ATTACKS), "flood")
    assert (told["outcome"], told["signal"]) == ("limit", "SIGKILL")
    assert 100_000 < len(told["stdout"]) <= 256 * 1024


def test_no_process_of_it_is_left(compiled, sandbox):
    sandbox("exec", "--seconds", 0.5, "--", compiled(ATTACKS), "hangs")
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        assert children.read() == ""


def test_it_ends_with_its_host_also_after_execve(compiled):
    """Killed in the middle, the host leaves no program behind."""
    command = [PP, "sandbox", "exec", "--seconds", "60", "--", compiled(ATTACKS), "hangs"]
    host = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    children = Path(f"/proc/{host.pid}/task/{host.pid}/children")
    while not (guests := [pid for pid in children.read_text().split() if named(pid) == "program"]):
        assert host.poll() is None
    guest = os.pidfd_open(int(guests[0]))
    try:
        host.kill()
        host.wait()
        assert select.select([guest], [], [], 20)[0] == [guest]
    finally:
        os.close(guest)


def named(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # the launcher's, which has gone
        return ""


def test_a_dynamic_program_may_start_the_loader_of_the_room_and_is_bound_as_before(compiled, sandbox):
    source = r"""
    #include <unistd.h>
    #include <stdio.h>
    #include <sys/socket.h>
    int main(int count, char **words) {
        if (count == 1) { execl(LOADER, "again", "/program", "inner", 0); return 1; }
        puts("inner");
        return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 13 : 0;
    }
    """
    from pp_host.sandbox import elf

    loader = elf.read(compiled(HONEST)).interpreter
    _, told = sandbox("exec", "--", compiled(source, f'-DLOADER="{loader}"'))
    assert (told["stdout"], told["status"]) == ("inner\n", 13)


def test_no_other_file_of_the_room_becomes_code(compiled, sandbox):
    """Python's own extension modules can be read there, and not mapped as code; the program's file can."""
    source = r"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/mman.h>
    static void map(const char *path) {
        int fd = open(path, O_RDONLY);
        void *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0), *code = mmap(0, 4096, 5, MAP_PRIVATE, fd, 0);
        printf("%s %s\n", page == MAP_FAILED ? "unread" : "read", code == MAP_FAILED ? strerrorname_np(errno) : "code");
    }
    int main(int count, char **words) { map("/program"); map(words[1]); map("/dev/zero"); return 0; }
    """
    folder = Path(os.__file__).parent
    extension = next(iter(sorted((folder / "lib-dynload").glob("*.so"))), None)
    if extension is None:
        pytest.skip("this Python has no extension modules in files")
    _, told = sandbox("exec", "--", compiled(source), f"/python/lib/{extension.relative_to(folder)}")
    assert told["stdout"] == "read code\nread EPERM\nunread EBADF\n"
