"""What the energy bands rest on, from the public tables, and what the predictions are like.

    python tests/benchmarks/energy.py ../shared/devices

prints how far makers' own power tables are from measurements, by how much less energy a core
does the same work at lower clocks, and the predicted energy of published networks beside the
ranges that somebody published for networks of the same kind.
"""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.predict_energy import LOAD_BAND, PROFILE_BAND, busy_power
from weighin.gates.profile import DeviceProfile, all_profiles

PUBLISHED_KINDS = {
    "mobilenet_v1_1.0_224": "MobileNetv1s (50 variants)",
    "mobilenet_v2_1.0_224": "MobileNetv2s (50 variants)",
    "squeezenet": "SqueezeNets (50 variants)",
}
"""Networks of the anchors, and the row of ``energy_published.csv`` of networks like them."""


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def measured_over_stated(folder: Path) -> list[float]:
    """Measured over stated power, once per pair of chip and stated figure, sorted."""
    found = {
        (row["soc"], row["profile_big_core_mW_at_3V85"]): float(row["freqbench_measured_mW"])
        / float(row["profile_big_core_mW_at_3V85"])
        for row in rows(folder / "power_profile_vs_measured.csv")
    }
    return sorted(found.values())


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that at least a share ``q`` of the values does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def clock_shares(profiles: Sequence[DeviceProfile], threads: int) -> list[float]:
    """Least energy of the same work over that at the highest clock, per phone, sorted."""
    powers = (busy_power(profile, threads) for profile in profiles)
    return sorted(p.lower * LOAD_BAND for p in powers if not isinstance(p, str))


def energies(
    profiles: Sequence[DeviceProfile], model: str
) -> Iterator[tuple[str, float, float, float]]:
    """Phone, lower end, value and upper end in mJ: published time times power of its cores."""
    for profile in profiles:
        for calibration in profile.calibrations:
            power = busy_power(profile, calibration.threads)
            if calibration.arithmetic is not Arithmetic.FLOAT32 or isinstance(power, str):
                continue
            for anchor in calibration.anchors:
                if anchor.model == model:
                    mj = anchor.mean_ms * power.mw / 1e3
                    yield profile.name, mj * power.lower, mj, mj * power.upper


def report(folder: Path) -> Iterator[str]:
    ratios = measured_over_stated(folder)
    low, high = (round(quantile(ratios, q), 2) for q in (0.05, 0.95))
    inside = sum(PROFILE_BAND[0] <= round(r, 2) <= PROFILE_BAND[1] for r in ratios)
    yield (
        f"measured over stated power, {len(ratios)} pairs of chip and figure: "
        f"5 % {low}, median {median(ratios):.2f}, 95 % {high}; "
        f"{inside} of {len(ratios)} within the shipped x{PROFILE_BAND[0]} to x{PROFILE_BAND[1]}"
    )
    profiles = all_profiles()
    for threads in (1, 4):
        shares = clock_shares(profiles, threads)
        yield (
            f"energy of the same work at the thriftiest clock, {threads} threads, "
            f"{len(shares)} phones: {shares[0]:.2f} to {shares[-1]:.2f} of that at the highest, "
            f"median {median(shares):.2f}"
        )
    ranges = {
        row["what"]: row for row in rows(folder / "energy_published.csv") if row["unit"] == "CPU"
    }
    for model, kind in PUBLISHED_KINDS.items():
        found = list(energies(profiles, model))
        if found:
            yield from beside(model, ranges[kind], found)


def beside(
    model: str, published: dict[str, str], found: Sequence[tuple[str, float, float, float]]
) -> Iterator[str]:
    low, high = float(published["min"]), float(published["max"])
    meeting = sum(lower <= high and upper >= low for _, lower, _, upper in found)
    inside = sum(low <= value <= high for _, _, value, _ in found)
    yield (
        f"{model}: {published['what']} took {low:.0f} to {high:.0f} mJ on an unnamed phone; "
        f"of {len(found)} predictions {inside} values lie in there, {meeting} intervals meet it"
    )
    for name, lower, value, upper in found:
        yield f"  {name}: {value:.0f} mJ ({lower:.0f} to {upper:.0f})"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python tests/benchmarks/energy.py FOLDER\n")
        return 2
    for line in report(Path(arguments[0])):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
