"""Tables of latencies: read strictly, and nothing dropped silently."""

import dataclasses
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gates.test_prices import phones

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.check import check, matches
from weighin.gates.devices.coefficients import (
    Coefficients,
    Learned,
    Network,
    load_coefficients,
    own_coefficients,
    parse_coefficients,
    render_coefficients,
)
from weighin.gates.devices.holdout import Band, Plan
from weighin.gates.devices.learn import learn
from weighin.gates.devices.tables import (
    Table,
    amounts_of_counts,
    ncnn_family,
    ncnn_name,
    read_tables,
    uncounted_work,
)
from weighin.gates.errors import ConfigError, DataError

HEADER = "device_header,threads,powersave,gpu_device,model,avg_ms,class"
FEATURES = "model,layers,macs_conv,macs_dw,macs_pw,macs_fc,macs_attn,params,act_out,act_in,missing"
COUNTS = {
    "macs_conv": "1000000",
    "macs_pw": "2000000",
    "macs_dw": "3000000",
    "macs_fc": "4000000",
    "act_in": "1000000",
    "act_out": "2000000",
    "params": "500000",
    "layers": "7",
}


def ncnn_folder(folder: Path, rows: list[str]) -> Path:
    """A small table in ncnn's columns, with the counts of three networks beside it."""
    (folder / "ncnn_bench_all.csv.gz").write_bytes(
        gzip.compress("\n".join([HEADER, *rows]).encode())
    )
    features = [
        "mobilenet_ssd,10,1000000,2000000,3000000,0,0,100000,200000,100000,0",
        "resnet18_int8,20,9000000,0,3000000,1000,0,400000,200000,300000,0",
        "vision_transformer,30,100000,0,0,900000,5000000,400000,200000,300000,0",
    ]
    (folder / "ncnn_model_features.csv").write_text("\n".join([FEATURES, *features]), "utf-8")
    return folder


def test_ncnn_rows_become_runs_by_phone_threads_and_powersave(tmp_path: Path) -> None:
    rows = [
        "Phone A (x),1,2,-1.0,mobilenet-ssd,10,phone",
        "Phone A (x),1,2,-1.0,mobilenet_ssd,30,phone",
        "Phone A (x),4,2,-1.0,resnet18_int8,5,phone",
        "Phone A (x),1,2,0.0,mobilenet_ssd,3,phone",
        "Phone A (x),1,2,-1.0,mobilenet_ssd,0,phone",
        "Server,1,2,-1.0,mobilenet_ssd,3,x86/other",
        "Board,1,2,-1.0,mobilenet_ssd,7,arm-board/other-arm",
    ]
    table = read_tables([ncnn_folder(tmp_path, rows)])
    floats = table.of("ncnn", Arithmetic.FLOAT32)
    assert [(r.device, r.anchor.mean_ms, r.phone) for r in floats] == [
        ("Phone A (x)", 20.0, True),
        ("Board", 7.0, False),
    ]
    (int8,) = table.of("ncnn", Arithmetic.INT8)
    assert int8.setup == "Phone A (x), threads: 4, powersave: 2"
    assert int8.anchor.amounts == (9.0, 3.0, 0.0, 0.001, 0.5, 0.4, 20.0)


def test_what_cannot_be_counted_is_listed_with_its_reason(tmp_path: Path) -> None:
    rows = [
        "Phone,1,2,-1.0,vision_transformer,900,phone",
        "Phone,1,2,-1.0,brand_new_net,900,phone",
    ]
    table = read_tables([ncnn_folder(tmp_path, rows)])
    assert table.runs == ()
    assert table.left_out == (
        "vision_transformer: no calibration for attention (products of two activations)",
        "brand_new_net: its operators were never counted",
    )


def test_a_table_without_counts_beside_it_takes_the_shipped_ones(tmp_path: Path) -> None:
    rows = ["Phone,1,2,-1.0,resnet50,900,phone", "Phone,1,2,-1.0,brand_new_net,900,phone"]
    path = tmp_path / "theirs.csv"
    path.write_text("\n".join([HEADER, *rows]), "utf-8")
    table = read_tables([path])
    (run,) = table.of("ncnn", Arithmetic.FLOAT32)
    assert run.anchor.network == "resnet50"
    assert sum(run.anchor.amounts[:4]) == pytest.approx(3858, rel=0.01)
    assert table.left_out == ("brand_new_net: its operators were never counted",)


def test_a_table_of_unknown_columns_says_which_are_expected(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"of no known table.*device_header"):
        read_tables([path])


PUBLISHED = "model,dtype,device,threads,latency_ms,runtime,unit"


@pytest.mark.parametrize(
    ("header", "row", "why"),
    [
        (HEADER, "Phone,1,2,-1.0,resnet50,fast,phone", "could not convert"),
        (HEADER, "Phone,1,2,-1.0,resnet50,nan,phone", "avg_ms of resnet50"),
        (HEADER, "Phone,1,2,-1.0,resnet50,-3,phone", "avg_ms of resnet50"),
        (PUBLISHED, "inception_v3,float32,Phone,1,nan,TFLite,CPU", "latency_ms of inception_v3"),
        (PUBLISHED, "inception_v3,float32,Phone,1,-1,TFLite,CPU", "latency_ms of inception_v3"),
        (PUBLISHED, "inception_v3,bf17,Phone,1,9,TFLite,CPU", "bf17"),
    ],
    ids=["word", "nan", "negative", "published nan", "published negative", "unknown dtype"],
)
def test_what_is_no_time_is_an_error_that_names_table_and_row(
    tmp_path: Path, header: str, row: str, why: str
) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(f"{header}\n{row}\n", "utf-8")
    with pytest.raises(DataError, match=rf"theirs\.csv.*{why}"):
        read_tables([path])


def test_a_table_that_was_cut_off_in_the_middle_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "\n" + "Phone,1,2,-1.0,resnet50,9,phone\n" * 99).encode())
    (tmp_path / "ncnn_bench_all.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read_tables([tmp_path])


@pytest.mark.parametrize("missing", ["no-such.csv", "."], ids=["file", "empty folder"])
def test_a_missing_table_is_an_error(tmp_path: Path, missing: str) -> None:
    with pytest.raises(DataError):
        read_tables([tmp_path / missing])


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("squeezenet-int8", "squeezenet_int8"),
        ("mobilenet-yolo", "mobilenet_yolo"),
        ("mobilenet_yolov3", "mobilenetv2_yolov3"),
        ("yolo-fastest-1.1", "yolo-fastest-1.1"),
    ],
)
def test_networks_have_one_name_though_the_tables_had_several(old: str, now: str) -> None:
    assert ncnn_name(old) == now


@pytest.mark.parametrize(
    ("network", "family"),
    [
        ("mobilenet", "mobilenet v1"),
        ("mobilenet_ssd_int8", "mobilenet v1"),
        ("mobilenet_v2", "inverted residuals"),
        ("mobilenetv2_yolov3", "inverted residuals"),
        ("mobilenet_v3", "mobilenet v3"),
        ("resnet50_int8", "resnet"),
        ("yolo-fastest-1.1", "yolo-fastest"),
        ("yolo-fastestv2", "shufflenet"),
        ("vgg16", "vgg16"),
    ],
)
def test_networks_of_one_design_are_left_out_together(network: str, family: str) -> None:
    assert ncnn_family(network) == family


def test_counts_become_amounts_in_millions() -> None:
    assert amounts_of_counts(COUNTS) == (1.0, 2.0, 3.0, 4.0, 3.0, 0.5, 7.0)


@pytest.mark.parametrize(
    "broken",
    [{"layers": ""}, {"params": "-1"}, {"act_in": "nan"}, {"macs_fc": "many"}],
    ids=lambda b: next(iter(b)),
)
def test_a_count_that_is_no_number_is_named(broken: dict[str, str]) -> None:
    with pytest.raises(DataError, match=next(iter(broken))):
        amounts_of_counts({**COUNTS, **broken})


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="params"):
        amounts_of_counts({k: v for k, v in COUNTS.items() if k != "params"})


def test_attention_and_uncounted_operators_are_refused_by_name() -> None:
    assert "attention" in (uncounted_work({**COUNTS, "macs_attn": "5"}) or "")
    assert "3 of its operators" in (uncounted_work({**COUNTS, "missing": "3"}) or "")
    assert uncounted_work(COUNTS) is None


def a_learned(networks: int = 2) -> Learned:
    runs = [r for r in phones(3) if r.anchor.network in {f"n{i}" for i in range(networks)}]
    prior = learn(runs)
    return Learned(
        prior=prior,
        item_bytes=4,
        known=Band(below=1.0, above=2.0),
        new=Band(below=1.5, above=2.5),
        transferred=Band(below=1.25, above=2.25),
        networks=tuple(
            Network(
                name=name, amounts=next(r.anchor.amounts for r in runs if r.anchor.network == name)
            )
            for name in sorted({r.anchor.network for r in runs})
        ),
        runs=len(runs),
        devices=("p0", 'p"1', "p2"),
        families=1,
    )


@settings(deadline=None, max_examples=20)
@given(source=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1))
def test_coefficients_read_back_as_they_were_written(source: str) -> None:
    if not source.strip():
        return
    written = Coefficients(
        runtime="onnx",
        source=source,
        operators=("Conv", "Relu"),
        learned=((Arithmetic.FLOAT32, LEARNED), (Arithmetic.INT8, LEARNED)),
    )
    assert parse_coefficients(render_coefficients(written), "x") == written


LEARNED = a_learned()
GOOD = render_coefficients(
    Coefficients(runtime="onnx", source="mine", learned=((Arithmetic.FLOAT32, LEARNED),))
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("item_bytes = 4", "item_bytes = 0"),
        ("known = [1.0, 2.0]", "known = [1.0]"),
        ("known = [1.0, 2.0]", 'known = [1.0, "x"]'),
        ("noise = ", "noise = -"),
        ('source = "mine"', ""),
        ('runtime = "onnx"', 'runtime = "onnx"\nmore = 1'),
        ("covariance = [", "covariance = [[1.0],"),
    ],
    ids=["item_bytes", "short band", "word in band", "noise", "no source", "key", "covariance"],
)
def test_a_damaged_file_of_coefficients_is_refused(before: str, after: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigError, match="weighin device fit"):
        parse_coefficients(GOOD.replace(before, after), "prices-onnx.toml")


def test_own_coefficients_are_found_in_the_own_folder(tmp_path: Path) -> None:
    (tmp_path / "prices-onnx.toml").write_text(GOOD, "utf-8")
    (found,) = own_coefficients(tmp_path)
    assert found.runtime == "onnx"
    assert own_coefficients(None) == own_coefficients(tmp_path / "none") == ()


def test_nothing_is_shipped_for_a_runtime_that_nobody_published() -> None:
    assert load_coefficients("onnx") is None
    assert load_coefficients("litert") is not None


TABLE = Table(runs=tuple(("ncnn", r) for r in phones(6)), left_out=(), sources=())


def test_held_out_phones_are_predicted_from_the_other_rows() -> None:
    runs = TABLE.of("ncnn", Arithmetic.FLOAT32)
    found = check(runs, TABLE, "ncnn", ["P0"], None, Plan())
    assert {r.run.device for r in found.residuals} == {"p0"}
    assert found.prices_from == "the table's other rows, 5 phones"


def test_a_table_of_few_phones_is_predicted_with_shipped_prices() -> None:
    few = Table(
        runs=tuple(("ncnn", r) for r in phones(6) if r.device in {"p4", "p5"}),
        left_out=(),
        sources=(),
    )
    shipped = dataclasses.replace(a_learned(12), devices=("others",))
    found = check(few.of("ncnn", Arithmetic.FLOAT32), few, "ncnn", ["p5"], shipped, Plan())
    assert "shipped" in found.prices_from
    assert {r.run.device for r in found.residuals} == {"p5"}


def test_shipped_prices_that_saw_a_held_out_phone_are_not_used() -> None:
    few = Table(
        runs=tuple(("ncnn", r) for r in phones(6) if r.device in {"p4", "p5"}),
        left_out=(),
        sources=(),
    )
    saw = dataclasses.replace(a_learned(12), devices=("p5",))
    found = check(few.of("ncnn", Arithmetic.FLOAT32), few, "ncnn", ["p5"], saw, Plan())
    assert "other rows, 1 phones" in found.prices_from
    with pytest.raises(DataError, match="nothing is left"):
        check(few.of("ncnn", Arithmetic.FLOAT32), few, "ncnn", ["p"], saw, Plan())


@pytest.mark.parametrize(
    ("name", "expected"), [("P1", True), ("n3", True), ("f1", True), ("n", False)], ids=str
)
def test_names_match_phones_in_part_and_networks_as_a_whole(name: str, expected: bool) -> None:
    run = next(r for r in phones(3) if r.device == "p1" and r.anchor.network == "n3")
    assert matches(run, [name]) is expected
