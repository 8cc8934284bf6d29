"""HTML that is escaped by construction.

Text becomes HTML in one place, :func:`tag`; only what is already :class:`Html` is left as it
is. So a name from a registry cannot become markup by being forgotten somewhere.
"""

import html

from weighin.gates.report.words import plain

_VOID = frozenset({"meta", "wbr"})


class Html(str):
    """Text that is markup already. Made by :func:`tag` and :func:`join`; by hand only for ours."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | None) -> Html:
    """One element. Children that are not :class:`Html` are escaped and made plain.

    Attribute names end in ``_`` where Python needs it and have ``-`` for ``_``; an attribute
    whose value is ``None`` is left out, one whose value is empty stands alone.
    """
    shown = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*parts: str) -> Html:
    """Several pieces after one another, each escaped unless it is markup."""
    return Html("".join(part if isinstance(part, Html) else _text(part) for part in parts))


def _text(text: str) -> str:
    """Escaped; outer blanks survive, since pieces stand beside each other."""
    if not text.strip():
        return " " if text else ""
    before, after = text[0].isspace() * " ", text[-1].isspace() * " "
    return f"{before}{html.escape(plain(text))}{after}"


def _attribute(key: str, value: str) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f' {name}="{html.escape(plain(value))}"' if value else f" {name}"
