"""Makes names that nobody vouches for safe to show.

What this module does not do: it escapes for no output format.
"""

import unicodedata


def plain(text: str) -> str:
    """One line without control, escape or direction-changing characters.

    White space of any kind becomes one blank, everything else that a terminal or a browser
    would obey instead of show becomes U+FFFD. Nothing at all becomes ``(empty)``.
    """
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line or "(empty)"
    shown = "".join("\ufffd" if unicodedata.category(c).startswith("C") else c for c in line)
    return shown or "(empty)"
