"""Which core stands for a phone, and what programs see of it."""

import pytest

from weighin.gates.arm.cores import CORES, DOTPROD, I8MM, NEON, Core, Fit, NoCore, core_of, cpuinfo
from weighin.gates.profile import Cluster, DeviceProfile, Os, Tier, load_profile


def phone(*clusters: tuple[str, ...]) -> DeviceProfile:
    return DeviceProfile(
        name="phone",
        title="Phone",
        os=Os.ANDROID,
        tier=Tier.MID,
        year=2024,
        soc="SoC",
        soc_id="soc",
        source="nobody",
        clusters=tuple(
            Cluster(core="Core", count=4, max_ghz=2.0, isa=isa, source="nobody") for isa in clusters
        ),
    )


@pytest.mark.parametrize(
    ("name", "core", "missing"),
    [
        ("pixel-1", NEON, ()),
        ("redmi-6-pro", NEON, ()),
        ("pixel-3", NEON, ("fp16",)),
        ("pixel-3a", NEON, ("fp16",)),
        ("pixel-4", DOTPROD, ()),
    ],
)
def test_every_shipped_phone_has_a_core(name: str, core: Core, missing: tuple[str, ...]) -> None:
    assert core_of(load_profile(name)) == Fit(core=core, missing=missing)


@pytest.mark.parametrize(
    ("isa", "core"),
    [
        pytest.param(("i8mm", "fp16", "dotprod"), I8MM, id="i8mm"),
        pytest.param(("fp16", "dotprod"), DOTPROD, id="dotprod"),
        pytest.param((), NEON, id="plain"),
    ],
)
def test_the_order_of_extensions_does_not_matter(isa: tuple[str, ...], core: Core) -> None:
    assert core_of(phone(isa)) == Fit(core=core)


def test_the_fastest_cores_run_the_model() -> None:
    assert core_of(phone(("dotprod", "fp16"), ())) == Fit(core=DOTPROD)


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        pytest.param(load_profile("host"), "'host' is this machine", id="host"),
        pytest.param(phone(), "does not say which cores", id="no cores named"),
        pytest.param(phone(("dotprod", "fp16", "sve")), "exactly the extensions", id="sve"),
        pytest.param(phone(("dotprod",)), "(dotprod)", id="dotprod without half floats"),
        pytest.param(phone(("i8mm", "fp16")), "(fp16, i8mm)", id="i8mm without dotprod"),
        pytest.param(phone(("dotprpd",)), "(dotprpd)", id="a slip of the pen"),
    ],
)
def test_a_profile_that_fits_no_core_gets_a_reason_and_no_guess(
    profile: DeviceProfile, why: str
) -> None:
    found = core_of(profile)
    assert isinstance(found, NoCore)
    assert why in found.reason


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
@pytest.mark.parametrize(
    ("extension", "feature"), [("dotprod", "asimddp"), ("fp16", "asimdhp"), ("i8mm", "i8mm")]
)
def test_cpuinfo_names_exactly_what_the_core_has(core: Core, extension: str, feature: str) -> None:
    lines = cpuinfo(core, 2).splitlines()
    features = [line.partition(":")[2].split() for line in lines if line.startswith("Features")]
    assert len(features) == 2
    assert all((feature in one) is (extension in core.isa) for one in features)
    assert all("sve" not in one for one in features)
