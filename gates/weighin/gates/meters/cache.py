"""Keeps finished readings on disk, so that a killed run goes on where it was.

A reading is found again only under everything that decided it: file, data, settings, runtime.
What this module does not do: it keeps no failures (the next run may be luckier) and returns
nothing that is older than the caller accepts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.wire import reading_from_json, reading_to_json

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCache:
    """A folder of readings.

    Attributes:
        folder: Where they are, one JSON file each.
        now: Readings from later than this are not believed.
        reuse_for: Readings older than this are measured again.
    """

    folder: Path
    now: datetime
    reuse_for: timedelta

    def recall(self, metric: Metric, parts: Mapping[str, str]) -> Measurement | None:
        """The reading that was kept under these parts, if it is still good."""
        try:
            reading = reading_from_json(json.loads(self._path(metric, parts).read_text()))
        except (FileNotFoundError, ValueError):
            return None  # measured afresh, which is always right
        if not isinstance(reading, Measurement) or reading.metric is not metric:
            return None
        age = self.now - reading.measured_at
        return reading if timedelta(0) <= age <= self.reuse_for else None

    def keep(self, reading: Measurement, parts: Mapping[str, str]) -> None:
        """Write a reading, whole or not at all."""
        path = self._path(reading.metric, parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(reading_to_json(reading)))
        draft.replace(path)

    def _path(self, metric: Metric, parts: Mapping[str, str]) -> Path:
        named = {"format": str(_FORMAT), "metric": metric.value, **parts}
        key = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:40]
        return self.folder / f"{metric}-{key}.json"
