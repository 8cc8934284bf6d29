"""Near duplicates: how far the method sees, and what it does not take for one."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weighin.gates.data import DataContract, DataReport, Role
from weighin.gates.data_check import check_data
from weighin.gates.data_near import NEAR_IMAGES, can_compare, near_pairs

Images = NDArray[np.float32]
ROWS = 400


@pytest.fixture(scope="module")
def images() -> Images:
    """[1000, 32, 32, 3] in 0 to 1: soft blobs of all sizes with edges, no two alike."""
    random = np.random.default_rng(7)
    return pictures(random, 1000)


def pictures(random: np.random.Generator, count: int) -> Images:
    """Sums of a few shapes: what photographs have, and noise has not, is that pixels agree."""
    down, right = np.mgrid[0:32, 0:32] / 32
    found = np.full((count, 32, 32, 3), 0.5, np.float32)
    for _ in range(8):
        y, x = random.random((2, count, 1, 1))
        size = random.uniform(0.05, 0.4, (count, 1, 1))
        far = np.hypot(down - y, (right - x) * random.uniform(0.5, 2, (count, 1, 1)))
        sharp = random.random((count, 1, 1)) < 0.5
        shape = np.where(sharp, far < size, np.exp(-((far / size) ** 2)))
        light, colour = random.uniform(-0.4, 0.4, (count, 1, 1, 1)), (count, 1, 1, 3)
        found += shape[..., None] * (light + random.uniform(-0.1, 0.1, colour))
    return np.asarray(np.clip(found + random.normal(0, 0.02, found.shape), 0, 1), np.float32)


def shifted(x: Images) -> Images:
    return np.roll(x, (1, -1), axis=(1, 2))


def brighter(x: Images) -> Images:
    lighter: Images = np.clip(x * 1.15 + 0.05, 0, 1)
    return lighter


def noisy(x: Images) -> Images:
    return x + np.random.default_rng(3).normal(0, 0.02, x.shape).astype(np.float32)


def encoded(x: Images) -> Images:
    from PIL import Image

    def again(one: Images) -> NDArray[Any]:
        stream = io.BytesIO()
        Image.fromarray((one * 255).round().astype(np.uint8)).save(stream, "JPEG", quality=75)
        return np.asarray(Image.open(stream), np.float32) / 255

    return np.stack([again(one) for one in x])


def all_of_it(x: Images) -> Images:
    return noisy(brighter(shifted(x)))


CHANGES: dict[str, tuple[Callable[[Images], Images], float]] = {
    "the same": (lambda x: x, 1.0),
    "one pixel down and left": (shifted, 0.98),
    "brighter": (brighter, 0.98),
    "darker": (lambda x: x * 0.6, 1.0),
    "light noise": (noisy, 0.98),
    "as jpeg": (encoded, 0.98),
    "all but jpeg": (all_of_it, 0.95),
}


@pytest.mark.parametrize(("change", "recall"), CHANGES.values(), ids=CHANGES)
def test_changed_copies_are_found_among_others(
    images: Images, change: Callable[[Images], Images], recall: float
) -> None:
    others = np.concatenate([images[ROWS:], change(images[:ROWS])])
    rows, partners, likeness = near_pairs(images[:ROWS], others)
    right = partners == rows + len(images) - ROWS
    assert right.sum() >= recall * ROWS
    assert (likeness[right] >= NEAR_IMAGES).all()


def test_pictures_that_only_resemble_each_other_are_none(images: Images) -> None:
    assert len(near_pairs(images[:500], images[500:])[0]) == 0
    assert len(near_pairs(images, images, same=True)[0]) == 0


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda x: x.transpose(0, 3, 1, 2), id="channels-first"),
        pytest.param(lambda x: x[..., 0], id="grey"),
        pytest.param(lambda x: (x * 255).astype(np.uint8), id="bytes"),
    ],
)
def test_every_form_of_an_image_is_one(images: Images, form: Callable[[Images], Any]) -> None:
    some, moved = form(images[:50]), form(shifted(images[:50]))
    rows, partners, _ = near_pairs(some, moved)
    assert len(rows) >= 49
    assert (rows == partners).all()


def test_plain_colours_are_no_duplicates_of_each_other() -> None:
    plain = np.linspace(0, 1, 30, dtype=np.float32)[:, None, None, None] * np.ones((1, 32, 32, 3))
    assert len(near_pairs(plain, plain[::-1])[0]) == 0


@settings(max_examples=20, deadline=None)
@given(values=st.integers(8, 200), seed=st.integers(0, 9), noise=st.sampled_from([0.0, 0.05]))
def test_rows_of_numbers_are_found_by_distance(values: int, seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    x = (random.normal(size=(300, values)) * random.uniform(0.1, 100, values)).astype(np.float32)
    others = random.permutation(300)
    moved = x[others] + noise * x.std(axis=0) * random.uniform(-1, 1, x.shape)
    rows, partners, _ = near_pairs(x, moved.astype(np.float32))
    assert rows.tolist() == list(range(300))
    assert (others[partners] == rows).all()
    assert len(near_pairs(x[:150], x[150:])[0]) == 0


def test_rows_of_few_values_are_not_compared() -> None:
    assert not can_compare((7,))
    same = np.zeros((10, 7), np.float32)
    assert len(near_pairs(same, same)[0]) == 0


# In the report of a data check.

CONTRACT = DataContract(input_shape=(32, 32, 3), input_dtype="float32", classes=2)


def check(folder: Path, evaluation: Images, training: Images, **changed: Any) -> DataReport:
    from dataclasses import replace

    paths = {Role.EVALUATION: folder / "e.npz", Role.TRAINING: folder / "t.npz"}
    for path, x in zip(paths.values(), (evaluation, training), strict=True):
        np.savez(path, x=x, y=np.arange(len(x)) % 2)
    return check_data(paths, replace(CONTRACT, **changed))


def test_near_duplicates_are_a_flag_with_their_rows(tmp_path: Path, images: Images) -> None:
    training = np.concatenate([images[100:300], noisy(images[[3, 7]])])
    report = check(tmp_path, images[:100], training)
    report.require_sound()
    (near,) = report.near
    assert (near.other, near.rows, near.near, near.among, near.share) == (
        "training",
        100,
        2,
        0,
        0.02,
    )
    assert [(pair.row, pair.other_row) for pair in near.pairs] == [(3, 200), (7, 201)]


@pytest.mark.parametrize(("most", "ok"), [(0.01, False), (0.02, True)])
def test_they_stop_the_run_if_the_configuration_says_so(
    tmp_path: Path, images: Images, most: float, ok: bool
) -> None:
    training = np.concatenate([images[100:300], noisy(images[[3, 7]])])
    report = check(tmp_path, images[:100], training, most_near_share=most)
    assert report.ok is ok
    said = [(one.rows, one.observed) for one in report.broken]
    assert said == ([] if ok else [((3, 7), "2 of 100 rows (2.00%)")])


def test_a_limit_on_rows_that_cannot_be_compared_is_not_met(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    parts = random.normal(size=(2, 100, 4)).astype(np.float32)
    loose = check(tmp_path, *parts, input_shape=(4,))
    assert loose.ok
    assert loose.near[0].rows == 0
    (broken,) = check(tmp_path, *parts, input_shape=(4,), most_near_share=0.5).broken
    assert "cannot be compared" in broken.observed
