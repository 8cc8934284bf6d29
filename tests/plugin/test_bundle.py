"""Bundles: what was written is read back, and what somebody hostile made is refused."""

import json
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.errors import EvidenceError
from weighin.plugin.bundle import Bundled, Limits, read_bundle, write_bundle
from weighin.plugin.bundle_collect import collect

OBJECT = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4)
BYTES = OBJECT.map(lambda value: json.dumps(value).encode())
WEIGH_INS = st.lists(
    st.builds(Bundled, report=BYTES, envelopes=st.lists(BYTES, max_size=12).map(tuple)), max_size=12
)


def pack(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return file


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(weigh_ins=WEIGH_INS)
def test_what_was_written_is_read_back_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, weigh_ins: list[Bundled]
) -> None:
    folder = tmp_path_factory.mktemp("bundle") / "out"
    write_bundle(folder, weigh_ins)
    assert read_bundle(folder) == tuple(weigh_ins)
    assert read_bundle(pack(folder, folder.with_suffix(".zip"))) == tuple(weigh_ins)


NAMES = {
    "slip": "../weigh-in-0/report.json",
    "deep-slip": "weigh-in-0/../../.bashrc",
    "absolute": "/etc/passwd",
    "backslash": "weigh-in-0\\report.json",
    "drive": "C:/weigh-in-0/report.json",
    "newline": "weigh-in-0/report.json\n",
    "newline-inside": "weigh-in-0\n/report.json",
    "other-file": "weigh-in-0/run.sh",
    "leading-zero": "weigh-in-00/report.json",
    "too-many-digits": "weigh-in-99999/report.json",
    "other-digits": "weigh-in-\u0661/report.json",
    "upper-case": "Weigh-In-0/report.json",
    "deeper": "weigh-in-0/evidence/0/0.json",
    "top": "report.json",
    "long": "a" * 5000,
    "direction": "weigh-in-0/\u202egnj.json",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_that_is_not_ours_is_refused_on_one_short_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"{}")
    with pytest.raises(EvidenceError, match="no name of a file in a bundle") as refused:
        read_bundle(file)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 160
    assert sorted(tmp_path.rglob("*")) == [file]


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def zip_of(write: Callable[[zipfile.ZipFile], None], file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of a name given twice
        write(archive)
    return file


REPORT = "weigh-in-0/report.json"
SMALL = Limits(files=3, file_bytes=1000, total_bytes=1500, packed_bytes=4000, depth=5)


def link(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT, stat.S_IFLNK | 0o777), "/etc/passwd")


def pipe(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT, stat.S_IFIFO | 0o644), "{}")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b" " * 100_000 + b"{}", zipfile.ZIP_DEFLATED)


def many_bombs(archive: zipfile.ZipFile) -> None:
    for number in range(2):
        content = b"{}" + b" " * 900
        archive.writestr(entry(f"weigh-in-{number}/report.json"), content, zipfile.ZIP_DEFLATED)


def many(archive: zipfile.ZipFile) -> None:
    for number in range(4):
        archive.writestr(entry(f"weigh-in-{number}/report.json"), b"{}")


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b"{}")
    archive.writestr(entry(REPORT), b'{"verdict": "PASS"}')


def no_report(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry("weigh-in-0/evidence/0.json"), b"{}")


def deep(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b'{"a":' + b"[" * 9 + b"]" * 9 + b"}")


def bottomless(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b'{"a":' + b"[" * 100_000, zipfile.ZIP_DEFLATED)


def no_object(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b"[1]")


def no_json(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b"\xff\xfe")


def long_number(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b'{"a":' + b"9" * 900 * 9 + b"}", zipfile.ZIP_DEFLATED)


def other_packing(archive: zipfile.ZipFile) -> None:
    archive.writestr(entry(REPORT), b"{}", zipfile.ZIP_LZMA)


HOSTILE = [
    (link, "not a regular file", SMALL),
    (pipe, "not a regular file", SMALL),
    (bomb, "larger than 1000 bytes", SMALL),
    (many_bombs, "more than 3 files or 1500 bytes", SMALL),
    (many, "more than 3 files", SMALL),
    (twice, "there twice", SMALL),
    (no_report, "has no report.json", SMALL),
    (deep, "nested deeper than 5", SMALL),
    (bottomless, "not JSON: RecursionError", Limits()),
    (no_object, "not a JSON object", SMALL),
    (no_json, "not JSON: UnicodeDecodeError", SMALL),
    (long_number, "not JSON: ValueError", Limits()),
    (other_packing, "packed in a way", SMALL),
]


@pytest.mark.parametrize(
    ("write", "says", "limits"), HOSTILE, ids=[write.__name__ for write, _, _ in HOSTILE]
)
def test_a_hostile_zip_is_refused(
    tmp_path: Path, write: Callable[[zipfile.ZipFile], None], says: str, limits: Limits
) -> None:
    with pytest.raises(EvidenceError, match=says):
        read_bundle(zip_of(write, tmp_path / "evil.zip"), limits)


def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    file = zip_of(lambda archive: bomb(archive), tmp_path / "evil.zip")
    content = bytearray(file.read_bytes())
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        where = content.index(mark) + at
        content[where : where + 4] = struct.pack("<I", 2)
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match=r"not a sound zip|larger than"):
        read_bundle(file, SMALL)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    file = zip_of(lambda archive: archive.writestr(entry(REPORT), b"{}"), tmp_path / "evil.zip")
    content = bytearray(file.read_bytes())
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(mark) + at] |= 1
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match="packed in a way"):
        read_bundle(file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 5000], ids=["empty", "torn", "big"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.zip").write_bytes(content)
    with pytest.raises(EvidenceError, match=r"sound zip|larger than"):
        read_bundle(tmp_path / "no.zip", SMALL)


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="there is no"):
        read_bundle(tmp_path / "missing")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_zip_gives_a_bundle_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    write_bundle(folder / "out", [Bundled(report=b'{"a": 1}', envelopes=(b'{"b": [2]}',))])
    file = pack(folder / "out", folder / "out.zip")
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    with suppress(EvidenceError):
        read_bundle(file)


def test_a_zip_that_leads_in_front_of_its_own_start_is_refused(tmp_path: Path) -> None:
    file = pack(folder_of(tmp_path), tmp_path / "out.zip")
    content = bytearray(file.read_bytes())
    content[-6] += 1  # where the list of entries is said to begin
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match=r"cannot be read|not a sound zip"):
        read_bundle(file)


def folder_of(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "out", [Bundled(report=b"{}", envelopes=())])
    return tmp_path / "out"


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    out = folder_of(tmp_path)
    (tmp_path / "secret").write_text("{}")
    (out / "weigh-in-0" / "evidence" / "0.json").symlink_to(tmp_path / "secret")
    with pytest.raises(EvidenceError, match=r"evidence/0\.json cannot be read"):
        read_bundle(out)


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    out = folder_of(tmp_path)
    (out / "weigh-in-1").symlink_to(out / "weigh-in-0")
    with pytest.raises(EvidenceError, match="'weigh-in-1' is no name"):
        read_bundle(out)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    out = folder_of(tmp_path)
    os.mkfifo(out / "weigh-in-0" / "evidence" / "0.json")
    with pytest.raises(EvidenceError, match=r"evidence/0\.json is not a regular file"):
        read_bundle(out)


def test_committed_evidence_stands_for_its_version_before_what_was_measured(
    tmp_path: Path,
) -> None:
    committed = tmp_path / "variants" / "digits" / "v1" / "weigh-in"
    for folder, said in (
        (committed, "committed"),
        (tmp_path / ".weighin" / "runs" / "digits" / "v1", "measured"),
        (tmp_path / ".weighin" / "runs" / "digits" / "v2", "measured"),
    ):
        (folder / "evidence").mkdir(parents=True)
        report = {"model": "digits", "version": folder.name.removeprefix("v"), "said": said}
        report["version"] = report["version"] if said == "measured" else "1"
        (folder / "report.json").write_text(json.dumps(report))
        (folder / "evidence" / "int8.tflite@host.json").write_text(json.dumps({"said": said}))
    found = collect(tmp_path)
    assert [json.loads(one.report)["said"] for one in found] == ["committed", "measured"]
    assert [len(one.envelopes) for one in found] == [1, 1]


def test_of_many_versions_the_newest_are_carried(tmp_path: Path) -> None:
    for version in range(1, 12):
        folder = tmp_path / "variants" / "digits" / f"v{version}" / "weigh-in"
        folder.mkdir(parents=True)
        report = {"model": "digits", "version": str(version)}
        (folder / "report.json").write_text(json.dumps(report))
    found = [json.loads(one.report)["version"] for one in collect(tmp_path)]
    assert found == ["11", "10", "9", "8", "7"]
    assert len(collect(tmp_path, newest=None)) == 11


def test_a_link_in_the_project_is_not_carried_away(tmp_path: Path) -> None:
    folder = tmp_path / ".weighin" / "runs" / "digits" / "v1"
    folder.mkdir(parents=True)
    (tmp_path / "secret.json").write_text("{}")
    (folder / "report.json").symlink_to(tmp_path / "secret.json")
    assert collect(tmp_path) == ()
