"""Every benchmark, one after the other: about two hours, most of it trainings."""

from sections import run_and_write

if __name__ == "__main__":
    run_and_write(("flow", "quantization", "reach", "search", "pruning"), __doc__)
