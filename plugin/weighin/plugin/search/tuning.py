"""The data that a search may see: a tuning set of the user's, or a part set aside.

A part is set aside from the training data (from the calibration data if there is none), by
content: equal rows stay together, so the parts share none, and rows that also calibrate stay
where they are. It depends on the data and the seed only. What this module does not do: it checks
nothing; the data contract does, on the parts.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.data import Role
from weighin.gates.digest import sha256_of
from weighin.gates.errors import DataError

SHARE = 0.25
MOST_ROWS = 2000
LEAST_ROWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A data set in two: what stays, and what is set aside for tuning."""

    rest: Path
    tuning: Path


def with_tuning(paths: Mapping[Role, Path], folder: Path, seed: int) -> dict[Role, Path]:
    """The data sets with one for tuning among them.

    Args:
        paths: The data sets of a model, sound by themselves.
        folder: Where parts are kept, by content.
        seed: Of what is set aside.

    Raises:
        DataError: there is no tuning set, and too little data to set some aside.
    """
    if Role.TUNING in paths:
        return dict(paths)
    donor = Role.TRAINING if Role.TRAINING in paths else Role.CALIBRATION
    taken = paths.get(Role.CALIBRATION) if donor is Role.TRAINING else None
    parts = set_aside(donor, paths[donor], taken, folder, seed)
    return {**paths, donor: parts.rest, Role.TUNING: parts.tuning}


def set_aside(donor: Role, path: Path, taken: Path | None, folder: Path, seed: int) -> Parts:
    """Split a data set by content; done once per content and seed.

    Args:
        donor: What the data set is for.
        path: The data set.
        taken: Another one whose rows are not for tuning.
        folder: Where parts are kept.
        seed: Of what is set aside.

    Raises:
        DataError: too few different rows.
    """
    import numpy as np

    name = "-".join([*(sha256_of(one)[:16] for one in (path, taken) if one), str(seed)])
    parts = Parts(rest=folder / f"{name}-rest.npz", tuning=folder / f"{name}-tuning.npz")
    if parts.rest.is_file() and parts.tuning.is_file():
        return parts
    with np.load(path, allow_pickle=False) as archive:
        x, y = archive["x"], archive["y"]
    keys, others = _keys(x, seed), _keys_of(taken, seed)
    first = {k: place for place, k in reversed(tuple(enumerate(keys))) if k not in others}
    wanted = min(int(len(first) * SHARE), MOST_ROWS)
    if wanted < LEAST_ROWS:
        raise DataError(
            f"{donor} data ({path.name}): has {len(first)} different rows, too few to set "
            f"{LEAST_ROWS} of every {round(1 / SHARE)} aside for recipe 'auto'; name `tuning` data"
        )
    chosen = sorted(first)[:wanted]
    aside = frozenset(chosen)
    _save(parts.tuning, x, y, sorted(first[key] for key in chosen))
    _save(parts.rest, x, y, [place for place, key in enumerate(keys) if key not in aside])
    return parts


def _keys(x: Any, seed: int) -> list[bytes]:
    """Each row's place in the draw, decided by its content."""
    salt = str(seed).encode()[:16]
    return [hashlib.blake2b(row.tobytes(), digest_size=16, salt=salt).digest() for row in x]


def _keys_of(path: Path | None, seed: int) -> frozenset[bytes]:
    import numpy as np

    if path is None:
        return frozenset()
    with np.load(path, allow_pickle=False) as archive:
        return frozenset(_keys(archive["x"], seed))


def _save(path: Path, x: Any, y: Any, rows: list[int]) -> None:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.stem}.new.npz")
    np.savez(draft, x=x[rows], y=y[rows])
    draft.replace(path)
