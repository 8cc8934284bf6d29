"""What the benchmark tools print, in every variant that was seen, and in none that was not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.devices.phone.figures import number, whole
from weighin.gates.devices.phone.timings import p90_between, timings_ms
from weighin.gates.devices.phone.tool_output import Summary, failure, parse_litert, parse_onnx

NEW = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [4]
INFO: Loaded model /data/local/tmp/m.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Replacing 29 out of 31 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding \
3 partitions for the whole graph.
INFO: Initialized session in 12.3ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate \
if exceeding 150 seconds.
INFO: count=41 first=15012 curr=12001 min=11900 max=15012 avg=12251.7 std=510 p5=11910 \
median=12040 p95=13100

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate \
if exceeding 150 seconds.
INFO: count=83 first=12100 curr=12090 min=11880 max=12900 avg=12098.4 std=150 p5=11930 \
median=12075 p95=12400

INFO: Inference timings in us: Init: 12345, First inference: 15012, Warmup (avg): \
12251.7, Inference (avg): 12098.4
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only \
APPROXIMATE to the actual memory footprint of the model at runtime. Take the information \
at your discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=4.5 overall=9.25
"""
OLD = """\
STARTING!
Min num runs: [50]
count=1 curr=2719851
count=50 first=2700000 curr=2710000 min=2690000 max=2801000 avg=2.71985e+06 std=12000
Inference timings in us: Init: 5421, First inference: 2719851, Warmup (avg): 2.71985e+06, \
Inference (avg): 2.71985e+06
Peak memory footprint (MB): init=1.5 overall=2.5
"""
COMMAS = """\
count=3 first=2801 curr=2705 min=2705 max=2801 avg=2750,33 std=39
count=3 first=2701 curr=2710 min=2701 max=2712 avg=2707,67 std=5
Inference timings in us: Init: 5421, First inference: 2801, Warmup (avg): 2750,33, \
Inference (avg): 2707,67
Overall peak memory footprint (MB) via periodic monitoring: 10,5
"""
ONNX = """\
Session creation time cost: 0.0213 s
First inference time cost: 12 ms
Total inference time cost: 0.036 s
Total inference requests: 3
Average inference time cost: 12.0012 ms
Total inference run time: 0.0361 s
Number of inferences per second: 83.1
Avg CPU usage: 52 %
Peak working set size: 31457280 bytes
Avg CPU usage:52
Peak working set size:31457280
Runs:3
Min Latency: 0.0119 s
Max Latency: 0.0121036 s
P50 Latency: 0.012 s
P90 Latency: 0.0121036 s
P95 Latency: 0.0121036 s
P99 Latency: 0.0121036 s
"""


def test_the_second_summary_is_the_steady_state() -> None:
    run = parse_litert(NEW)
    assert run.timed.count == 83
    assert run.timed.mean_ms == pytest.approx(12.0984)
    assert run.timed.p95_ms == pytest.approx(12.4)
    assert run.warm_up == 41
    (part,) = run.partitions
    assert not part.whole
    assert part.words == "TfLiteXNNPackDelegate runs 29 of 31 nodes in 3 pieces"


def test_an_old_tool_prints_scientific_notation_and_no_percentiles() -> None:
    run = parse_litert(OLD)
    assert run.timed.mean_ms == pytest.approx(2719.85)
    assert run.timed.p95_ms is None
    assert run.warm_up == 1
    assert run.partitions == ()


def test_decimal_commas_are_not_separators() -> None:
    run = parse_litert(COMMAS)
    assert run.timed.mean_ms == pytest.approx(2.70767)
    assert run.peak_mib == pytest.approx(10.5)


def test_partition_lines_of_older_tools_do_not_say_of_how_many() -> None:
    line = "Replacing 5 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions."
    (part,) = parse_litert(line + "\n" + COMMAS).partitions
    assert (part.nodes, part.of, part.whole) == (5, None, True)


def test_equal_runs_are_printed_as_one_figure() -> None:
    text = COMMAS.replace(
        "count=3 first=2701 curr=2710 min=2701 max=2712 avg=2707,67 std=5",
        "count=3 curr=2707(all same)",
    ).replace("2707,67", "2707")
    assert timings_ms(parse_litert(text).timed) == (2.707, 2.707, 2.707)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "did not finish: its last line is empty", id="nothing"),
        pytest.param("count=1 curr=5\nKilled", "last line is 'Killed'", id="ended after warm-up"),
        pytest.param(NEW.replace("avg=12098.4", "avg=nan"), "'INFO: count=83", id="nan"),
        pytest.param(NEW.replace("avg=12098.4", "avg=0"), "'INFO: count=83", id="zero"),
        pytest.param(NEW.replace("avg=12098.4", "avg=-12"), "'INFO: count=83", id="negative"),
        pytest.param(NEW.replace("min=11880 ", ""), "'INFO: count=83", id="field missing"),
        pytest.param(
            NEW.replace("Inference (avg): 12098.4", "Inference (avg): 99"),
            "contradicts itself",
            id="end of another run",
        ),
        pytest.param(NEW + NEW, "did not finish", id="two runs in one output"),
        pytest.param(
            NEW.replace("29 out of 31 node(s)", "some nodes"), "'INFO: Replacing", id="partition"
        ),
        pytest.param(NEW.replace("12098.4\n", "1.2.3\n"), "not understood", id="garbled end"),
    ],
)
def test_what_is_not_understood_is_an_error_that_quotes_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="benchmark_model") as caught:
        parse_litert(text)
    assert says in str(caught.value)


def test_onnx_runtimes_tool_tells_seconds_and_milliseconds() -> None:
    run = parse_onnx(ONNX, 3)
    assert run.timed.mean_ms == pytest.approx(12.0012)
    assert run.timed.p50_ms == pytest.approx(12.0)
    assert run.peak_mib == pytest.approx(30)
    assert timings_ms(run.timed) == pytest.approx((11.9, 12.0, 12.1036))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "did not finish", id="nothing"),
        pytest.param(ONNX.replace("12.0012 ms", "12.0012 s"), "not understood", id="other unit"),
        pytest.param(ONNX.replace("requests: 3", "requests: 7"), "7 runs, not 3", id="other runs"),
        pytest.param(ONNX.replace("0.012 s", "twelve s"), "not understood", id="word"),
    ],
)
def test_onnx_output_that_is_not_understood_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_onnx(text, 3)


def test_three_runs_of_an_old_onnx_tool_are_told_by_its_percentiles() -> None:
    lines = [line for line in ONNX.split("\n") if not line.startswith(("Min", "Max"))]
    assert timings_ms(parse_onnx("\n".join(lines), 3).timed) == pytest.approx((11.9, 12.0, 12.1036))


@pytest.mark.parametrize(
    ("code", "text", "says"),
    [
        (139, "Segmentation fault \n", "killed by SIGSEGV): Segmentation fault"),
        (132, "", "killed by SIGILL)"),
        (1, "INFO: a\nERROR: Didn't find op for builtin opcode 'GELU'\n", "'GELU'"),
        (250, "bad", "exit status 250"),
    ],
)
def test_a_crash_is_told_in_the_tools_own_words(code: int, text: str, says: str) -> None:
    assert says in failure("benchmark_model", code, text)


@given(st.floats(min_value=1e-9, max_value=1e12), st.sampled_from(["{:.6g}", "{:.6e}", "{!r}"]))
def test_a_number_comes_back_from_either_notation(value: float, form: str) -> None:
    text = form.format(value)
    assert number(text) == float(text)
    assert number(text.replace(".", ",")) == float(text)


@given(st.text())
def test_garbage_never_becomes_a_number(text: str) -> None:
    try:
        value = number(text)
    except ValueError:
        return
    assert math.isfinite(value)
    assert value == float(text.replace(",", "."))
    assert set(text) <= set("0123456789+-eE.,")


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1.", ".5", "1,2,3", "inf", "nan", "0x10", "\uff11", "1e999", "--1"]
)
def test_these_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        number(text)


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "\uff11", " 1"])
def test_these_are_no_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        whole(text)


@given(st.lists(st.integers(1, 10_000_000), min_size=2, max_size=3))
def test_two_or_three_runs_are_told_by_minimum_maximum_and_mean(times_us: list[int]) -> None:
    ms = sorted(time / 1000 for time in times_us)
    mean = float(f"{sum(times_us) / len(times_us):.6g}") / 1000
    summary = Summary(count=len(ms), mean_ms=mean, min_ms=ms[0], max_ms=ms[-1])
    assert timings_ms(summary) == pytest.approx(ms, rel=1e-4, abs=2e-5 * ms[-1])


@pytest.mark.parametrize(
    ("mean", "low", "high"),
    [(9.0, 1.0, 5.0), (0.5, 1.0, 5.0), (4.9, 1.0, 5.0)],
    ids=["mean above the maximum", "mean below the minimum", "no third run has this mean"],
)
def test_a_summary_that_no_three_runs_have_is_an_error(
    mean: float, low: float, high: float
) -> None:
    with pytest.raises(ValueError, match=r"mean"):
        timings_ms(Summary(count=3, mean_ms=mean, min_ms=low, max_ms=high))


def summary_of(times: list[float], *, percentiles: bool) -> Summary:
    ordered, n = sorted(times), len(times)
    at = [ordered[min(n - 1, int(share * n))] for share in (0.5, 0.95)]
    return Summary(
        count=n,
        mean_ms=sum(times) / n,
        min_ms=ordered[0],
        max_ms=ordered[-1],
        p50_ms=at[0] if percentiles else None,
        p95_ms=at[1] if percentiles else None,
    )


@given(
    st.lists(st.floats(1, 100), min_size=29, max_size=120),
    st.booleans(),
)
def test_the_p90_of_longer_processes_lies_between_printed_figures(
    times: list[float], percentiles: bool
) -> None:
    from weighin.gates.stats import quantile_interval

    exact = quantile_interval(times, 0.9)
    known = p90_between(summary_of(times, percentiles=percentiles), 0.95)
    assert known.lower <= exact.lower
    assert exact.upper <= known.upper
    assert known.lower <= known.value <= known.upper
    assert exact.value <= known.value


def test_few_runs_do_not_bound_their_p90() -> None:
    with pytest.raises(ValueError, match="10 runs does not bound"):
        p90_between(summary_of([1.0 + n for n in range(10)], percentiles=True), 0.95)
