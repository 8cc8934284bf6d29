"""Every benchmark, one after the other: about three hours, most of it trainings and gates."""

from sections import run_and_write

NAMES = (
    "flow", "quantization", "reach", "search", "pruning", "verdict", "devices", "review",
)  # fmt: skip

if __name__ == "__main__":
    run_and_write(NAMES, __doc__)
