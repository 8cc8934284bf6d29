"""A review branch's variants as data: nothing else of the branch reaches the working folder."""

import subprocess
from pathlib import Path

import pytest

from weighin.gates.errors import StoreError
from weighin.plugin.bundle_commit import restore

REPORT = "variants/digits/v1/weigh-in/report.json"


def git(root: Path, *arguments: str, given: bytes | None = None) -> str:
    own = ["-c", "user.name=x", "-c", "user.email=x@y.z"]
    done = subprocess.run(
        ["git", *own, *arguments], cwd=root, input=given, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "weighin.toml").write_text("# base\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "base")
    return folder


def commit_of(root: Path, entries: dict[str, tuple[str, bytes]]) -> str:
    """A commit with exactly these paths, made without a working folder: any name goes."""
    tree = nested(
        root, [(path.split("/"), mode, content) for path, (mode, content) in entries.items()]
    )
    return git(root, "commit-tree", tree, "-m", "evil")


def nested(root: Path, entries: list[tuple[list[str], str, bytes]]) -> str:
    lines: dict[str, bytes] = {}
    for parts, mode, content in entries:
        name = parts[0]
        if name in lines:
            continue
        if len(parts) > 1:
            inner = [(p[1:], m, c) for p, m, c in entries if p[0] == name]
            lines[name] = f"040000 tree {nested(root, inner)}\t{name}".encode()
        else:
            blob = git(root, "hash-object", "-w", "--stdin", given=content)
            lines[name] = f"{mode} blob {blob}\t{name}".encode()
    return git(root, "mktree", "-z", given=b"\0".join(lines.values()) + b"\0")


def regular(content: str) -> tuple[str, bytes]:
    return ("100644", content.encode())


def test_what_the_review_needs_is_written_and_nothing_else(root: Path) -> None:
    commit = commit_of(
        root,
        {
            REPORT: regular("{}"),
            "variants/digits/v1/weigh-in/evidence/int8.tflite@host.json": regular("{}"),
            "variants/digits/v1/int8.tflite.dvc": regular("outs: []\n"),
            "variants/digits/v1/.gitignore": regular("/int8.tflite\n"),
            "variants/digits/v1/.gitattributes": regular("* filter=evil\n"),
            "variants/digits/v1/run.sh": ("100755", b"rm -rf /\n"),
            "dvc.yaml": regular("artifacts: {}\n"),
            "weighin.toml": regular("# loosened\n"),
            ".github/workflows/weigh.yml": regular("on: push\n"),
        },
    )
    assert restore(root, commit) == ("digits/1",)
    files = {
        str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and ".git/" not in str(p)
    }
    assert files == {
        "weighin.toml", "dvc.yaml", REPORT, "variants/digits/v1/int8.tflite.dvc",
        "variants/digits/v1/.gitignore",
        "variants/digits/v1/weigh-in/evidence/int8.tflite@host.json",
    }  # fmt: skip
    assert (root / "weighin.toml").read_text() == "# base\n"


def test_a_report_that_is_there_already_is_not_named_again(root: Path) -> None:
    commit = commit_of(root, {REPORT: regular("{}")})
    assert restore(root, commit) == ("digits/1",)
    assert restore(root, commit) == ()


def test_models_of_any_name_are_named(root: Path) -> None:
    name = "حروف <b>`|` 👩\u200d🔬"
    commit = commit_of(root, {f"variants/{name}/v12/weigh-in/report.json": regular("{}")})
    assert restore(root, commit) == (f"{name}/12",)


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("variants/x.json", ("120000", b"/etc/passwd")),
        ("variants/run.json", ("100755", b"{}")),
        ("variants/.git/config.json", regular("{}")),
        ("variants/.GIT/config.json", regular("{}")),
        ("variants/a\nb.json", regular("{}")),
        ("variants/../x.json", regular("{}")),
    ],
    ids=["link", "program", "git-folder", "git-folder-in-capitals", "newline", "parent"],
)
def test_what_must_not_be_written_stops_all_of_it(
    root: Path, path: str, entry: tuple[str, bytes]
) -> None:
    commit = commit_of(root, {path: entry})
    with pytest.raises(StoreError, match=r"not a regular|must not be written"):
        restore(root, commit)
    assert not (root.parent / "x.json").exists()
    assert git(root, "status", "--porcelain") == ""


def test_nothing_is_written_through_a_link_of_the_base(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    commit = commit_of(root, {REPORT: regular("{}")})
    (root / "variants").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link"):
        restore(root, commit)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("commit", ["main", "--help", "", "0" * 39, "HEAD:variants"])
def test_only_the_full_id_of_a_commit_will_do(root: Path, commit: str) -> None:
    with pytest.raises(StoreError, match="full id"):
        restore(root, commit)


def test_a_commit_that_is_not_there_is_told_in_gits_words(root: Path) -> None:
    with pytest.raises(StoreError, match="git ls-tree refused"):
        restore(root, "1" * 40)
