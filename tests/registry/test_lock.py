"""A lock comes back as it was written, and holds what is in the folder against it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.digest import sha256_of
from weighin.gates.errors import LockMismatch
from weighin.gates.metric import Metric
from weighin.gates.variant import Format
from weighin.registry.lock import (
    Lock,
    LockedFile,
    SeenChannel,
    lock_from_bytes,
    lock_to_bytes,
    verify,
    write_lock,
)

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
versions = st.integers(min_value=0)
locks = st.builds(
    Lock,
    model=st.text(),
    version=st.text(),
    device=st.text(),
    wanted_format=st.none() | st.sampled_from(Format),
    file=st.builds(
        LockedFile,
        name=st.text("abc~.-", min_size=1).filter(lambda name: name not in {".", ".."}),
        sha256=digests,
        size_bytes=versions,
        recipe=st.text(),
        format=st.sampled_from(Format),
        evidence_sha256=digests,
    ).flatmap(
        lambda file: (
            st.just(file)
            | st.builds(
                replace,
                st.just(file),
                waived=st.lists(st.sampled_from([m.value for m in Metric]), min_size=1).map(tuple),
                waived_until=st.datetimes(timezones=st.just(UTC)),
            )
        )
    ),
    channel=st.builds(
        SeenChannel,
        location=st.text(),
        name=st.text(),
        root_version=versions,
        root_sha256=digests,
        timestamp_version=versions,
        timestamp_sha256=digests,
        snapshot_version=versions,
        role_version=versions,
        expires_at=st.datetimes(timezones=st.just(UTC)),
    ),
)


@given(lock=locks)
def test_law_a_lock_round_trips(lock: Lock) -> None:
    assert lock_from_bytes(lock_to_bytes(lock)) == lock


def a_lock(file: Path) -> Lock:
    return Lock(
        model="digits",
        version="3",
        device="pixel_8",
        wanted_format=None,
        file=LockedFile(
            name=file.name,
            sha256=sha256_of(file),
            size_bytes=file.stat().st_size,
            recipe="int8",
            format=Format.LITERT,
            evidence_sha256="0" * 64,
        ),
        channel=SeenChannel(
            location="https://models.example.org",
            name="stable",
            root_version=1,
            root_sha256="1" * 64,
            timestamp_version=7,
            timestamp_sha256="2" * 64,
            snapshot_version=5,
            role_version=2,
            expires_at=datetime(2026, 11, 29, 12, tzinfo=UTC),
        ),
    )


def test_a_lock_is_one_field_a_line_in_a_fixed_order(tmp_path: Path) -> None:
    file = tmp_path / "digits.tflite"
    file.write_bytes(b"model")
    lines = lock_to_bytes(a_lock(file)).decode().splitlines()
    assert lines[:7] == [
        "{",
        '  "lock": "weighin/lock/v1",',
        '  "model": "digits",',
        '  "version": "3",',
        '  "device": "pixel_8",',
        '  "wanted_format": null,',
        '  "file": {',
    ]
    assert '    "expires_at": "2026-11-29T12:00:00Z"' in lines


def test_verify_holds_the_folder_against_the_lock(tmp_path: Path) -> None:
    file, lock_path = tmp_path / "digits.tflite", tmp_path / "model.lock"
    with pytest.raises(LockMismatch, match="there is no lock"):
        verify(lock_path, tmp_path)
    file.write_bytes(b"model")
    write_lock(lock_path, a_lock(file))
    assert verify(lock_path, tmp_path) == a_lock(file)
    file.write_bytes(b"Model")
    with pytest.raises(LockMismatch, match="somebody changed it"):
        verify(lock_path, tmp_path)
    file.unlink()
    with pytest.raises(LockMismatch, match="is missing"):
        verify(lock_path, tmp_path)
    file.mkdir()
    with pytest.raises(LockMismatch, match="is missing"):
        verify(lock_path, tmp_path)
