"""Names that a review gives to things on GitHub: the branch, the checks, the title. Pure.

Model and device names are somebody else's. In a branch they keep only what git allows, and a
digest keeps names apart that would then be the same; elsewhere they are one plain line.
"""

import hashlib
import re

from weighin.gates.plain import plain

REQUIRED = "weighin"
"""The check that branch protection asks for: one name, whatever model a pull request holds."""

_SEPARATOR = " / "
_LONGEST_PART = 80
_SAFE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*")


def branch_name(model: str, version: str) -> str:
    """``weighin/digits/v3``: a branch name that git and every shell accept."""
    return f"weighin/{slug(model)}/v{slug(version)}"


def slug(name: str) -> str:
    """A name as one safe part of a branch name; different names stay different."""
    fits = _SAFE.fullmatch(name) and not name.endswith((".", ".lock"))
    if fits and len(name) <= _LONGEST_PART:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40].strip("-")
    return f"{readable}-{digest}" if readable else digest


def model_check(model: str) -> str:
    """``weighin / digits``: whether this model may ship."""
    return _SEPARATOR.join((REQUIRED, _part(model)))


def device_check(model: str, device: str) -> str:
    """``weighin / digits / pixel-4``: what one device gets."""
    return _SEPARATOR.join((REQUIRED, _part(model), _part(device)))


def is_model_check(name: str) -> bool:
    """Whether a check says of a model, any model, whether it may ship."""
    return name.startswith(REQUIRED + _SEPARATOR) and name.count(_SEPARATOR) == 1


def _part(name: str) -> str:
    """One line without a slash; a digest keeps names apart that were changed."""
    shown = plain(name).replace("/", "\u2215").strip()
    if shown == name and len(name) <= _LONGEST_PART:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{shown[:_LONGEST_PART].rstrip()} {digest}".strip()
