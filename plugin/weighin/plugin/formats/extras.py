"""Converters that only some users need, and what to install when one is missing."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from weighin.plugin.passes.prune import PassError


def require(module: str, extra: str) -> None:
    """Make sure that a converter is there.

    Args:
        module: Top-level module that the converter is imported by.
        extra: The extra of our own distribution that brings it.

    Raises:
        PassError: it is not installed.
    """
    if find_spec(module) is None:
        raise PassError(
            f"{module} is not installed; it comes with `pip install 'weighin[{extra}]'`"
        )


@contextmanager
def without(*modules: str) -> Generator[None]:
    """Let imports of these modules fail meanwhile, also of those that are imported already.

    For a converter that imports every framework it could convert from, if it is installed.
    """
    found: Any = sys.modules
    before = {name: found[name] for name in modules if name in found}
    found.update(dict.fromkeys(modules))
    try:
        yield
    finally:
        for name in modules:
            del found[name]
        found.update(before)
