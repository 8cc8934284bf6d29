"""A call that passed the gate: who asks what of which repository, and the checks of its fields.

What this module does not do: it answers nothing; the ``answer_…`` modules do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import Token
from weighin.plugin.github.simulator.wire import Call, invalid, refused
from weighin.plugin.github.simulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call with everything that answering it needs.

    Attributes:
        world: What is known.
        call: What was sent.
        token: Whose call it is.
        hosted: The repository that it is about.
        parts: The variable parts of the path, decoded.
        now: When.
    """

    world: World
    call: Call
    token: Token
    hosted: Hosted
    parts: Mapping[str, str]
    now: datetime

    @property
    def base(self) -> str:
        """The API's address."""
        return self.call.base

    def fields(self) -> dict[str, Any]:
        """The sent JSON object; 400 if it is none."""
        try:
            return self.call.fields()
        except ValueError as error:
            raise refused(400, "Problems parsing JSON") from error

    def number(self, name: str) -> int:
        """A number in the path; 404 if it is none."""
        text = self.parts[name]
        if not text.isdecimal():
            raise refused(404, "Not Found")
        return int(text)


def text_field(sent: Mapping[str, Any], resource: str, name: str, at_most: int = 65_536) -> str:
    """A text that must be there and not be empty; 422 otherwise."""
    value = sent.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(resource, f"{name} can't be blank", field_name=name)
    return short_enough(value, resource, name, at_most)


def short_enough(value: str, resource: str, name: str, at_most: int) -> str:
    """The text; 422 if it is longer than GitHub takes."""
    if len(value) > at_most:
        raise invalid(resource, f"{name} is too long (maximum is {at_most} characters)")
    return value
