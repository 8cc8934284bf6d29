"""Whether a phone is throttled: Android's thermal service, or the kernel's zones without it.

Pure. What this module does not do: it never asks a phone to override its thermal status, and a
status that was overridden, or that no hardware stands behind, is not believed.

Source: Android's IThermalService and Temperature.aidl (thermal status 0 none to 6 shutdown; types
6 to 8 are battery current limits, not degrees).
"""

import re
from dataclasses import dataclass

from weighin.gates.devices.phone.figures import NUMBER, number, quoted, whole

SKIN_LIMIT_C = 40.0
"""Without a thermal service, a skin or battery warmer than this counts as too hot: an assumption,
a few degrees below where phones of the published tables begin to throttle."""

_NOT_DEGREES = frozenset({6, 7, 8})
_KINDS = {0: "cpu", 1: "gpu", 2: "battery", 3: "skin", 9: "npu", 10: "tpu"}
_SURFACE = re.compile(r"skin|shell|back|quiet|batt", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """How hot a phone is.

    Attributes:
        status: Android's thermal status, 0 to 6; ``None`` if no thermal service tells.
        degrees_c: Temperatures by sensor.
    """

    status: int | None
    degrees_c: tuple[tuple[str, float], ...]

    @property
    def objection(self) -> str | None:
        """Why nothing may be measured now; ``None`` if it may."""
        if self.status is not None:
            return None if self.status == 0 else f"thermal status {self.status}, not 0"
        surfaces = [(t, name) for name, t in self.degrees_c if _SURFACE.search(name)]
        if not surfaces:
            return "it tells neither a thermal status nor the temperature of skin or battery"
        hottest, name = max(surfaces)
        return None if hottest <= SKIN_LIMIT_C else f"{name} at {hottest:.1f} C"

    @property
    def words(self) -> str:
        """For conditions: the status and the hottest surface."""
        status = "no thermal service" if self.status is None else f"thermal status {self.status}"
        surfaces = [t for name, t in self.degrees_c if _SURFACE.search(name)]
        return f"{status}, {max(surfaces):.1f} C" if surfaces else status


def parse_thermal_service(text: str) -> Heat | None:
    """Read ``dumpsys thermalservice``; ``None`` if there is no service, or no hardware behind it.

    Raises:
        ValueError: the status was overridden, or a line is not understood.
    """
    if "Can't find service" in text or not text.strip():
        return None
    if re.search(r"IsStatusOverride:\s*true", text):
        raise ValueError(
            "its thermal status was overridden; "
            "run `adb shell cmd thermalservice reset` and measure again"
        )
    if not re.search(r"HAL Ready:\s*true", text):
        return None
    status = re.search(r"^\s*Thermal Status:\s*(\S+)\s*$", text, re.MULTILINE)
    if not status or not status[1].isdigit() or int(status[1]) > 6:
        raise ValueError(f"dumpsys thermalservice tells no status: {quoted(text)}")
    return Heat(status=int(status[1]), degrees_c=tuple(_from_hal(text)))


_TEMPERATURE = re.compile(
    rf"Temperature\{{mValue=({NUMBER}), mType=(-?\d+), mName=(.*?), mStatus=\d+\}}"
)


def _from_hal(text: str) -> list[tuple[str, float]]:
    """Only the section that is read from hardware now: the cached one may be hours old."""
    _, _, section = text.partition("Current temperatures from HAL:")
    found: list[tuple[str, float]] = []
    for line in section.split("\n")[1:]:
        if not line.strip().startswith("Temperature{"):
            if line.strip():
                break
            continue
        parts = _TEMPERATURE.search(line)
        if not parts:
            raise ValueError(f"not a temperature: {quoted(line)}")
        kind = int(parts[2])
        if kind not in _NOT_DEGREES:
            found.append((f"{_KINDS.get(kind, kind)} {parts[3]}", number(parts[1])))
    return found


def parse_zones(text: str) -> Heat:
    """Read lines ``type|temp`` of the kernel's zones, thousandths of a degree or degrees.

    Raises:
        ValueError: a line is not understood.
    """
    found: list[tuple[str, float]] = []
    for line in text.split("\n"):
        name, bar, value = line.strip().rpartition("|")
        if not bar or not value:
            continue  # a zone whose sensor is off shows nothing
        raw = whole(value)
        degrees = raw / 1000 if abs(raw) >= 1000 else float(raw)
        if -40 < degrees < 150:  # unused sensors show nonsense
            found.append((name, degrees))
    return Heat(status=None, degrees_c=tuple(found))
