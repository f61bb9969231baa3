"""What strangers wrote comes out of the page as the text that it is."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pp_host.cli.output import printable
from pp_host.cli.page.markup import Html, joined, tag, text, verbatim


class Heard(HTMLParser):
    def __init__(self, markup):
        super().__init__()
        self.tags, self.words, self.attributes = [], "", []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data


@given(st.text())
@example("</p><script>alert(1)</script>")
@example("\" onmouseover='x' &lt; &#60; \u202e\x00\u2028")
def test_any_text_stays_text_and_any_attribute_stays_one(words):
    heard = Heard(tag("p", words, title=words))
    assert heard.tags == ["p"]
    assert heard.words == printable(words)
    assert heard.attributes == [("title", printable(words))]


def test_what_tag_made_is_taken_as_it_is_and_anything_else_is_not():
    assert tag("p", tag("b", "x"), "<b>") == "<p><b>x</b>&lt;b&gt;</p>"
    assert joined(verbatim("<hr>"), "<hr>") == "<hr>&lt;hr&gt;"
    assert not isinstance(tag("b", "x") + "<script>", Html)  # a sum is a plain text again, and escaped


@pytest.mark.parametrize(
    ("name", "spelled"), [("class_", "class"), ("aria_label", "aria-label"), ("viewBox", "viewBox")]
)
def test_names_of_attributes(name, spelled):
    assert tag("i", **{name: "x"}) == f'<i {spelled}="x"></i>'


def test_text_is_escaped_once():
    assert text("a & b") == "a &amp; b"
    assert joined(text("a & b")) == "a &amp; b"
