"""What the data check costs, and how far its near-duplicate search sees; prints, keeps nothing.

python tests/benchmarks/data.py                         made-up pictures
python tests/benchmarks/data.py EVALUATION TRAINING     real ones: .npz files of images
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import DataContract, Role
from weighin.gates.data_check import check_data
from weighin.gates.data_near import near_pairs

ROWS = 10_000
COPIES = 2_000
Images = NDArray[np.float32]


def pictures(count: int, seed: int) -> Images:
    """[count, 32, 32, 3] in 0 to 1: a coarse grid of colours, made smooth."""
    random = np.random.default_rng(seed)
    grid = random.random((count, 8, 8, 3), dtype=np.float32)
    fine = np.repeat(np.repeat(grid, 4, axis=1), 4, axis=2)
    for axis in (1, 2):
        fine = np.mean([np.roll(fine, step, axis=axis) for step in range(-2, 3)], axis=0)
    return np.asarray(fine, np.float32)


def encoded(x: Images, quality: int) -> Images:
    """After JPEG."""
    from PIL import Image

    def again(one: Images) -> NDArray[Any]:
        stream = io.BytesIO()
        Image.fromarray((one * 255).round().astype(np.uint8)).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream), np.float32) / 255

    return np.stack([again(one) for one in x])


def noisy(x: Images, size: float) -> Images:
    """With normal noise of this standard deviation."""
    return x + np.random.default_rng(0).normal(0, size, x.shape).astype(np.float32)


CHANGES: dict[str, Callable[[Images], Images]] = {
    "1 pixel down and right": lambda x: np.roll(x, (1, 1), axis=(1, 2)),
    "2 pixels down": lambda x: np.roll(x, 2, axis=1),
    "1.2 times brighter, clipped": lambda x: np.clip(1.2 * x + 0.05, 0, 1),
    "0.7 times as bright": lambda x: 0.7 * x,
    "noise 0.02": lambda x: noisy(x, 0.02),
    "noise 0.05": lambda x: noisy(x, 0.05),
    "JPEG, quality 75": lambda x: encoded(x, 75),
    "JPEG, quality 50": lambda x: encoded(x, 50),
    "shift, 0.85, noise 0.02": lambda x: noisy(0.85 * np.roll(x, (1, -1), axis=(1, 2)), 0.02),
    "mirrored": lambda x: x[:, :, ::-1],
}


def recall(evaluation: Images, training: Images) -> None:
    """Changed copies of evaluation rows in the place of training rows: how many are found."""
    for name, change in CHANGES.items():
        others = training.copy()
        others[:COPIES] = change(evaluation[:COPIES])
        rows, partners, _ = near_pairs(evaluation[:COPIES], others)
        say(f"  {name:<28} {100 * float((rows == partners).sum()) / COPIES:6.2f} %")


def seconds(evaluation: Images, training: Images, labels: tuple[Any, Any]) -> None:
    """A whole check, the first time and remembered; the near duplicates are part of it."""
    contract = DataContract(
        input_shape=evaluation.shape[1:], input_dtype="float32", classes=int(labels[0].max()) + 1
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = {Role.EVALUATION: Path(folder, "e.npz"), Role.TRAINING: Path(folder, "t.npz")}
        for path, x, y in zip(paths.values(), (evaluation, training), labels, strict=True):
            np.savez(path, x=x, y=y)
        for name in ("cold, with the import of Great Expectations", "cold", "remembered"):
            cache = Path(folder, "cache" if name == "remembered" else name)
            if name == "remembered":
                check_data(paths, contract, cache)
            start, cpu = time.perf_counter(), time.process_time()
            report = check_data(paths, contract, cache)
            took = f"{time.perf_counter() - start:.2f} s ({time.process_time() - cpu:.1f} CPU s)"
            say(f"  {name}: {took}, {len(report.results)} expectations, ok: {report.ok}")
        start = time.perf_counter()
        found = len(near_pairs(evaluation, training)[0])
        say(f"  near duplicates alone: {time.perf_counter() - start:.2f} s, {found} found")


def say(line: str) -> None:
    """Print now, not at the end."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print both."""
    if len(sys.argv) == 3:
        sets = [np.load(path) for path in sys.argv[1:]]
        scale = 255 if sets[0]["x"].dtype == np.uint8 else 1
        x, other = (np.asarray(one["x"][:ROWS] / scale, np.float32) for one in sets)
        labels = (sets[0]["y"][:ROWS], sets[1]["y"][:ROWS])
    else:
        x, other = pictures(ROWS, 1), pictures(ROWS, 2)
        labels = (np.arange(ROWS) % 10, np.arange(ROWS) % 10)
    say(f"check of {len(x)} and {len(other)} rows of {list(x.shape[1:])}")
    seconds(x, other, labels)
    say(f"of {COPIES} changed copies among {len(other)} rows, found")
    recall(x, other)


if __name__ == "__main__":
    main()
