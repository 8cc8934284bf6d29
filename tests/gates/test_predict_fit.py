"""The shipped figures are what the fit makes of the published tables."""

import dataclasses
import math
from pathlib import Path

import pytest

from weighin.gates.cost import Arithmetic
from weighin.gates.devices import fit
from weighin.gates.devices.latency import load_cost_model
from weighin.gates.devices.published import (
    Published,
    Row,
    Setup,
    maximum_over_mean,
    read_published,
)
from weighin.gates.errors import DataError
from weighin.gates.profile import HOST, load_profile, profile_names

BOTH = (Arithmetic.FLOAT32, Arithmetic.INT8)


@pytest.fixture(scope="module")
def folder(shared_dir: Path) -> Path:
    return shared_dir / "devices"


@pytest.fixture(scope="module")
def published(folder: Path) -> Published:
    return read_published(folder)


@pytest.mark.parametrize("arithmetic", BOTH, ids=str)
def test_the_shipped_prices_are_what_the_fit_finds(
    published: Published, arithmetic: Arithmetic
) -> None:
    shape = load_cost_model().shape(arithmetic)
    assert shape is not None
    rows = fit.of(published.rows, arithmetic)
    shipped = (1.0, shape.depthwise, shape.activation_byte, shape.layer)
    assert fit.fit(rows).prices == pytest.approx(shipped, abs=1e-4)
    depthwise, connected = fit.largest_shares(rows)
    assert depthwise == pytest.approx(shape.max_depthwise_share, abs=1e-3)
    assert connected == pytest.approx(shape.max_fully_connected_share, abs=1e-3)


def test_the_shipped_scales_and_anchors_are_the_published_ones(published: Published) -> None:
    fitted = {a: dict(fit.fit(fit.of(published.rows, a)).scales) for a in BOTH}
    for name in (name for name in profile_names() if name != HOST):
        profile = load_profile(name)
        for c in profile.calibrations:
            setup = Setup(device=profile.title, threads=c.threads, kernels=c.kernels)
            assert c.scale == pytest.approx(fitted[c.arithmetic][setup], rel=1e-3)
            rows = fit.of(published.rows, c.arithmetic)
            expected = {(r.model, r.mean_ms, r.source) for r in rows if r.setup == setup}
            assert {(a.model, a.mean_ms, a.source) for a in c.anchors} == expected


def test_the_shipped_band_holds_every_network_whose_family_was_left_out(
    published: Published,
) -> None:
    model = load_cost_model()
    held_out = [r.ratio for a in BOTH for r in fit.hold_out_families(fit.of(published.rows, a))]
    assert len(held_out) > 120
    assert model.band_lower == math.floor(min(held_out) * 100) / 100
    assert model.band_upper == math.ceil(max(held_out) * 100) / 100


def test_the_chosen_terms_beat_macs_alone_and_do_not_lose_to_finer_ones(
    published: Published,
) -> None:
    for arithmetic in BOTH:
        rows = fit.of(published.rows, arithmetic)

        def worst(features: fit.Features, rows: list[Row] = rows) -> float:
            held_out = fit.hold_out_families(rows, features)
            return fit.quantile([abs(1 / r.ratio - 1) for r in held_out], 0.9)

        assert worst(fit.by_term) < worst(fit.by_macs)
        assert worst(fit.by_term) < worst(fit.by_kind)


def test_the_other_shipped_factors_are_what_the_tables_say(
    published: Published, folder: Path
) -> None:
    model = load_cost_model()
    _, worst, _ = fit.worst_dominance(published.rows)
    assert model.dominance == pytest.approx(worst, abs=5e-3)
    noise = fit.quantile(maximum_over_mean(folder), 0.95)
    assert model.p90_over_mean == pytest.approx(noise, abs=5e-3)
    newer = {(k, a): f for k, a, f in model.newer_kernels}
    assert newer["before_xnnpack", Arithmetic.FLOAT32] == pytest.approx(
        fit.newest_over_older(published.rows, Arithmetic.FLOAT32)[0], abs=5e-3
    )
    assert fit.newest_over_older(published.rows, Arithmetic.INT8) == ()
    assert newer["before_xnnpack", Arithmetic.INT8] == 0.0


def test_every_laid_out_network_has_about_its_published_macs(folder: Path) -> None:
    import csv

    from weighin.gates.devices.networks import terms_of

    with (folder / "phone_latency_published.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["macs_M"]]
    checked = [(row, terms_of(row["model"], 4)) for row in rows]
    for row, terms in ((row, terms) for row, terms in checked if terms is not None):
        within = 0.21 if "v3_small" in row["model"] else 0.12
        assert terms.macs / 1e6 == pytest.approx(float(row["macs_M"]), rel=within), row["model"]


def test_the_command_prints_every_figure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit.main([str(folder)]) == 0
    printed = capsys.readouterr().out
    for figure in ("prices", "held-out error", "dominance", "maximum over mean", "left out"):
        assert figure in printed
    assert "squeezenet" in printed


def test_the_command_without_a_folder_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_folder_without_the_tables_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        read_published(tmp_path)


def test_a_known_law_is_recovered_exactly() -> None:
    """Rows made from known prices and scales give those prices and scales back."""
    from weighin.gates.devices.networks import family_of, terms_of

    prices, scales = (1.0, 5.0, 0.5, 0.2), {"a": 0.03, "b": 0.2}
    names = ["mobilenet_v1_0.25_128", "mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224"]
    names += ["mnasnet_1.0_96", "inception_v3", "efficientnet_lite2", "densenet121"]
    rows: list[Row] = []
    for device, scale in scales.items():
        for name in names:
            terms = terms_of(name, 4)
            assert terms is not None
            units = sum(p * f for p, f in zip(prices, fit.by_term(terms), strict=True))
            rows.append(
                Row(
                    setup=Setup(device=device, threads=1, kernels="xnnpack"),
                    arithmetic=Arithmetic.FLOAT32,
                    model=name,
                    family=family_of(name),
                    terms=terms,
                    mean_ms=scale * units,
                    source="made up",
                )
            )
    fitted = fit.fit(rows)
    assert fitted.prices == pytest.approx(prices, rel=1e-6)
    assert {s.device: k for s, k in fitted.scales} == pytest.approx(scales, rel=1e-6)
    ratios = [r.ratio for r in fit.hold_out_families(rows)]
    assert ratios == pytest.approx([1.0] * len(ratios), rel=1e-6)
    slower = [dataclasses.replace(row, mean_ms=2 * row.mean_ms) for row in rows]
    assert fit.fit(slower).prices == pytest.approx(fitted.prices, rel=1e-6)
