"""A fresh clone gets what git only points to; a pointer from a merge cannot lead elsewhere."""

import shutil
import subprocess
from pathlib import Path

import pytest

from weighin.gates.errors import StoreError
from weighin.registry.fetch import fetch_missing
from weighin.registry.git import changed_files, commit_of
from weighin.registry.store import ensure_dvc

# DVC's own use of pygtrie.
pytestmark = pytest.mark.filterwarnings(
    "ignore:_NoneStep.value will soon raise AttributeError:DeprecationWarning"
)


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def repository(root: Path) -> Path:
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "config", "user.name", "A Tester")
    git(root, "config", "user.email", "tester@example.org")
    return root


def commit_all(root: Path, message: str = "x") -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a file and a folder in DVC, pushed; the clones' common origin."""
    from dvc.repo import Repo

    home = tmp_path_factory.mktemp("fetch")
    root = repository(home / "origin")
    ensure_dvc(root, str(home / "remote"))
    (root / "models").mkdir()
    (root / "models/a.tflite").write_bytes(b"model" * 100)
    (root / "data").mkdir()
    (root / "data/rows.npz").write_bytes(b"rows" * 100)
    with Repo(str(root)) as repo:
        repo.add([str(root / "models/a.tflite"), str(root / "data")])
        repo.push()
    commit_all(root)
    return root


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


def test_missing_files_are_fetched_and_those_that_are_there_are_left(clone: Path) -> None:
    wanted = ["models/a.tflite", "data/rows.npz"]
    assert fetch_missing(clone, wanted) == ("data.dvc", "models/a.tflite.dvc")
    assert (clone / "models/a.tflite").read_bytes() == b"model" * 100
    assert (clone / "data/rows.npz").read_bytes() == b"rows" * 100
    assert fetch_missing(clone, wanted) == ()


@pytest.mark.parametrize(
    "path",
    ["nothing/here.tflite", "../outside.tflite", "/etc/outside.tflite", "models/b.tflite"],
)
def test_what_nothing_points_to_is_left_missing(clone: Path, path: str) -> None:
    (clone.parent / "outside.tflite.dvc").write_text("outs:\n- path: outside.tflite\n")
    assert fetch_missing(clone, [path]) == ()


def test_a_file_that_the_remote_lost_is_an_error(origin: Path, clone: Path) -> None:
    pointer = clone / "models/a.tflite.dvc"
    text = pointer.read_text()
    md5 = text.split("md5: ")[1][:32]
    pointer.write_text(text.replace(md5, "0" * 32))
    with pytest.raises(StoreError, match="DVC refused"):
        fetch_missing(clone, ["models/a.tflite"])


POINTERS = {
    "another file": "outs:\n- md5: x\n  path: ../../.git/hooks/post-checkout\n",
    "two files": "outs:\n- path: a.tflite\n- path: b.tflite\n",
    "nothing": "{}\n",
    "a list": "- a\n",
    "no YAML": "outs: [\n",
    "not text": b"\xff\xfe\x00",
    "an import from a repository": (
        "outs:\n- path: a.tflite\ndeps:\n- path: a\n  repo:\n    url: https://evil.example/x\n"
    ),
    "an import from a URL": "outs:\n- path: a.tflite\ndeps:\n- path: https://evil.example/x\n",
    "another working folder": "wdir: ../..\nouts:\n- path: a.tflite\n",
    "a deep hole": "outs: " + "[" * 5_000,
    "too long": "#" * 70_000,
}


@pytest.mark.parametrize("how", POINTERS)
def test_a_pointer_that_leads_elsewhere_is_refused_before_dvc_sees_it(
    clone: Path, how: str
) -> None:
    text = POINTERS[how]
    content = text.encode() if isinstance(text, str) else text
    (clone / "models/a.tflite.dvc").write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.tflite\.dvc"):
        fetch_missing(clone, ["models/a.tflite"])


def test_a_folder_that_is_a_link_out_of_the_project_is_refused(clone: Path) -> None:
    outside = clone.parent / "outside"
    shutil.copytree(clone / "models", outside)
    shutil.rmtree(clone / "models")
    (clone / "models").symlink_to(outside)
    with pytest.raises(StoreError, match="outside of the project"):
        fetch_missing(clone, ["models/a.tflite"])


def test_what_a_merge_changed_is_told_whatever_the_files_are_called(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    names = ("ä b.json", 'quote"d.json', "new\nline.json", "-rf", "$(id).json")
    (root / "gone.json").write_text("x")
    (root / "moved.json").write_text("a long enough text to be seen as moved\n" * 9)
    before = commit_all(root)
    for name in names:
        (root / name).write_text("x")
    (root / "gone.json").unlink()
    (root / "moved.json").rename(root / "arrived.json")
    after = commit_all(root)
    assert set(changed_files(root, before, after)) == {*names, "arrived.json"}
    assert set(changed_files(root, None, after)) == {*names, "arrived.json"}
    assert changed_files(root, after, after) == ()


def test_only_what_is_below_the_project_counts(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    before = commit_all(root)
    (root / "app").mkdir()
    (root / "app/a.json").write_text("x")
    (root / "b.json").write_text("x")
    after = commit_all(root)
    assert changed_files(root / "app", before, after) == ("a.json",)


@pytest.mark.parametrize("revision", ["0" * 39 + "1", "nowhere", "--output=/tmp/x", "", "HEAD~9"])
def test_a_revision_that_is_not_in_the_clone_is_named(tmp_path: Path, revision: str) -> None:
    root = repository(tmp_path / "root")
    commit_all(root)
    with pytest.raises(StoreError, match="fetch the whole history"):
        commit_of(root, revision)
