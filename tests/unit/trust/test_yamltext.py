from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust.yamltext import load


def value(text: str) -> object:
    return load(text.encode(), "f.yaml").value


def refusal(data: str | bytes) -> str:
    with pytest.raises(OperatorError) as caught:
        load(data if isinstance(data, bytes) else data.encode(), "f.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_block_and_flow_say_the_same():
    block = "a: 1\nb:\n  - x\n  - {c: true}\nd:\n  e: 2.50\n"
    flow = '{"a": 1, "b": ["x", {"c": true}], "d": {"e": 2.50}}'
    assert value(block) == value(flow) == {"a": 1, "b": ["x", {"c": True}], "d": {"e": Decimal("2.50")}}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("0", 0),
        ("-7", -7),
        ("50.25", Decimal("50.25")),
        ("-0.1", Decimal("-0.1")),
        ("true", True),
        ("false", False),
        ("1.4.0", "1.4.0"),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ("'null'", "null"),
        ('""', ""),
        ("a b", "a b"),
        ('">=1,<2"', ">=1,<2"),
        ("https://example.org", "https://example.org"),
        ("[]", []),
        ("{}", {}),
        ("--- a", "a"),
        ("a # comment", "a"),
        ("1e5", "1e5"),
    ],
)
def test_plain_readings(text, meaning):
    read = value(text)
    assert read == meaning
    assert type(read) is type(meaning)


AMBIGUOUS = ["yes", "No", "on", "OFF", "True", "FALSE", "010", "0x1f", "0b1", "1_000", "1:30", ".5", "5.", "+5", "1.0e+5",
             ".nan", ".NaN", ".inf", "-.inf", "~", "null", "Null", "2001-01-01", "2001-01-01 10:00:00", "=", "-010",
             "1" * 19]  # fmt: skip


@pytest.mark.parametrize("word", AMBIGUOUS)
def test_words_that_read_two_ways_are_refused(word):
    assert (
        refusal(f"a: 1\nb: {word}\n") == f"f.yaml:2: b: {word!r} reads differently in different YAML readers"
    )
    assert value(f"a: 1\nb: '{word}'\n") == {"a": 1, "b": word}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "f.yaml:1: the file is empty"),
        ("# only a comment\n", "f.yaml:1: the file is empty"),
        ("a:\n", "f.yaml:1: a: no value"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: this key stands twice"),
        ("b: {c: 1, c: 2}\n", "f.yaml:1: b.c: this key stands twice"),
        ("a: &x 1\n", "f.yaml:1: a: anchors and aliases are not allowed"),
        ("a: *x\n", "f.yaml:1: a: anchors and aliases are not allowed"),
        ("a: &x {b: 1}\n", "f.yaml:1: a: anchors and aliases are not allowed"),
        ("a:\n  - &x [1]\n", "f.yaml:2: a: anchors and aliases are not allowed"),
        ("a: !!str 1\n", "f.yaml:1: a: tags (`!...`) are not allowed"),
        ("a: !!python/object/apply:os.system [id]\n", "f.yaml:1: a: tags (`!...`) are not allowed"),
        ("a: !x {}\n", "f.yaml:1: a: tags (`!...`) are not allowed"),
        ("! a", "f.yaml:1: tags (`!...`) are not allowed"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:1: directives (`%...`) are not allowed"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1: directives (`%...`) are not allowed"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document; the file must hold one"),
        (
            "a: 1\n...\nb: 2\n",
            "f.yaml:3: not YAML: expected '<document start>', but found '<block mapping start>'",
        ),
        ("<<: {a: 1}\n", "f.yaml:1: '<<' reads differently in different YAML readers"),
        ("1: a\n", "f.yaml:1: the key '1' is not text"),
        ("true: a\n", "f.yaml:1: the key 'true' is not text"),
        ("? [a]\n: b\n", "f.yaml:1: a key must be text"),
        ("? {a: 1}\n: b\n", "f.yaml:1: a key must be text"),
        ('a: "x\\ny"\n', "f.yaml:1: a: text must be one line of printable characters"),
        ("a: |\n  x\n  y\n", "f.yaml:1: a: text must be one line of printable characters"),
        ('a: "\\e[31m"\n', "f.yaml:1: a: text must be one line of printable characters"),
        ('a: "\\u202e"\n', "f.yaml:1: a: text must be one line of printable characters"),
        ('a: "\\ud800"\n', "f.yaml:1: a: text must be one line of printable characters"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', "f.yaml:2: not YAML: a character or number that does not exist"),
        ('a: 1\nb: "\\U00110000"\n', "f.yaml:2: not YAML: a character or number that does not exist"),
        ("a: 1\nb: [1\n", "f.yaml:3: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: \x07\n", "f.yaml:2: unprintable character 0x0007"),
        ("a" * 65 + ": 1\n", "f.yaml:1: a key of more than 64 characters"),
        ("a: 1\n\tb: 2\n", "f.yaml:2: not YAML: found character '\\t' that cannot start any token"),
    ],
)
def test_refusals(text, what):
    assert refusal(text) == what


def test_not_utf8():
    assert refusal(b"a: 1\nb: \xff\n") == "f.yaml:2: not UTF-8"
    assert refusal("a: 1".encode("utf-16")) == "f.yaml:1: not UTF-8"


def test_size_is_bounded():
    most = LIMITS.package.manifest_bytes
    assert load(b"a: 1\n" + b"#" * (most - 5), "f.yaml").value == {"a": 1}
    assert refusal(b"a: 1\n" + b"#" * (most - 4)) == f"f.yaml: larger than {most} bytes"
    assert refusal(b"x" * 10_000_000) == f"f.yaml: larger than {most} bytes"


def test_depth_is_bounded():
    most = LIMITS.package.manifest_depth
    assert value("[" * most + "]" * most) is not None
    assert refusal("[" * (most + 1) + "]" * (most + 1)).endswith(f"nested deeper than {most} levels")
    assert refusal("{a: " * (most + 1) + "1" + "}" * (most + 1)).endswith(f"nested deeper than {most} levels")


@pytest.mark.parametrize(
    "bomb", ["[" * 65_000, "{" * 65_000, "- " * 32_000, "? " * 32_000, "a: " * 20_000, "[a,\n" * 15_000]
)
def test_bombs_end_at_once(bomb):
    started = time.process_time()
    refusal(bomb)
    assert time.process_time() - started < 5


def test_lines_of_places():
    document = load(b"a: 1\nb:\n  - x\n  - c: 2\n    d:\n      e: 3\n", "f.yaml")
    assert document.lines == {"a": 1, "b": 2, "b[0]": 3, "b[1]": 4, "b[1].c": 4, "b[1].d": 5, "b[1].d.e": 6}


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("b[1].d.e", 6),
        ("b[1].d.absent", 5),
        ("b[1].absent", 4),
        ("b[7]", 2),
        ("absent", 1),
        ("absent.x[3].y", 1),
        ("", 1),
    ],
)
def test_a_complaint_finds_its_line(place, line):
    document = load(b"a: 1\nb:\n  - x\n  - c: 2\n    d:\n      e: 3\n", "f.yaml")
    with pytest.raises(OperatorError, match=rf"^f\.yaml:{line}: (.*: )?what$") as caught:
        document.fail(place, "what", "hint")
    assert caught.value.hint == "hint"


SCRAPS = ["a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "!", "!!int ", "? ", "'", '"', "\\", "%",
          "---\n", "...", "|", ">", "#", "1", "0.5", "yes", "~", "\t", "\\U", "\ufeff", "<<", "@", "`"]  # fmt: skip
yamlish = st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | yamlish.map(str.encode))
@example(b"%YAML " + b"9" * 5000 + b".1\n--- a")
@example(b"!<tag:%ff> a")
@example(b"%TAG !%ff! a\n--- a")
def test_only_operator_errors_come_out(data):
    try:
        load(data, "f.yaml")
    except OperatorError as error:
        assert str(error).startswith("f.yaml:")
        assert "\n" not in str(error)
