"""The shipped figures are what the published tables say."""

import dataclasses
from pathlib import Path

import pytest

from weighin.gates.cost import Arithmetic
from weighin.gates.devices import fit_facts
from weighin.gates.devices.coefficients import Learned, load_coefficients
from weighin.gates.devices.fit_report import errors_of
from weighin.gates.devices.fitting import KNOWN, chosen
from weighin.gates.devices.holdout import hold_out
from weighin.gates.devices.latency import load_rules
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.published import maximum_over_mean, read_published
from weighin.gates.devices.tables import Table, read_tables
from weighin.gates.errors import DataError
from weighin.gates.profile import HOST, load_profile, profile_names

FITTED = [
    (runtime, arithmetic)
    for runtime in ("litert", "ncnn")
    for arithmetic in (Arithmetic.FLOAT32, Arithmetic.INT8)
]


@pytest.fixture(scope="module")
def folder(shared_dir: Path) -> Path:
    return shared_dir / "devices"


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return read_tables([folder])


def shipped(runtime: str, arithmetic: Arithmetic) -> Learned:
    coefficients = load_coefficients(runtime)
    assert coefficients is not None
    learned = coefficients.of(arithmetic)
    assert learned is not None
    return learned


@pytest.mark.parametrize(("runtime", "arithmetic"), FITTED, ids=lambda v: str(v))
def test_the_shipped_prices_are_what_the_tables_teach(
    table: Table, runtime: str, arithmetic: Arithmetic
) -> None:
    runs = chosen(table, runtime, arithmetic)
    found = shipped(runtime, arithmetic)
    base = None if arithmetic is Arithmetic.FLOAT32 else shipped(runtime, Arithmetic.FLOAT32).prior
    prior = learn(runs, base)
    assert prior.mean == pytest.approx(found.prior.mean, abs=1e-6)
    assert prior.noise == pytest.approx(found.prior.noise, abs=1e-6)
    assert dict(prior.effects) == pytest.approx(dict(found.prior.effects), abs=1e-6)
    assert found.runs == len(runs)
    assert {n.amounts for n in found.networks} == {r.anchor.amounts for r in runs}


def test_predictions_on_unseen_phones_are_as_good_as_is_said(table: Table) -> None:
    """The goals: median error 13 %, 90th percentile 35 %, and a 90 % band that holds."""
    runs = chosen(table, "ncnn", Arithmetic.FLOAT32)
    errors = errors_of(hold_out(runs, dataclasses.replace(KNOWN, draws=3)))
    assert errors is not None
    assert errors.coverage_percent is not None
    assert errors.median_percent <= 13
    assert errors.p90_percent <= 35
    assert 88 <= errors.coverage_percent <= 94


def litert_runs(table: Table) -> list[Run]:
    return [run for runtime, run in table.runs if runtime == "litert"]


def test_the_shipped_anchors_are_the_published_ones(table: Table, folder: Path) -> None:
    rows = read_published(folder).rows
    for name in (name for name in profile_names() if name != HOST):
        profile = load_profile(name)
        for c in (c for c in profile.calibrations if c.runtime == "litert"):
            of_setup = [
                r
                for r in rows
                if (r.setup.device, r.setup.threads, r.setup.kernels, r.arithmetic)
                == (profile.title, c.threads, c.kernels, c.arithmetic)
            ]
            expected = {(r.model, r.mean_ms, r.source) for r in of_setup}
            assert {(a.model, a.mean_ms, a.source) for a in c.anchors} == expected


def test_the_shipped_ncnn_anchors_are_runs_of_the_table(table: Table) -> None:
    runs = {
        (arithmetic, r.anchor.network, f"{r.anchor.mean_ms:g}")
        for arithmetic in (Arithmetic.FLOAT32, Arithmetic.INT8)
        for r in table.of("ncnn", arithmetic)
        if r.phone
    }
    counted = 0
    for profile in (load_profile(name) for name in profile_names()):
        for c in (c for c in profile.calibrations if c.runtime == "ncnn"):
            counted += len(c.anchors)
            assert {(c.arithmetic, a.model, f"{a.mean_ms:g}") for a in c.anchors} <= runs
    assert counted > 200


def test_the_other_shipped_factors_are_what_the_tables_say(table: Table, folder: Path) -> None:
    rules, runs = load_rules(), litert_runs(table)
    dominance = fit_facts.worst_dominance(runs)
    assert dominance is not None
    _, worst, _ = dominance
    assert rules.dominance == pytest.approx(worst, abs=5e-3)
    noise = maximum_over_mean(folder)
    assert rules.p90_over_mean == pytest.approx(noise[-(-95 * len(noise) // 100) - 1], abs=5e-3)
    newer = {(k, a): f for k, a, f in rules.newer_kernels}
    assert newer["before_xnnpack", Arithmetic.FLOAT32] == pytest.approx(
        fit_facts.newest_over_older(runs, Arithmetic.FLOAT32)[0], abs=5e-3
    )
    assert fit_facts.newest_over_older(runs, Arithmetic.INT8) == ()
    assert newer["before_xnnpack", Arithmetic.INT8] == 0.0


def test_the_command_can_tell_every_other_factor(table: Table, folder: Path) -> None:
    told = "\n".join(fit_facts.fact_lines(litert_runs(table), maximum_over_mean(folder)))
    for figure in (
        "475 pairs",
        "x1.189",
        "float32: x0.664",
        "int8: no network",
        "738 runs",
        "x1.178",
    ):
        assert figure in told


def test_runs_of_one_family_bound_nothing(table: Table) -> None:
    one = [run for run in litert_runs(table) if run.family == "mobilenet_v1"]
    assert fit_facts.worst_dominance(one) is None


def test_every_laid_out_network_has_about_its_published_macs(folder: Path) -> None:
    import csv

    from weighin.gates.devices.networks import terms_of

    with (folder / "phone_latency_published.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["macs_M"]]
    checked = [(row, terms_of(row["model"], 4)) for row in rows]
    for row, terms in ((row, terms) for row, terms in checked if terms is not None):
        within = 0.21 if "v3_small" in row["model"] else 0.12
        assert terms.macs / 1e6 == pytest.approx(float(row["macs_M"]), rel=within), row["model"]


def test_a_folder_without_the_tables_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        read_published(tmp_path)
