"""A brief is text that a screen shows whole, as it lies in the package."""

from __future__ import annotations

import hashlib

import pytest
from pp_host.errors import OperatorError
from pp_host.trust.briefs import read_briefs


def read(data: bytes):
    return read_briefs({"value": "value.txt"}, {"value.txt": data}, "plugin.yaml")


def test_a_brief_is_the_files_text_and_the_digest_of_its_bytes():
    data = "Buy what is cheap.\nSell when it is not \u2014 \u00e4h.\n".encode()
    (brief,) = read(data)
    assert (brief.name, brief.text.encode()) == ("value", data)
    assert brief.digest == hashlib.sha256(data).hexdigest()


def test_they_come_in_the_manifests_order():
    files = {"b.txt": b"b" * 10, "a.txt": b"a" * 10}
    assert [brief.name for brief in read_briefs({"z": "b.txt", "c": "a.txt"}, files, "plugin.yaml")] == [
        "z",
        "c",
    ]


def test_one_that_is_not_in_the_package_is_named():
    with pytest.raises(OperatorError, match=r"^plugin.yaml: briefs.value: no value.txt in the package$"):
        read_briefs({"value": "value.txt"}, {}, "plugin.yaml")


@pytest.mark.parametrize(("count", "fits"), [(9, False), (10, True), (10_000, True), (10_001, False)])
def test_its_length_is_counted_in_characters(count, fits):
    data = ("\u00e4" * count).encode()
    if fits:
        assert len(read(data)[0].text) == count
        return
    with pytest.raises(OperatorError, match=f"^value.txt: {count} characters, a brief has 10 to 10000$"):
        read(data)


@pytest.mark.parametrize(
    "unseen",
    [
        *("\x1b[2J", "\u202e", "\u200b", "\r", "\t", "\x00", "\ufeff", "\u00ad", "\u00a0", "\u2028"),
        *(
            "\u034f",
            "\u1160",
            "\u180b",
            "\u2800",
            "\u3164",
            "\ufe00",
            "\ufe0f",
            "\uffa0",
            "\U000e0041",
            "\U000e01ef",
            "\ufffc",
            "\U00016fe4",
            "\U0001d159",
        ),
    ],
)
def test_what_a_screen_does_not_show_is_refused_with_its_line(unseen):
    with pytest.raises(OperatorError) as caught:
        read(f"Buy what is cheap.\nAnd{unseen} this.".encode())
    assert str(caught.value).startswith("value.txt:2: holds ")
    assert (
        caught.value.hint == "a brief is printable text and line ends: whoever installs it must see all of it"
    )


def test_any_script_is_text():
    words = "Kaufe, was zu billig ist. \u00e4\u00df \u4e70\u4fbf\u5b9c \u0627\u0634\u062a\u0631 \U0001f4c8 $ 5 % \u2014 e\u0301"
    assert read(words.encode())[0].text == words


def test_what_is_no_utf8_is_refused_with_its_line():
    with pytest.raises(OperatorError, match=r"^value.txt:3: not UTF-8 text$"):
        read(b"Buy what\nis cheap\n\xff.")
