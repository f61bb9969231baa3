from __future__ import annotations

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust import archive

SMALL = {"plugin.yaml": b"id: a\n", "pkg/__init__.py": b"", "pkg/code.py": b"x = 1\n"}
GOLDEN = "ed44c9d4154e567f0b945ea0223f20d8e817ceb71b85944001d8ef0db46d5bd1"
HOST_SRC = Path(archive.__file__).parents[2]

words = st.text("abyz09_-", max_size=6)
folders = st.lists(words.map("d{}".format), max_size=3)
names = st.builds(lambda inside, base: "/".join([*inside, f"f{base}"]), folders, words)
file_maps = st.dictionaries(names, st.binary(max_size=100), max_size=5)


def stdlib_zip(files: dict[str, bytes], *, change=lambda info: None, compression=zipfile.ZIP_STORED) -> bytes:
    """What Python's own zipfile writes for the same files, entry by entry as we would."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as out:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, compression
            change(info)
            out.writestr(info, files[name])
    return buffer.getvalue()


@given(file_maps)
def test_round_trip(files):
    packed = archive.write(files)
    assert archive.read(packed) == files
    assert archive.write(archive.read(packed)) == packed


@given(file_maps)
def test_another_implementation_writes_and_reads_the_same(files):
    packed = archive.write(files)
    assert packed == stdlib_zip(files)
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: archive.write(SMALL)[:90] + tail))
def test_arbitrary_bytes_are_canonical_or_refused(data):
    try:
        files = archive.read(data)
    except OperatorError:
        return
    assert archive.write(files) == data


def test_every_flipped_bit_is_refused():
    packed = archive.write(SMALL)
    assert archive.read(packed) == SMALL
    for bit in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OperatorError):
            archive.read(bytes(flipped))


def test_every_truncation_is_refused():
    packed = archive.write(SMALL)
    for length in range(len(packed)):
        with pytest.raises(OperatorError):
            archive.read(packed[:length])


def test_the_bytes_are_pinned():
    assert hashlib.sha256(archive.write(SMALL)).hexdigest() == GOLDEN


def other_pythons() -> list[str]:
    found = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13)]
    found += [str(path) for path in sorted(Path(sys.base_prefix).parent.glob("3.1[123].*/bin/python"))]
    return [path for path in found if path and "/shims/" not in path]


@pytest.mark.parametrize("python", other_pythons() or [sys.executable])
def test_every_python_writes_the_same_bytes(python):
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); from pp_host.trust import archive;"
        f"print(hashlib.sha256(archive.write({SMALL!r})).hexdigest())"
    )
    done = subprocess.run(
        [python, "-I", "-S", "-c", code, HOST_SRC], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == GOLDEN, done.stderr


# --- attacks, each beside the honest twin that passes ---


def set_flag(offset_local: int, value: int):
    """Overwrite a 16-bit field of the first local header."""

    def patch(packed: bytes) -> bytes:
        return packed[:offset_local] + struct.pack("<H", value) + packed[offset_local + 2 :]

    return patch


def duplicate(files: dict[str, bytes]) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as out:
            for data in (b"one", b"two"):
                info = zipfile.ZipInfo("a.py", (1980, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr = 3, 0o100644 << 16
                out.writestr(info, data)
    return buffer.getvalue()


def unsorted(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name in sorted(files, reverse=True):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            out.writestr(info, files[name])
    return buffer.getvalue()


class Unseekable(io.RawIOBase):
    """A sink that cannot go back makes zipfile write data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:
        self.data += bytes(piece)
        return len(piece)


def with_descriptors(files: dict[str, bytes]) -> bytes:
    sink = Unseekable()
    with zipfile.ZipFile(sink, "w") as out:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            out.writestr(info, files[name])
    return bytes(sink.data)


def with_zip64(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            with out.open(info, "w", force_zip64=True) as member:
                member.write(files[name])
    return buffer.getvalue()


def with_comment(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO(stdlib_zip(files))
    with zipfile.ZipFile(buffer, "a") as out:
        out.comment = b"hello"
    return buffer.getvalue()


def overlapping(files: dict[str, bytes]) -> bytes:
    """Two directory entries that share one member's bytes."""
    packed = bytearray(stdlib_zip({"a.py": b"x", "b.py": b"x"}))
    central = packed.index(b"PK\1\2", packed.index(b"PK\1\2") + 1)
    packed[central + 42 : central + 46] = struct.pack("<I", 0)
    return bytes(packed)


def central_says_otherwise(files: dict[str, bytes]) -> bytes:
    """The directory names another file than the member's own header."""
    packed = bytearray(stdlib_zip({"a.py": b"x"}))
    at = packed.index(b"PK\1\2") + 46
    packed[at : at + 4] = b"b.py"
    return bytes(packed)


ATTACKS = {
    "deflate": lambda files: stdlib_zip(files, compression=zipfile.ZIP_DEFLATED),
    "bzip2": lambda files: stdlib_zip(files, compression=zipfile.ZIP_BZIP2),
    "symlink mode": lambda files: stdlib_zip(
        files, change=lambda i: setattr(i, "external_attr", 0o120777 << 16)
    ),
    "setuid mode": lambda files: stdlib_zip(
        files, change=lambda i: setattr(i, "external_attr", 0o104755 << 16)
    ),
    "executable mode": lambda files: stdlib_zip(
        files, change=lambda i: setattr(i, "external_attr", 0o100755 << 16)
    ),
    "made on DOS": lambda files: stdlib_zip(files, change=lambda i: setattr(i, "create_system", 0)),
    "another time": lambda files: stdlib_zip(
        files, change=lambda i: setattr(i, "date_time", (2026, 1, 1, 0, 0, 0))
    ),
    "member comment": lambda files: stdlib_zip(files, change=lambda i: setattr(i, "comment", b"x")),
    "extra field": lambda files: stdlib_zip(files, change=lambda i: setattr(i, "extra", b"\xfe\xca\0\0")),
    "archive comment": with_comment,
    "prefix": lambda files: b"#!/bin/sh\n" + stdlib_zip(files),
    "suffix": lambda files: stdlib_zip(files) + b"\n",
    "second archive behind": lambda files: stdlib_zip(files) + stdlib_zip({"evil.py": b""}),
    "second archive before": lambda files: stdlib_zip({"evil.py": b""}) + stdlib_zip(files),
    "data descriptors": with_descriptors,
    "zip64": with_zip64,
    "unsorted": unsorted,
    "encrypted flag": lambda files: set_flag(6, 1)(stdlib_zip(files)),
    "utf-8 flag": lambda files: set_flag(6, 0x800)(stdlib_zip(files)),
    "unknown method": lambda files: set_flag(8, 99)(stdlib_zip(files)),
    "overlapping members": overlapping,
    "directory differs from header": central_says_otherwise,
    "empty bytes": lambda files: b"",
    "not a zip": lambda files: b"PK\3\4" + b"\0" * 40,
}


def test_the_honest_twin_of_the_attacks_passes():
    assert archive.read(stdlib_zip(SMALL)) == SMALL
    assert archive.read(stdlib_zip({})) == {}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_we_would_not_have_written_is_refused(attack):
    with pytest.raises(OperatorError):
        archive.read(attack(SMALL))


def test_the_altered_member_is_named():
    packed = archive.write(SMALL)
    altered = packed.replace(b"x = 1", b"x = 2")
    with pytest.raises(OperatorError, match=r"^pkg/code\.py: its header or checksum is not canonical$"):
        archive.read(altered)


def test_a_duplicate_is_named():
    with pytest.raises(OperatorError, match=r"^a\.py: twice in the archive$"):
        archive.read(duplicate({}))


BAD_NAMES = [
    "../evil.py",
    "a/../evil.py",
    "./a.py",
    "/etc/passwd",
    "a//b.py",
    "dir/",
    "C:/a.py",
    "a\\b.py",
    "a:b",
    "a b.py",
    "a\n.py",
    "a\0.py",
    "",
    "a\u202e.py",
    "caf\u00e9.py",
    "cafe\u0301.py",
]


def renamed(name: str) -> bytes:
    """Our own archive of one file, its name overwritten in both places."""
    raw = name.encode()
    return (
        archive.write({"x" * len(raw): b""}).replace(b"x" * len(raw), raw) if raw else stdlib_zip({"": b""})
    )


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_paths_elsewhere_are_refused(name):
    for attempt in (lambda: archive.write({name: b""}), lambda: archive.read(renamed(name))):
        with pytest.raises(OperatorError, match="not a package name"):
            attempt()


def test_the_honest_twin_of_the_bad_names_passes():
    assert archive.read(renamed("a/b.py")) == {"a/b.py": b""}


@pytest.mark.parametrize(
    "name",
    ["a.pyc", "a.PYC", "__pycache__/a.py", "x/__PyCache__/a", "evil.pth", "sitecustomize.py", "a/usercustomize/b.py",
     "sitecustomize", "native.so", "native.cpython-311-x86_64-linux-gnu.so", "a.pyd", "a.dll", "a.dylib", "a.pyo"],
)  # fmt: skip
def test_planted_and_compiled_files_are_refused(name):
    with pytest.raises(OperatorError, match="not allowed in a package"):
        archive.write({name: b""})
    with pytest.raises(OperatorError, match="not allowed in a package"):
        archive.read(stdlib_zip({name: b""}))


@pytest.mark.parametrize(
    "name", ["sitecustomized.py", "a.sol", "pycache/a.py", "a.pyi", ".hidden", "a-b_c.1/d"]
)
def test_their_harmless_neighbours_pass(name):
    assert archive.read(stdlib_zip({name: b"1"})) == {name: b"1"}


@pytest.mark.parametrize(("one", "two"), [("a.py", "A.py"), ("pkg/a", "PKG/b"), ("a", "a/b"), ("A", "a/b")])
def test_two_names_for_one_path_are_refused(one, two):
    with pytest.raises(OperatorError, match="clashes with"):
        archive.write({one: b"", two: b""})
    with pytest.raises(OperatorError, match="clashes with"):
        archive.read(stdlib_zip({one: b"", two: b""}))
    assert archive.write({one: b""})
    assert archive.write({two: b""})


def test_depth_length_and_number_are_bounded():
    bounds = LIMITS.package
    deep = "/".join(["d"] * bounds.name_levels)
    long = "n" * bounds.name_bytes
    assert archive.write({deep: b"", long: b""})
    for name in (f"{deep}/d", f"{long}n"):
        with pytest.raises(OperatorError, match="too long or too deep"):
            archive.write({name: b""})
    many = {f"f{n:05}": b"" for n in range(bounds.files + 1)}
    with pytest.raises(OperatorError, match=r"^f04096: more than 4096 files$"):
        archive.write(many)
    with pytest.raises(OperatorError, match=r"^f04096: more than 4096 files$"):
        archive.read(stdlib_zip(many))
    endless = stdlib_zip(many).partition(b"PK\1\2")[0] + b"PK\3\4" + bytes(40)
    with pytest.raises(OperatorError, match=r"^f04096: more than 4096 files$"):
        archive.read(endless)
    many.popitem()
    assert len(archive.read(archive.write(many))) == bounds.files


def test_size_is_bounded():
    half = bytes(LIMITS.package.archive_bytes // 2)
    with pytest.raises(OperatorError, match=r"^b: the package is larger than"):
        archive.write({"a": half, "b": half})
    with pytest.raises(OperatorError, match=r"^the archive: the package is larger than"):
        archive.read(half + half + b"!")


# --- pack_folder ---


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def test_pack_takes_the_plugin_and_leaves_the_rest(tmp_path):
    put(tmp_path, "plugin.yaml", "momentum.py", "pkg/__init__.py", "pkg/tests/data.txt", "LICENSE")
    put(
        tmp_path,
        ".git/config",
        ".env",
        "tests/test_it.py",
        "__pycache__/momentum.cpython-311.pyc",
        "pkg/.secret",
    )
    put(tmp_path, "old.pyc", "org.example.momentum-1.0.0.ppz", "org.example.momentum-1.0.0.ppz.sigstore.json")
    packed = archive.pack_folder(tmp_path)
    assert sorted(packed) == [
        "LICENSE",
        "momentum.py",
        "pkg/__init__.py",
        "pkg/tests/data.txt",
        "plugin.yaml",
    ]
    assert packed["pkg/tests/data.txt"] == b"pkg/tests/data.txt"
    assert archive.read(archive.write(packed)) == packed


@pytest.mark.parametrize("target", ["plugin.yaml", "/etc/passwd", "absent", "."])
def test_pack_refuses_symlinks(tmp_path, target):
    put(tmp_path, "plugin.yaml")
    assert archive.pack_folder(tmp_path)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OperatorError, match=r"link: a symlink cannot be packed$"):
        archive.pack_folder(tmp_path)


def test_pack_refuses_special_files_without_waiting_for_them(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OperatorError, match="pipe: not a regular file"):
        archive.pack_folder(tmp_path)


@pytest.mark.parametrize("name", ["caf\u00e9.py", "with space.py", "native.so", "sitecustomize.py"])
def test_pack_names_what_no_package_may_hold(tmp_path, name):
    put(tmp_path, name)
    with pytest.raises(OperatorError, match=name):
        archive.pack_folder(tmp_path)


def test_pack_runs_nothing(tmp_path):
    (tmp_path / "boom.py").write_text("raise SystemExit('imported')")
    assert archive.pack_folder(tmp_path) == {"boom.py": b"raise SystemExit('imported')"}


def test_pack_wants_a_folder(tmp_path):
    with pytest.raises(OperatorError, match="not a folder"):
        archive.pack_folder(tmp_path / "absent")


def test_pack_does_not_depend_on_the_order_of_the_disk(tmp_path):
    one = put(tmp_path / "one", "a", "b/c", "b/d", "z")
    two = put(tmp_path / "two", "z", "b/d", "b/c", "a")
    assert archive.write(archive.pack_folder(one)) == archive.write(archive.pack_folder(two))
