"""Reads a .npz data set into one line of facts per row, which is what expectations look at.

Arrays are never unpickled. What this module does not do: it judges no value; it only finds
out whether the file has the form that makes values readable at all.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import DataContract, ExpectationResult, Role

_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataTable:
    """Facts about each row of a data set, as columns of equal length.

    Attributes:
        role: Which data set.
        labels: int64 [n].
        lowest: float64 [n], smallest value of the row; NaN if it has one.
        highest: float64 [n], largest value of the row; NaN if it has one.
        not_finite: int64 [n], how many values of the row are NaN or infinite.
        contents: bytes [n], content hash of each row of ``x``.
    """

    role: Role
    labels: NDArray[np.int64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    not_finite: NDArray[np.int64]
    contents: tuple[bytes, ...]


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
    forms = tuple(_forms(role, arrays["x"], arrays["y"], contract))
    if not all(form.success for form in forms):
        return None, forms
    return _table(role, arrays["x"], arrays["y"]), forms


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Everything in the archive."""
    with path.open("rb") as stream:  # numpy leaves a file open that it cannot read
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("a single array, not an archive of named ones")  # noqa: TRY004
        return {name: archive[name] for name in archive.files}


def _forms(
    role: Role, x: NDArray[Any], y: NDArray[Any], contract: DataContract
) -> Iterator[ExpectationResult]:
    """What must hold before rows can be looked at one by one."""
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
    yield _form(
        role,
        "y holds one whole number per row",
        f"{y.dtype} {list(y.shape)}",
        success=y.ndim == 1 and np.issubdtype(y.dtype, np.integer),
    )
    rows, labels = (len(x) if x.ndim else 0), (len(y) if y.ndim else 0)
    yield _form(
        role, "x and y have the same length", f"{rows} and {labels}", success=rows == labels
    )
    yield _form(role, "there are rows", f"{rows} rows", success=rows > 0)


def _table(role: Role, x: NDArray[Any], y: NDArray[Any]) -> DataTable:
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    if np.issubdtype(flat.dtype, np.inexact):
        not_finite = flat.shape[1] - np.isfinite(flat).sum(axis=1)
    else:
        not_finite = np.zeros(len(flat))
    return DataTable(
        role=role,
        labels=y.astype(np.int64),
        lowest=flat.min(axis=1).astype(np.float64),
        highest=flat.max(axis=1).astype(np.float64),
        not_finite=not_finite.astype(np.int64),
        contents=tuple(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in flat),
    )


def _form(role: Role, expectation: str, observed: str, *, success: bool) -> ExpectationResult:
    return ExpectationResult(role=role, expectation=expectation, success=success, observed=observed)


def _found(role: Role, expectation: str, observed: str) -> ExpectationResult:
    return _form(role, expectation, observed, success=False)
