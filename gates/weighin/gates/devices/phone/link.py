"""The seam to a phone: run a command on it, and put a file there.

What this module does not do: it knows no adb; :mod:`.adb` is the one that does, and everything
else in this package takes whatever has these methods.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from weighin.gates.errors import PhoneError

FOLDER = "/data/local/tmp/weighin"
"""Where everything that is measured lives on a phone: any adb user may write and run there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command on a phone left behind: its exit status, and all that it printed."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.code == 0


class Link(Protocol):
    """One phone.

    All methods raise :class:`PhoneGone` when it does not answer, and :class:`PhoneError` when it
    refuses.
    """

    @property
    def serial(self) -> str:
        """As adb lists it."""
        ...

    def run(self, command: str, timeout_s: float = 60.0) -> Answer:
        """Run a command line in the phone's shell, and wait for it."""
        ...

    def push(self, local: Path, remote: str, mode: int) -> None:
        """Put a file there, with these permission bits."""
        ...

    def pull(self, remote: str, local: Path) -> None:
        """Fetch a file from there."""
        ...


def text_of(link: Link, command: str) -> str:
    """What a command prints.

    Raises:
        PhoneError: it failed; the message has the command and its words.
        PhoneGone: the phone does not answer.
    """
    answer = link.run(command)
    if not answer.ok:
        said = " ".join(answer.text.split())[:200]
        raise PhoneError(f"phone: `{command}` failed ({answer.code}): {said}")
    return answer.text
