"""Reads a .npz data set into one line of facts per row, which is what expectations look at.

Arrays are never unpickled. What this module does not do: it judges no value; it only finds
out whether the file has the form that makes values readable at all.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import DataContract, ExpectationResult, Role

_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)
_SLICE_KINDS = "iubUS"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataTable:
    """Facts about each row of a data set, as columns of equal length.

    Attributes:
        role: Which data set.
        shape: Shape of one row of ``x``.
        dtype: Type of ``x``.
        labels: int64 [n] classes, or float64 [n, k] numbers.
        lowest: float64 [n], smallest value of the row; NaN if it has one.
        highest: float64 [n], largest value of the row; NaN if it has one.
        mean: float64 [n]; NaN if the row has one.
        spread: float64 [n], standard deviation of the row; NaN if the row has one.
        not_finite: int64 [n], how many values of the row are NaN or infinite.
        contents: bytes [n], content hash of each row of ``x``.
        slices: Further columns that rows may be grouped by: texts [n], ``None`` where missing.
    """

    role: Role
    shape: tuple[int, ...]
    dtype: str
    labels: NDArray[np.int64] | NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    not_finite: NDArray[np.int64]
    contents: tuple[bytes, ...]
    slices: tuple[tuple[str, tuple[str | None, ...]], ...] = ()

    def columns(self) -> dict[str, Any]:
        """The frame that expectations look at, one line per row."""
        rows = len(self.contents)
        return {
            "row": np.arange(rows),
            "shape": [str(list(self.shape))] * rows,
            "dtype": [self.dtype] * rows,
            "lowest": self.lowest,
            "highest": self.highest,
            "mean": self.mean,
            "spread": self.spread,
            "not_finite": self.not_finite,
            "content": [content.hex() for content in self.contents],
            **self._label_columns(),
            **{f"slice_{name}": values for name, values in self.slices},
        }

    def _label_columns(self) -> dict[str, Any]:
        if self.role is Role.UNLABELLED:
            return {}
        if self.labels.ndim == 1:
            return {"label": self.labels}
        return {
            "label_lowest": self.labels.min(axis=1),
            "label_highest": self.labels.max(axis=1),
            "label_not_finite": (~np.isfinite(self.labels)).sum(axis=1),
            "label_content": [row.tobytes().hex() for row in self.labels],
        }


def count_rows(path: Path) -> int:
    """How many labels a file has, or rows without them; zero if it cannot be read."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return int(archive["y" if "y" in archive else "x"].shape[0])
    except (*_UNREADABLE, KeyError, IndexError, TypeError):
        return 0


def read_table(
    role: Role, path: Path, contract: DataContract
) -> tuple[DataTable | None, tuple[ExpectationResult, ...]]:
    """Read a data set, or say why it has no rows to look at.

    Returns:
        The table and what was found about its form; no table if any of that is broken.
    """
    try:
        arrays = _arrays(path)
    except _UNREADABLE as error:
        what = _found(
            role, "the file is a .npz that holds no pickles", f"{type(error).__name__}: {error}"
        )
        return None, (what,)
    if role is Role.UNLABELLED and "x" in arrays:
        arrays["y"] = np.zeros(arrays["x"].shape[:1], np.int64)  # nobody reads them
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        have = ", ".join(sorted(arrays)) or "nothing"
        wanted = f"no array {' and no array '.join(missing)}; the file holds {have}"
        return None, (_found(role, "the file holds x and y", wanted),)
    forms = tuple(_forms(role, arrays, contract))
    if not all(form.success for form in forms):
        return None, forms
    return _table(role, arrays, numbers=contract.classes is None), forms


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Everything in the archive."""
    with path.open("rb") as stream:  # numpy leaves a file open that it cannot read
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("a single array, not an archive of named ones")  # noqa: TRY004
        return {name: archive[name] for name in archive.files}


def _forms(
    role: Role, arrays: Mapping[str, NDArray[Any]], contract: DataContract
) -> Iterator[ExpectationResult]:
    """What must hold before rows can be looked at one by one."""
    x, y = arrays["x"], arrays["y"]
    shape, dtype = tuple(x.shape[1:]), contract.input_dtype
    yield _form(
        role,
        f"a row of x has the model's input shape {list(contract.input_shape)}",
        f"{list(shape)}" if x.ndim else "a single number",
        success=x.ndim > 0 and shape == contract.input_shape,
    )
    yield _form(
        role, f"x has the model's input type {dtype}", str(x.dtype), success=str(x.dtype) == dtype
    )
    yield _label_form(role, y, numbers=contract.classes is None)
    rows, labels = (len(x) if x.ndim else 0), (len(y) if y.ndim else 0)
    yield _form(
        role, "x and y have the same length", f"{rows} and {labels}", success=rows == labels
    )
    yield _form(role, "there are rows", f"{rows} rows", success=rows > 0)
    if role is Role.EVALUATION:
        for name in contract.slice_columns:
            yield from _slice_forms(role, name, arrays, rows)


def _label_form(role: Role, y: NDArray[Any], *, numbers: bool) -> ExpectationResult:
    seen = f"{y.dtype} {list(y.shape)}"
    if not numbers or role is Role.UNLABELLED:
        sound = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
        return _form(role, "y holds one whole number per row", seen, success=sound)
    real = np.issubdtype(y.dtype, np.floating) or np.issubdtype(y.dtype, np.integer)
    sound = real and (y.ndim == 1 or (y.ndim == 2 and y.shape[1] > 0))
    return _form(role, "y holds real numbers, [n] or [n, k]", seen, success=sound)


def _slice_forms(
    role: Role, name: str, arrays: Mapping[str, NDArray[Any]], rows: int
) -> Iterator[ExpectationResult]:
    """A column that rows are grouped by: there, as long as x, and of values that name groups."""
    column = arrays.get(name) if name not in ("x", "y") else None
    have = ", ".join(sorted(set(arrays) - {"x", "y"})) or "only x and y"
    there = f"the file holds the slice column '{name}'"
    yield _form(role, there, f"it holds {have}", success=column is not None)
    if column is None:
        return
    yield _form(
        role,
        f"'{name}' has one value per row",
        f"{list(column.shape)} for {rows} rows",
        success=column.shape == (rows,),
    )
    yield _form(
        role,
        f"'{name}' holds whole numbers, booleans or texts",
        str(column.dtype),
        success=column.dtype.kind in _SLICE_KINDS,
    )


def _table(role: Role, arrays: Mapping[str, NDArray[Any]], *, numbers: bool) -> DataTable:
    x, y = arrays["x"], arrays["y"]
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    if np.issubdtype(flat.dtype, np.inexact):
        not_finite = flat.shape[1] - np.isfinite(flat).sum(axis=1)
    else:
        not_finite = np.zeros(len(flat))
    with np.errstate(invalid="ignore", over="ignore"):  # rows with infinite values: NaN
        mean, spread = _moments(flat)
    return DataTable(
        role=role,
        shape=tuple(x.shape[1:]),
        dtype=str(x.dtype),
        labels=y.reshape(len(y), -1).astype(np.float64) if numbers else y.astype(np.int64),
        lowest=flat.min(axis=1).astype(np.float64),
        highest=flat.max(axis=1).astype(np.float64),
        mean=mean,
        spread=spread,
        not_finite=not_finite.astype(np.int64),
        contents=tuple(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in flat),
        slices=tuple(_slices(arrays, len(x))),
    )


def _moments(flat: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each row."""
    mean = flat.mean(axis=1, dtype=np.float64)
    squares = np.einsum("nd,nd->n", flat, flat, dtype=np.float64, casting="unsafe")
    return mean, np.sqrt(np.maximum(squares / flat.shape[1] - mean**2, 0))


def _slices(
    arrays: Mapping[str, NDArray[Any]], rows: int
) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """Every further array that could group rows, as texts."""
    for name, column in sorted(arrays.items()):
        if name in ("x", "y") or column.shape != (rows,) or column.dtype.kind not in _SLICE_KINDS:
            continue
        if column.dtype.kind == "S":
            column = np.char.decode(column, "utf-8", "replace")
        yield name, tuple(str(value) or None for value in column.tolist())


def _form(role: Role, expectation: str, observed: str, *, success: bool) -> ExpectationResult:
    return ExpectationResult(role=role, expectation=expectation, success=success, observed=observed)


def _found(role: Role, expectation: str, observed: str) -> ExpectationResult:
    return _form(role, expectation, observed, success=False)
