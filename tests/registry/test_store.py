"""Every variant is kept: in DVC, on its remote, and by a pointer in git."""

import hashlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from weighin.gates.errors import StoreError
from weighin.gates.variant import Format, Variant
from weighin.registry.git import commit
from weighin.registry.store import artifact_name, ensure_dvc, keep_variants

# DVC's own use of pygtrie.
pytestmark = pytest.mark.filterwarnings(
    "ignore:_NoneStep.value will soon raise AttributeError:DeprecationWarning"
)


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A user's git repository with DVC set up."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "config", "user.name", "A Tester")
    git(root, "config", "user.email", "tester@example.org")
    ensure_dvc(root, "../remote")
    return root


def build(
    root: Path, recipe: str, content: bytes = b"", version: str = "1"
) -> tuple[Path, Variant]:
    content = content or recipe.encode() * 100
    source = root.parent / "build" / f"{recipe}-{version}.tflite"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(content)
    variant = Variant(
        recipe=recipe,
        format=Format.LITERT,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        path=f"variants/digits/v{version}/{recipe}.tflite",
        parent="aa" * 32,
        tools=(("ai-edge-litert", "2.3.0"),),
    )
    return source, variant


def remote_digests(root: Path) -> set[str]:
    files = (path for path in (root.parent / "remote").rglob("*") if path.is_file())
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_repository_is_set_up_once_and_without_telemetry(root: Path) -> None:
    config = (root / ".dvc" / "config").read_text()
    for line in ("analytics = False", "check_update = False", "autostage = True", "verify = True"):
        assert line in config
    assert "url = ../../remote" in config
    assert not ensure_dvc(root, "../elsewhere")
    assert (root / ".dvc" / "config").read_text() == config


def test_a_repository_that_has_a_remote_keeps_it(root: Path) -> None:
    config = root / ".dvc" / "config"
    config.write_text("[core]\n    remote = theirs\n['remote \"theirs\"']\n    url = /theirs\n")
    assert not ensure_dvc(root, "../ours")
    assert "ours" not in config.read_text()


def test_a_project_in_a_folder_of_a_repository_works(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    project = tmp_path / "apps" / "mobile"
    project.mkdir(parents=True)
    assert ensure_dvc(project, str(tmp_path / "remote"))
    source, variant = build(project, "int8")
    assert keep_variants(project, "digits", "1", ((source, variant),)).changed


def test_a_folder_outside_of_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not tracked by any supported SCM"):
        ensure_dvc(tmp_path, "remote")


def test_variants_are_copied_versioned_described_and_pushed(root: Path) -> None:
    from dvc.utils.serialize import load_yaml

    files = (build(root, "fp16"), build(root, "prune50+int8"))
    kept = keep_variants(root, "digits", "1", files)
    assert kept.changed
    assert set(kept.paths) == {
        "dvc.yaml",
        "variants/digits/v1/.gitignore",
        "variants/digits/v1/fp16.tflite.dvc",
        "variants/digits/v1/prune50+int8.tflite.dvc",
    }
    artifacts = load_yaml(str(root / "dvc.yaml"))["artifacts"]
    described = artifacts["digits-prune50-int8-litert"]
    assert described["path"] == "variants/digits/v1/prune50+int8.tflite"
    assert described["type"] == "model"
    assert described["labels"] == ["litert", "prune50", "int8"]
    assert described["meta"]["sha256"] == files[1][1].sha256
    assert {variant.sha256 for _, variant in files} <= remote_digests(root)
    for source, variant in files:
        assert source.read_bytes() == (root / variant.path).read_bytes()


def test_keeping_twice_does_nothing_twice(root: Path) -> None:
    files = (build(root, "fp16"), build(root, "int8"))
    kept = keep_variants(root, "digits", "1", files)
    commit(root, kept.paths, "Variants of digits 1")
    again = keep_variants(root, "digits", "1", files)
    assert again == replace(kept, changed=False)
    assert git(root, "status", "--porcelain", "--", *kept.paths) == ""
    assert commit(root, again.paths, "Nothing") is None


def test_a_new_version_is_beside_the_old_one_and_takes_over_its_name(root: Path) -> None:
    from dvc.utils.serialize import load_yaml

    keep_variants(root, "digits", "1", (build(root, "int8"),))
    keep_variants(root, "digits", "2", (build(root, "int8", b"new", version="2"),))
    artifacts = load_yaml(str(root / "dvc.yaml"))["artifacts"]
    assert list(artifacts) == ["digits-int8-litert"]
    assert artifacts["digits-int8-litert"]["meta"]["version"] == "2"
    assert (root / "variants/digits/v1/int8.tflite.dvc").is_file()


def test_a_rebuilt_file_replaces_the_old_one(root: Path) -> None:
    keep_variants(root, "digits", "1", (build(root, "int8"),))
    rebuilt = build(root, "int8", b"rebuilt")
    assert keep_variants(root, "digits", "1", (rebuilt,)).changed
    assert (root / rebuilt[1].path).read_bytes() == b"rebuilt"
    assert rebuilt[1].sha256 in remote_digests(root)


def test_a_lost_or_damaged_workspace_file_is_put_right(root: Path) -> None:
    files = (build(root, "int8"),)
    keep_variants(root, "digits", "1", files)
    path = root / files[0][1].path
    for spoil in (path.unlink, lambda: path.write_bytes(b"x" * path.stat().st_size)):
        spoil()
        keep_variants(root, "digits", "1", files)
        assert path.read_bytes() == files[0][0].read_bytes()


class TestRefusals:
    def test_a_source_that_is_not_what_its_variant_says(self, root: Path) -> None:
        source, variant = build(root, "int8")
        source.write_bytes(b"changed")
        with pytest.raises(StoreError, match="is not the file of int8"):
            keep_variants(root, "digits", "1", ((source, variant),))
        assert not (root / variant.path).exists()

    def test_the_only_copy_is_never_given_to_dvc(self, root: Path) -> None:
        source, variant = build(root, "int8")
        target = root / variant.path
        target.parent.mkdir(parents=True)
        source.rename(target)
        with pytest.raises(StoreError, match="the only copy"):
            keep_variants(root, "digits", "1", ((target, variant),))
        assert target.is_file()

    def test_a_path_that_leads_outside(self, root: Path) -> None:
        source, variant = build(root, "int8")
        outside = replace(variant, path="../outside.tflite")
        with pytest.raises(StoreError, match="outside of the project"):
            keep_variants(root, "digits", "1", ((source, outside),))

    def test_a_remote_that_cannot_be_written(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "remote").rmdir()
        (tmp_path / "remote").write_text("a file where a folder should be")
        files = (build(root, "int8"),)
        with pytest.raises(StoreError):
            keep_variants(root, "digits", "1", files)
        (tmp_path / "remote").unlink()
        keep_variants(root, "digits", "1", files)
        assert files[0][1].sha256 in remote_digests(root)

    def test_a_project_without_dvc(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError):
            keep_variants(tmp_path, "digits", "1", (build(tmp_path / "x", "int8"),))


def killed_at(event: int, root: Path, files: tuple[tuple[Path, Variant], ...]) -> bool:
    """Keep in a child that is killed -9 at its n-th rename or copy; whether it was."""
    child = os.fork()
    if child == 0:
        touched = 0

        def hook(name: str, _: tuple[object, ...]) -> None:
            nonlocal touched
            if name in {"os.rename", "shutil.copyfile", "os.remove"}:
                touched += 1
                if touched == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        keep_variants(root, "digits", "1", files)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("event", range(1, 9))
def test_killed_while_keeping_nothing_is_lost_and_the_next_time_it_works(
    root: Path, event: int
) -> None:
    files = (build(root, "fp16"), build(root, "int8"))
    killed_at(event, root, files)
    for source, variant in files:
        assert hashlib.sha256(source.read_bytes()).hexdigest() == variant.sha256
    keep_variants(root, "digits", "1", files)
    assert {variant.sha256 for _, variant in files} <= remote_digests(root)
    assert not keep_variants(root, "digits", "1", files).changed


KEEP = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_store
from weighin.registry.store import keep_variants
root = Path(sys.argv[2])
keep_variants(root, "digits", "1", (test_store.build(root, sys.argv[3]),))
"""


def test_two_processes_at_once_wait_for_each_other(root: Path) -> None:
    here = str(Path(__file__).parent)
    running = [
        subprocess.Popen([sys.executable, "-c", KEEP, here, str(root), recipe])
        for recipe in ("fp16", "int8")
    ]
    assert [process.wait() for process in running] == [0, 0]
    pointers = (root / "variants/digits/v1").glob("*.dvc")
    assert len(list(pointers)) == 2


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("digits", "digits-prune50-int8-litert"),
        ("res-net20", "res-net20-prune50-int8-litert"),
        ("My Model", "my-model-prune50-int8-litert-"),
        ("模型", "prune50-int8-litert-"),
    ],
)
def test_artifact_names_fit_dvc_and_stay_different(root: Path, model: str, expected: str) -> None:
    from dvc.repo.artifacts import check_name_format

    _, variant = build(root, "prune50+int8")
    name = artifact_name(model, variant)
    assert name.startswith(expected)
    assert (name == expected) == (not expected.endswith("-"))
    check_name_format(name)


class TestCommit:
    def test_only_the_given_paths_are_committed(self, root: Path) -> None:
        for name in ("wanted.txt", "[odd] *.txt", "staged.txt", "lying around.txt"):
            (root / name).write_text(name)
        git(root, "add", "staged.txt")
        revision = commit(root, ("wanted.txt", "[odd] *.txt"), "Two files")
        assert revision == git(root, "rev-parse", "HEAD").strip()
        names = git(root, "-c", "core.quotePath=false", "show", "--name-only", "--format=%s")
        assert names.split("\n") == ["Two files", "", "[odd] *.txt", "wanted.txt", ""]
        assert "A  staged.txt" in git(root, "status", "--porcelain")

    def test_nothing_to_commit_is_no_error(self, root: Path) -> None:
        (root / "a.txt").write_text("a")
        assert commit(root, ("a.txt",), "One file") is not None
        assert commit(root, ("a.txt",), "Again") is None
        assert commit(root, (), "Nothing") is None

    def test_git_s_own_words_are_in_the_error(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="not a git repository"):
            commit(tmp_path, ("a.txt",), "Outside")
        (root / ".git" / "index.lock").touch()
        (root / "a.txt").write_text("a")
        with pytest.raises(StoreError, match=r"index\.lock"):
            commit(root, ("a.txt",), "Locked")
