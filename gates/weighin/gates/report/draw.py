"""From a Vega-Lite specification to an inline SVG that is small and knows its variants.

Vega draws; this module takes out what no reader of the page needs (empty groups, attributes
that the style sheet sets, digits beyond a tenth of a pixel) and ties each mark to its variant.
A mark's ``description`` in the specification is its key here, so no name that a registry may
hold ever goes through the drawing library.

What this module does not do: it loads nothing, and it makes no shape of its own.
"""

import html
import re
from collections.abc import Mapping

from weighin.gates.report.words import plain

Spec = dict[str, object]
Words = Mapping[str, str]
"""What a mark says on pointing or focus, by its key: its number, and a letter where one number
has several marks."""

_EMPTY = re.compile(
    r'<path class="(?:foreground|background)"[^>]*(?:display="none"|d="M0,0h0v0h0Z")[^>]*/>'
)
_NOISE = re.compile(
    r" (?:xmlns(?::\w+)?|version|pointer-events|stroke-miterlimit|font-family|font-size"
    r'|font-weight|role|aria-roledescription|aria-hidden)="[^"]*"| (?:opacity|stroke-width)="1"'
    r'| [xy]2="-?0"'
)
_CLASS = re.compile(
    r'class="mark-\w+ role-(?:mark (?P<layer>[a-z]+)\d*_marks|(?P<role>[\w-]+)[^"]*)"'
)
_LINE = re.compile(
    r'<line transform="translate\(([-\d.e]+),([-\d.e]+)\)"'
    r'(?: x2="([-\d.e]+)")?(?: y2="([-\d.e]+)")?'
)
_TEXT = re.compile(r'(<text[^>]*?) transform="translate\(([-\d.e]+),([-\d.e]+)\)"(?=[ >])')
_GROUP = re.compile(r'(<g class="[\w-]+")>((?:<path[^>]*/>|<text[^>]*>[^<]*</text>)+)</g>')
_MARK = re.compile(r"<(?:path|text) ")
_INHERITED = ("fill", "stroke", "stroke-dasharray", "text-anchor")
_ATTRIBUTE = re.compile(r'="[^"]*"')
_DECIMALS = re.compile(r"\d+\.\d{2,}")
_KEY = re.compile(r'aria-label="((\d+)[a-z]?)"')


def draw(spec: Spec, words: Words | None = None, link: str = "v") -> str:
    """The picture as an ``<svg>`` element for the middle of a page, without any address in it.

    Args:
        spec: A Vega-Lite specification with its data inside.
        words: Per key, the text of the marks that carry it as their description. A mark whose
            key is not among them says nothing.
        link: What the number in a key counts: ``v`` for variants, ``h`` for a history's entries.
    """
    import vl_convert

    svg = str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    return _tied(_slim(svg), words or {}, link)


def _slim(svg: str) -> str:
    svg = _NOISE.sub("", _EMPTY.sub("", svg))
    svg = _CLASS.sub(lambda found: f'class="{found["layer"] or found["role"]}"', svg)
    svg = _LINE.sub(_as_path, svg)
    svg = _TEXT.sub(r'\1 x="\2" y="\3"', svg)
    svg = _GROUP.sub(_hoisted, svg)
    svg = _ATTRIBUTE.sub(lambda found: _DECIMALS.sub(_rounded, found[0]), svg)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def _as_path(found: re.Match[str]) -> str:
    """A line that is moved to its place, as the path that starts there."""
    x, y, across, down = found.groups()
    return f'<path d="M{x},{y}l{across or 0},{down or 0}"'


def _hoisted(found: re.Match[str]) -> str:
    """A group of marks with what all of them have in common said once, by the group."""
    head, marks = found[1], found[2]
    for name in _INHERITED:
        values = re.findall(rf' {name}="([^"]*)"', marks)
        if len(values) == len(_MARK.findall(marks)) and len(set(values)) == 1:
            marks = marks.replace(f' {name}="{values[0]}"', "")
            head = f'{head} {name}="{values[0]}"'
    return f"{head}>{marks}</g>"


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _tied(svg: str, words: Words, link: str) -> str:
    def attributes(found: re.Match[str]) -> str:
        key = found[1]
        if key not in words:
            return ""
        return f'class="m" data-{link}="{found[2]}" data-t="{html.escape(plain(words[key]))}"'

    return _KEY.sub(attributes, svg)
