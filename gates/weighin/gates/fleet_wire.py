"""A fleet as JSON, and back. Law: ``fleet_from_json(fleet_to_json(f)) == f``."""

from datetime import date

from weighin.gates.fleet import Fleet, FleetPart, Share
from weighin.gates.wire import JsonObject, list_of, number_of, object_of, text_of


def fleet_to_json(fleet: Fleet) -> dict[str, object]:
    """Write a fleet as plain JSON values."""
    return {
        "source": fleet.source,
        "as_of": fleet.as_of.isoformat(),
        "at_least_percent": fleet.at_least_percent,
        "parts": [
            {"name": part.name, "percent": part.percent, "devices": list(part.devices)}
            for part in fleet.parts
        ],
    }


def fleet_from_json(document: object) -> Fleet:
    """Read what :func:`fleet_to_json` wrote.

    Raises:
        ValueError: a field is missing or wrong.
    """
    fields = object_of(document, "fleet")
    least = fields.get("at_least_percent")
    parts = (object_of(part, "part of a fleet") for part in list_of(fields, "parts"))
    return Fleet(
        source=text_of(fields, "source"),
        as_of=date.fromisoformat(text_of(fields, "as_of")),
        at_least_percent=None if least is None else number_of(fields, "at_least_percent"),
        parts=tuple(_part(part) for part in parts),
    )


def share_to_json(share: Share) -> dict[str, float]:
    """The four shares in percent; only for readers, they are summed again when read back."""
    return {
        "passed": share.passed,
        "undecided": share.undecided,
        "failed": share.failed,
        "not_covered": share.not_covered,
    }


def _part(fields: JsonObject) -> FleetPart:
    devices = list_of(fields, "devices")
    if not all(isinstance(device, str) for device in devices):
        raise ValueError("devices: names are needed")
    return FleetPart(
        name=text_of(fields, "name"),
        percent=number_of(fields, "percent"),
        devices=tuple(str(device) for device in devices),
    )
