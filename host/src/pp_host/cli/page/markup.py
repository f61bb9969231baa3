"""HTML from parts. Laws: a plain text is a stranger's and is escaped, controls and bidi marks made visible; only what
`tag` made is taken as it is. There is no attribute `style` and no script: the page's policy forbids both."""

from __future__ import annotations

from html import escape

from pp_host.cli.output import printable


class Html(str):
    """Markup that is safe to put into a page. Made by `tag`, `joined` and `verbatim`."""

    __slots__ = ()


def text(words: str) -> Html:
    return Html(escape(printable(words)))


def verbatim(markup: str) -> Html:
    """Markup of our own."""
    return Html(markup)


def joined(*parts: str) -> Html:
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts))


def tag(element: str, /, *parts: str, **attributes: str) -> Html:
    """An element. A trailing underscore of an attribute's name is dropped, others become hyphens."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    return Html(f"<{element}{named}>{joined(*parts)}</{element}>")
