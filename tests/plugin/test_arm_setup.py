"""Setting up the emulated machine: into a cache, whole or not at all, one clear error otherwise."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from weighin.gates.arm.machine import Manifest, digests, write_manifest
from weighin.gates.errors import SetupError
from weighin.plugin.arm_doctor import machine_finding
from weighin.plugin.arm_setup import install_files, machine_folder, set_up
from weighin.plugin.arm_tools import Apt, apt_settings, download_wheels, unpack_deb
from weighin.plugin.setup import init_project

NEEDS_APT = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None,
    reason="no apt-get and dpkg-deb here: the emulated machine is set up on Debian",
)


def quiet(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def test_the_machine_is_kept_in_the_users_cache(tmp_path: Path) -> None:
    default, other = (
        machine_folder({}, tmp_path),
        machine_folder({"XDG_CACHE_HOME": "/c"}, tmp_path),
    )
    assert default.parent == tmp_path / ".cache" / "weighin" / "arm"
    assert other == Path("/c/weighin/arm") / default.name


def test_a_machine_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    (folder / "root").mkdir(parents=True)
    (folder / "qemu-aarch64").write_text("emulator")
    manifest = Manifest(
        emulator="qemu-aarch64",
        root="root",
        python="root/python",
        runtimes={"onnxruntime": "1"},
        downloads={},
        files=dict(digests(folder)),
    )
    write_manifest(manifest, folder)
    steps = list[str]()
    machine = set_up(folder, lambda step, _done, _total: steps.append(step))
    assert machine.emulator == folder / "qemu-aarch64"
    assert steps == []


def test_a_private_apt_takes_nothing_of_the_systems_but_its_network() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy:3128";\nAPT::Update::Post-Invoke:: "rm -rf /cache";\n'
        'Dir::Etc "etc/apt";\nAPT::Architecture "amd64";\n'
    )
    text = apt_settings(Path("/own"), ("amd64", "arm64"), dump)
    assert 'Acquire::http::Proxy "http://proxy:3128";' in text
    assert "Post-Invoke" not in text
    assert '"etc/apt"' not in text
    assert 'Dir::State::status "/own/status";' in text
    assert text.count("APT::Architectures::") == 2


@NEEDS_APT
def test_without_a_mirror_there_is_one_error_that_says_what_to_do(tmp_path: Path) -> None:
    try:
        apt = Apt.here(tmp_path / "apt", "trixie", mirror="http://127.0.0.1:9/debian", retries=0)
    except SetupError as error:
        pytest.skip(str(error))
    with pytest.raises(SetupError, match="could not fetch Debian's package lists: E:") as caught:
        apt.update()
    assert "weighin doctor --arm" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_an_index_there_is_one_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SetupError, match="could not fetch the aarch64 wheels of numpy: ERROR:"):
        download_wheels({"numpy": "2.4.6"}, tmp_path, "313")


def test_nothing_half_made_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt, no dpkg
    folder = tmp_path / "cache" / "machine"
    with pytest.raises(SetupError, match="needs apt-get, apt-config, dpkg"):
        set_up(folder, quiet)
    assert list(folder.parent.iterdir()) == []


def package(folder: Path, name: str, files: dict[str, str], links: dict[str, str]) -> Path:
    """A real .deb."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"
    )
    (tree / "DEBIAN" / "control").write_text(control)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, target in links.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), f"{tree}.deb"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{name}.deb"


@NEEDS_APT
def test_no_link_of_a_package_leads_out_of_the_machine(tmp_path: Path) -> None:
    native = package(tmp_path, "native", {"usr/bin/qemu-aarch64": "q", "usr/bin/qemu-arm": "a"}, {})
    foreign = package(
        tmp_path,
        "foreign",
        {"usr/lib/libz.so.1.3": "z", "usr/share/doc/z": "d", "etc/z.conf": "c"},
        {"usr/lib/libz.so.1": "libz.so.1.3", "usr/lib/sitecustomize.py": "/etc/sitecustomize.py"},
    )
    wheel = tmp_path / "one.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("one/__init__.py", "")
    draft = tmp_path / "draft"
    draft.mkdir()
    install_files((native,), (foreign,), (wheel,), draft, tmp_path / "work")
    assert set(dict(digests(draft))) == {
        "qemu-aarch64",
        "root/usr/lib/libz.so.1",
        "root/usr/lib/libz.so.1.3",
        "root/usr/lib/python3/dist-packages/one/__init__.py",
    }


@NEEDS_APT
def test_a_package_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"none")
    with pytest.raises(SetupError, match=r"could not unpack bad\.deb"):
        unpack_deb(tmp_path / "bad.deb", tmp_path / "root")


PROJECT = """
[budgets.default]
{budget}
[models.digits]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
devices = ["pixel-4"]
recipes = ["int8"]
"""


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("size_mib = 1", []),
        ("arm_disagreement_percent = 5", ["run `weighin doctor --arm`"]),
    ],
)
def test_the_doctor_misses_the_machine_only_where_a_budget_needs_it(
    tmp_path: Path, budget: str, said: list[str]
) -> None:
    init_project(tmp_path, PROJECT.format(budget=budget))
    found = machine_finding(tmp_path, {}, tmp_path)
    assert len(found) == len(said)
    assert all(words in finding.detail for words, finding in zip(said, found, strict=True))
    assert not any(finding.ok for finding in found)
