"""What every rendering says of a search: how far it came, and what became of each file.

What this module does not do: it escapes nothing, and it says nothing of the gate's verdicts.
"""

from collections.abc import Iterator

from weighin.gates.metric import Metric
from weighin.gates.report.words import amount, count, figure, plain
from weighin.gates.search import SearchRecord, Standing, Trial, nearest_miss
from weighin.gates.weigh_in import WeighIn

_WORDS = {
    Standing.SURE: "fits",
    Standing.LIKELY: "fits, if the gate's rows show the same",
    Standing.OPEN: "open",
    Standing.FELL: "fell",
}


def search_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    """The search in a few named lines; none if there was none."""
    record = weigh_in.search
    if record is None:
        return
    tried = count(len(record.trials), "file")
    spent = f"{figure(record.seconds / 60)} of {figure(record.minutes)} min"
    yield "tried", f"{tried} in {count(len(record.rounds), 'round')}, {spent}, on tuning data"
    yield "ended", plain(record.ended)
    yield "kept for the gate", ", ".join(map(plain, record.kept)) or "nothing"
    for device in weigh_in.devices:
        miss = nearest_miss(record.trials, device)
        if miss is not None:
            yield "nearest miss", f"{plain(device)}: {plain(miss.label)}, {on_device(miss, device)}"


def trial_lines(record: SearchRecord) -> Iterator[tuple[Trial, str, str]]:
    """Every file that was tried, why it was, and what became of it."""
    for one in record.rounds:
        for trial in one.trials:
            yield trial, plain(one.question), fate(trial)


def fate(trial: Trial) -> str:
    """What became of one file, on all devices."""
    if trial.size_bytes is None:
        return f"could not be made: {plain(trial.reason)}"
    drop = "" if trial.drop_points is None else f", drop {_drop(trial.drop_points)}"
    size = amount(Metric.SIZE_MIB, trial.size_bytes / 2**20)
    stands = (f"{plain(one.device)}: {on_device(trial, one.device)}" for one in trial.devices)
    dominated = "; float32 is as good or faster" if trial.dominated else ""
    return f"{size}{drop}; {'; '.join(stands)}{dominated}"


def on_device(trial: Trial, device: str) -> str:
    """How a file stands on one device, in words."""
    found = trial.on(device)
    if found is None:
        return "not looked at"
    word = _WORDS[found.standing]
    return word if found.standing.fits else f"{word}, {plain(found.reason)}"


def _drop(points: float) -> str:
    return amount(Metric.ACCURACY_DROP_POINTS, points)
