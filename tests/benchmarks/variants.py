"""Everything that makes variants, on real models: quantization, pruning, distillation, search.

Each part can be run by itself; this runs them one after the other, the long trainings last.
"""

from collections.abc import Iterator

import pruning
import quantization
import search
from figures import Figure, present


def measure() -> Iterator[Figure]:
    yield from quantization.measure()
    yield from search.measure()
    yield from pruning.measure()


if __name__ == "__main__":
    present(measure, __doc__)
