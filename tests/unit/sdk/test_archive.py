"""The archive reader sees what the standard library's writer wrote, and nothing outside the buffer."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_sdk.archive import ArchiveError, read_archive

NAMES = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}){0,2}\.py", fullmatch=True)


def packed(files, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(NAMES, st.binary(max_size=50), max_size=5))
def test_every_file_comes_back(files):
    assert read_archive(memoryview(packed(files))) == files


@pytest.mark.parametrize("block", [b"", b"PK", bytes(22), b"PK\x05\x06"])
def test_what_is_no_archive_is_refused(block):
    with pytest.raises(ArchiveError):
        read_archive(memoryview(block))


def test_a_packed_entry_is_refused():
    with pytest.raises(ArchiveError, match="not stored plainly"):
        read_archive(memoryview(packed({"a.py": bytes(1000)}, zipfile.ZIP_DEFLATED)))


def test_a_file_that_claims_more_than_there_is_is_refused():
    block = packed({"a.py": b"x = 1"})
    entry = block.index(b"PK\x01\x02")
    longer = block[: entry + 20] + (10_000).to_bytes(4, "little") + block[entry + 24 :]
    with pytest.raises(ArchiveError, match=r"a\.py: cut short"):
        read_archive(memoryview(longer))


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_damage_is_refused_or_stays_inside_the_buffer(data):
    block = bytearray(packed({"a.py": b"x = 1", "b/__init__.py": b""}))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= data.draw(st.integers(1, 255))
    try:
        files = read_archive(memoryview(block))
    except ArchiveError:
        return
    assert all(len(content) <= len(block) for content in files.values())
