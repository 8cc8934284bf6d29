"""What is known of a file on a phone: what was measured on it, else what is predicted.

A run on the phone (``devices/NAME.runs.jsonl``) stands before every prediction, and replaces it
also where it says why there is no number. One that is too old is no longer looked at: then the
prediction stands, as if nobody had measured. What this module does not do: it judges nothing.
"""

from datetime import datetime
from pathlib import Path

from weighin.gates.belief import Moment
from weighin.gates.devices.phone.evidence import newest_run, readings_of
from weighin.gates.devices.phone.runs_file import read_runs
from weighin.gates.devices.predict import battery_of, predict
from weighin.gates.errors import PhoneError, SourceError
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import load_profile
from weighin.gates.variant import Format

PREDICTED = (
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
)


def known_on_phone(
    path: Path,
    format: Format,
    sha256: str,
    device: str,
    inferences_per_hour: float | None,
    moment: Moment,
    own: Path,
) -> tuple[Reading, ...]:
    """What is known of one file on one phone, one reading per metric of :data:`PREDICTED`.

    Args:
        path: The file.
        format: Its format.
        sha256: Its digest.
        device: The phone's profile.
        inferences_per_hour: How often the app runs the model; ``None`` if not stated.
        moment: When it is judged, and how old a run may be.
        own: The user's folder of profiles and runs.
    """
    measured = measured_on_phone(sha256, device, moment, own)
    if len(measured) == len(PREDICTED):
        return tuple(measured.values())
    predicted = predict_file(path, format, sha256, device, inferences_per_hour, moment.now, own)
    known = {reading.metric: reading for reading in predicted} | measured
    battery, energy = Metric.BATTERY_PERCENT_PER_HOUR, measured.get(Metric.ENERGY_MJ)
    if isinstance(energy, Measurement):
        known[battery] = battery_of(load_profile(device, own), energy, inferences_per_hour)
    elif energy is not None:
        known[battery] = Unreadable(metric=battery, reason=energy.reason)
    return tuple(known.values())


def measured_on_phone(sha256: str, device: str, moment: Moment, own: Path) -> dict[Metric, Reading]:
    """What a fresh run on the phone says of a file; a damaged file of runs says that it is."""
    try:
        runs = read_runs(own, device).runs
    except PhoneError as error:
        return {metric: Unreadable(metric=metric, reason=str(error)) for metric in PREDICTED}
    fresh = [run for run in runs if moment.now - run.measured_at <= moment.max_age]
    run = newest_run(fresh, sha256)
    return {} if run is None else {reading.metric: reading for reading in readings_of(run)}


def predict_file(
    path: Path,
    format: Format,
    sha256: str,
    device: str,
    inferences_per_hour: float | None,
    now: datetime,
    own: Path | None = None,
) -> tuple[Reading, ...]:
    """Predict one file on one phone; a file that cannot be read says why."""
    from weighin.gates.cost import read_cost

    try:
        cost = read_cost(path, format)
    except (SourceError, OSError) as error:
        return tuple(Unreadable(metric=metric, reason=str(error)) for metric in PREDICTED)
    return predict(
        load_profile(device, own),
        cost,
        format,
        artifact_sha256=sha256,
        runtime=runtime_of(format),
        inferences_per_hour=inferences_per_hour,
        now=now,
    )
