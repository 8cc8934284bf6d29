"""How an app uses a model: what turns the energy of one inference into battery.

What this module does not do: it knows no phone.
"""

import math
from dataclasses import dataclass

MINUTES_OF_A_DAY = 1440.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How often the model runs while the app is in use, and how long that is.

    Attributes:
        inferences_per_second: While the app is in use.
        minutes_per_day: How long it is in use; ``None`` if nobody said.
    """

    inferences_per_second: float
    minutes_per_day: float | None = None

    @property
    def objection(self) -> str | None:
        """Why this is no use that there can be; ``None`` if it is one."""
        rate, minutes = self.inferences_per_second, self.minutes_per_day
        if not (math.isfinite(rate) and rate > 0):
            return f"{rate} inferences per second is no rate of use"
        if minutes is not None and not 0 < minutes <= MINUTES_OF_A_DAY:
            return f"{minutes} minutes per day is no time of use"
        return None

    @property
    def words(self) -> str:
        """As a reader of a report wants it."""
        rate = f"{self.inferences_per_second:g} inferences per second, the model alone"
        if self.minutes_per_day is None:
            return rate
        return f"{rate}, {self.minutes_per_day:g} minutes per day"
