"""What the benchmark tools of LiteRT and ONNX Runtime print, as records.

Pure. Both tools end with a summary of their timed runs. Everything that is not understood is a
:class:`ValueError` that quotes the line: never a zero, and never the warm-up taken for the runs.

Sources: tensorflow/lite/tools/benchmark/README.md and g3doc/performance/measurement.md
(Apache-2.0); onnxruntime/test/perftest/README.md (MIT).
"""

import re
import signal
from dataclasses import dataclass

from weighin.gates.devices.phone.figures import NUMBER, number, quoted, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The timed runs of one process, as its tool sums them up; all times in milliseconds.

    Attributes:
        count: How many runs.
        mean_ms: Their mean.
        min_ms: The fastest; ``None`` if the tool does not say, as for all below.
        max_ms: The slowest.
        p50_ms: The median.
        p90_ms: The 90th percentile.
        p95_ms: The 95th percentile.
    """

    count: int
    mean_ms: float
    min_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """How much of a model a delegate took: a silent fallback shows here.

    Attributes:
        delegate: Its name.
        nodes: Operators that it runs.
        of: Operators there are; ``None`` if an older tool does not say.
        partitions: Pieces that the model falls into, the delegate's and the others.
    """

    delegate: str
    nodes: int
    of: int | None
    partitions: int

    @property
    def whole(self) -> bool:
        """Whether the delegate runs the whole model in one piece."""
        return self.partitions == 1 and self.of in (None, self.nodes)

    @property
    def words(self) -> str:
        """For conditions and messages."""
        pieces = "1 piece" if self.partitions == 1 else f"{self.partitions} pieces"
        of = "" if self.of is None else f" of {self.of}"
        return f"{self.delegate} runs {self.nodes}{of} nodes in {pieces}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """What one process of a benchmark tool said.

    Attributes:
        timed: Its timed runs.
        warm_up: How many runs went before them.
        partitions: What its delegates took.
        peak_mib: Peak memory by the tool's own monitor, if it was asked for.
    """

    timed: Summary
    warm_up: int
    partitions: tuple[Partition, ...] = ()
    peak_mib: float | None = None


def parse_litert(text: str) -> ToolRun:
    """Read what LiteRT's ``benchmark_model`` printed, of any build.

    Raises:
        ValueError: it did not finish, or a line is not understood; the message quotes it.
    """
    counts = [_count_line(line) for line in text.splitlines() if _COUNT.search(line)]
    ends = [line for line in text.splitlines() if "Inference timings in us" in line]
    if len(counts) != 2 or len(ends) != 1:
        raise ValueError(f"benchmark_model did not finish: its last line is {_last_line(text)}")
    warm_up, timed = counts
    _check_end(ends[0], timed)
    return ToolRun(
        timed=timed,
        warm_up=warm_up.count,
        partitions=tuple(_partition(line) for line in text.splitlines() if _TAKEN in line),
        peak_mib=_monitored(text),
    )


_COUNT = re.compile(r"\bcount\s*=\s*\S+\s+(?:first|curr)\s*=")
_FIELD = re.compile(r"\b([a-z]\w*)\s*=\s*(\S+?)(?=\s|\(|$)")
_TAKEN = "with delegate"
_PARTITION = re.compile(
    r"Replacing (\d+)(?: out of (\d+))? node\(s\) with delegate \((.+?)\) node, "
    r"yielding (\d+) partition"
)
_END = re.compile(
    rf"Init: ({NUMBER}), First inference: ({NUMBER}), Warmup \(avg\): ({NUMBER}), "
    rf"Inference \(avg\): ({NUMBER})\s*$"
)
_MONITOR = "via periodic monitoring:"


def _count_line(line: str) -> Summary:
    """``count=50 first=.. curr=.. min=.. max=.. avg=.. std=..``, or ``count=1 curr=..``."""
    fields = dict(_FIELD.findall(line[line.index("count") :]))
    try:
        count = whole(fields["count"])
        if set(fields) == {"count", "curr"} and (count == 1 or "(all same)" in line):
            same = _ms(fields["curr"])
            return Summary(count=count, mean_ms=same, min_ms=same, max_ms=same, p50_ms=same)
        return Summary(
            count=count,
            mean_ms=_ms(fields["avg"]),
            min_ms=_ms(fields["min"]),
            max_ms=_ms(fields["max"]),
            p50_ms=_ms(fields["median"]) if "median" in fields else None,
            p95_ms=_ms(fields["p95"]) if "p95" in fields else None,
        )
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"benchmark_model printed a line that is not understood: {_q(line)}"
        ) from error


def _ms(text: str) -> float:
    value = number(text) / 1000
    if value <= 0:
        raise ValueError(f"no inference takes {quoted(text)} us")
    return value


def _check_end(line: str, timed: Summary) -> None:
    """The closing line must tell the mean of the second summary: else the wrong one was read."""
    found = _END.search(line)
    if not found:
        raise ValueError(f"benchmark_model printed a line that is not understood: {_q(line)}")
    said_ms = number(found[4]) / 1000
    if abs(said_ms - timed.mean_ms) > 0.001 + 1e-3 * timed.mean_ms:
        raise ValueError(
            f"benchmark_model contradicts itself: a mean of {timed.mean_ms:g} ms, then {_q(line)}"
        )


def _partition(line: str) -> Partition:
    found = _PARTITION.search(line)
    if not found:
        raise ValueError(f"benchmark_model printed a line that is not understood: {_q(line)}")
    taken, of, name, partitions = found.groups()
    return Partition(
        delegate=name,
        nodes=int(taken),
        of=None if of is None else int(of),
        partitions=int(partitions),
    )


def _monitored(text: str) -> float | None:
    lines = [line for line in text.splitlines() if _MONITOR in line]
    return number(lines[-1].split(_MONITOR)[1].strip()) if lines else None


def parse_onnx(text: str, runs: int | None) -> ToolRun:
    """Read what ``onnxruntime_perf_test`` printed.

    Args:
        text: Its output.
        runs: How many timed runs it was asked for; ``None`` if for a time.

    Raises:
        ValueError: it did not finish, or a line is not understood; the message quotes it.
    """
    mean_ms = _said(text, r"Average inference time cost(?: total)?", "ms")
    if mean_ms is None or mean_ms <= 0:
        raise ValueError(
            f"onnxruntime_perf_test did not finish: its last line is {_last_line(text)}"
        )
    seconds = {
        name: _said(text, f"{name} Latency", "s") for name in ("Min", "Max", "P50", "P90", "P95")
    }
    known = {name: None if value is None else value * 1000 for name, value in seconds.items()}
    peak = _said(text, "Peak working set size", "bytes")
    requests = _said(text, "Total inference requests", "")
    count = runs if requests is None else round(requests)
    if count is None or count < 1 or (runs is not None and count != runs):
        raise ValueError(f"onnxruntime_perf_test made {count} runs, not {runs or 'any'}")
    timed = Summary(
        count=count,
        mean_ms=mean_ms,
        min_ms=known["Min"],
        max_ms=known["Max"],
        p50_ms=known["P50"],
        p90_ms=known["P90"],
        p95_ms=known["P95"],
    )
    return ToolRun(timed=timed, warm_up=1, peak_mib=None if peak is None else peak / 2**20)


def _said(text: str, name: str, unit: str) -> float | None:
    """The figure after a name, in the unit that must stand behind it."""
    lines = [line for line in text.splitlines() if re.match(rf"\s*{name}\s*:", line)]
    if not lines:
        return None
    found = re.fullmatch(rf"\s*{name}\s*:\s*({NUMBER})\s*{unit}\.?\s*", lines[0])
    if not found:
        raise ValueError(
            f"onnxruntime_perf_test printed a line that is not understood: {_q(lines[0])}"
        )
    return number(found[1])


def failure(name: str, code: int, text: str) -> str:
    """Why a tool that ended with ``code`` failed, in its own words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)] or lines[-1:]
    how = _signal(code) or f"exit status {code}"
    told = " | ".join(dict.fromkeys(line[:200] for line in errors[-3:]))
    return f"{name} crashed ({how})" + (f": {told}" if told else "")


_ERROR = re.compile(r"\b(?:ERROR|FATAL|[Ff]ailed|CANNOT LINK|Exception|not executable)\b")


def _signal(code: int) -> str:
    try:
        return f"killed by {signal.Signals(code - 128).name}" if code > 128 else ""
    except ValueError:
        return ""


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return quoted(lines[-1]) if lines else "empty"


def _q(line: str) -> str:
    return quoted(line)
