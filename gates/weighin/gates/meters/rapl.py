"""The energy counters of Intel and AMD processors under ``/sys/class/powercap``.

What this module does not do: it invents nothing for machines without such counters.
"""

import os
from pathlib import Path


def energy_counters(powercap: Path) -> tuple[Path, ...]:
    """The counters of whole processor packages that this process may read."""
    if not powercap.is_dir():
        return ()
    packages = (path / "energy_uj" for path in powercap.glob("intel-rapl:*"))
    whole = (path for path in packages if path.parent.name.count(":") == 1)
    return tuple(sorted(path for path in whole if os.access(path, os.R_OK)))


def read_energy_uj(powercap: Path) -> int:
    """Microjoules of all packages together since some time in the past."""
    return sum(int(path.read_text()) for path in energy_counters(powercap))
