"""A branch on a real bare repository: nothing of the user's is touched, nobody's work is lost."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weighin.gates.errors import StoreError
from weighin.registry.dvc_yaml import with_artifacts
from weighin.registry.git_branch import Prepared, Rewrite, Wanted, prepare, push
from weighin.registry.git_plumbing import Git, Remote, at_top, remote_of, token_fits

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
FOLDER = "variants/digits/v3/weigh-in"
BRANCH = "weighin/digits/v3"
FILES = {
    "variants/digits/v3/int8.tflite.dvc": b"outs:\n- md5: aa\n",
    f"{FOLDER}/report.json": b"{}\n",
}
ENTRY = {"digits-int8-litert": {"path": "variants/digits/v3/int8.tflite", "type": "model"}}
CANARY = "ghs_canary0123456789"


def describe(document: bytes | None) -> bytes:
    return with_artifacts(document, ENTRY)


@dataclass(frozen=True)
class Place:
    """A user's clone and the bare repository that it came from."""

    clone: Path
    bare: Path
    environ: Mapping[str, str]

    @property
    def git(self) -> Git:
        return Git(root=self.clone, environ=self.environ)

    @property
    def remote(self) -> Remote:
        return Remote(name="origin", url=str(self.bare))

    def wanted(self, files: Mapping[str, bytes] | None = None, **changed: object) -> Wanted:
        rewritten: dict[str, Rewrite] = {"dvc.yaml": describe}
        plain = Wanted(
            branch=BRANCH,
            base="main",
            files=FILES if files is None else files,
            rewritten=rewritten,
            folder=FOLDER,
            message="weighin: digits v3\n",
            at=AT,
        )
        return replace(plain, **changed)  # type: ignore[arg-type]

    def review(self, files: Mapping[str, bytes] | None = None, **changed: object) -> Prepared:
        prepared = prepare(self.git, self.remote, self.wanted(files, **changed))
        push(self.git, self.remote, prepared)
        return prepared

    def show(self, path: str, ref: str = BRANCH) -> str:
        return Git(root=self.bare, environ=self.environ)("show", f"{ref}:{path}")

    def names(self, ref: str = BRANCH) -> set[str]:
        listed = Git(root=self.bare, environ=self.environ)("ls-tree", "-r", "--name-only", ref)
        return set(listed.splitlines())

    def tip(self, ref: str = BRANCH) -> str:
        return Git(root=self.bare, environ=self.environ)("rev-parse", ref)

    def stranger(self, branch: str, files: Mapping[str, str], *, start: str | None = None) -> str:
        """Somebody else's commit on a branch of the remote, from a clone of their own."""
        theirs = self.clone.parent / "theirs"
        if not theirs.exists():
            Git(root=self.clone.parent, environ=self.environ)(
                "clone", "-q", str(self.bare), str(theirs)
            )
        git = Git(root=theirs, environ=self.environ)
        git("fetch", "-q", "origin")
        git("checkout", "-q", "-B", branch, f"origin/{start or branch}")
        for path, text in files.items():
            (theirs / path).parent.mkdir(parents=True, exist_ok=True)
            (theirs / path).write_text(text)
        git("add", "-A")
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        git(*who, "commit", "-q", "-m", "a change by hand")
        git("push", "-q", "--force", "origin", f"HEAD:{branch}")
        return git("rev-parse", "HEAD")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    made = Place(clone=tmp_path / "clone", bare=tmp_path / "remote.git", environ=environ)
    here = Git(root=tmp_path, environ=environ)
    here("init", "-q", "--bare", "-b", "main", str(made.bare))
    here("clone", "-q", str(made.bare), str(made.clone))
    made.git("checkout", "-q", "-B", "main")
    made.git("config", "user.name", "User")
    made.git("config", "user.email", "user@example.org")
    (made.clone / "readme").write_text("hello\n")
    (made.clone / "dvc.yaml").write_text("# ours\nartifacts:\n  other: {path: other.bin}\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "start")
    made.git("push", "-q", "origin", "HEAD:main")
    return made


def test_the_branch_has_the_files_on_top_of_the_base(place: Place) -> None:
    prepared = place.review()
    assert prepared.changed
    assert place.tip() == prepared.commit
    assert place.names() == {*FILES, "dvc.yaml", "readme"}
    assert place.tip(f"{BRANCH}^") == place.tip("main")
    text = place.show("dvc.yaml")
    assert text.startswith("# ours")
    assert "other" in text
    assert "digits-int8-litert" in text


def test_neither_the_working_tree_nor_the_index_nor_a_branch_of_the_user_changes(
    place: Place,
) -> None:
    (place.clone / "readme").write_text("being edited\n")
    (place.clone / "new").write_text("staged\n")
    place.git("add", "new")
    before = [place.git("status", "--porcelain=v2", "--branch"), place.git("for-each-ref")]
    index = (place.clone / ".git" / "index").read_bytes()
    place.review()
    # The remote-tracking ref of the pushed branch is git's own note, and the only one.
    refs = place.git("for-each-ref", "refs/heads", "refs/tags", "refs/weighin")
    assert place.git("status", "--porcelain=v2", "--branch") == before[0]
    assert refs == "\n".join(line for line in before[1].splitlines() if "refs/remotes" not in line)
    assert (place.clone / ".git" / "index").read_bytes() == index
    assert not (place.clone / ".git" / "FETCH_HEAD").exists()


def test_the_second_time_pushes_nothing(place: Place) -> None:
    first = place.review()
    again = place.review()
    assert not again.changed
    assert again.commit == first.commit


def test_equal_inputs_are_an_equal_commit(place: Place) -> None:
    first = place.review()
    place.git("push", "-q", "origin", "--delete", BRANCH)
    assert place.review().commit == first.commit


def test_a_base_that_moved_elsewhere_leaves_the_branch_alone(place: Place) -> None:
    first = place.review()
    place.stranger("main", {"readme": "news\n"})
    assert place.review().commit == first.commit


def test_new_evidence_replaces_the_old_files_of_its_folder(place: Place) -> None:
    place.review({**FILES, f"{FOLDER}/evidence/old.json": b"old"})
    place.review({**FILES, f"{FOLDER}/evidence/new.json": b"new"})
    assert f"{FOLDER}/evidence/new.json" in place.names()
    assert f"{FOLDER}/evidence/old.json" not in place.names()
    assert place.tip(f"{BRANCH}^") == place.tip("main")


def test_a_conflict_in_dvc_yaml_is_resolved_from_the_base_and_our_entries(place: Place) -> None:
    place.review()
    theirs = "artifacts:\n  other: {path: moved.bin}\n  third: {path: third.bin}\n"
    place.stranger("main", {"dvc.yaml": theirs})
    prepared = place.review()
    assert prepared.changed
    assert place.tip(f"{BRANCH}^") == place.tip("main")
    for expected in ("moved.bin", "third", "digits-int8-litert"):
        assert expected in place.show("dvc.yaml")


def test_a_conflict_in_a_pointer_is_resolved_by_our_own(place: Place) -> None:
    place.review()
    pointer = next(iter(FILES))
    place.stranger("main", {pointer: "outs:\n- md5: bb\n"})
    place.review()
    assert "md5: aa" in place.show(pointer)
    assert place.git("merge-tree", "--write-tree", place.tip(), place.tip("main"))


def test_a_branch_that_was_forced_back_is_made_anew(place: Place) -> None:
    first = place.review()
    place.git("push", "-q", "--force", "origin", f"main:{BRANCH}")
    assert place.review().commit == first.commit


def test_a_strangers_commit_on_other_files_stays_under_ours(place: Place) -> None:
    place.review()
    theirs = place.stranger(BRANCH, {"notes.md": "looks fine\n"})
    assert place.review().commit == theirs
    place.review({**FILES, f"{FOLDER}/report.json": b'{"new": 1}\n'})
    assert place.tip(f"{BRANCH}^") == theirs
    assert place.show("notes.md") == "looks fine"
    assert place.show(f"{FOLDER}/report.json") == '{"new": 1}'


def test_a_strangers_commit_survives_a_base_that_conflicts_with_ours(place: Place) -> None:
    place.review()
    place.stranger(BRANCH, {"notes.md": "looks fine\n"})
    place.stranger("main", {"dvc.yaml": "artifacts:\n  third: {path: third.bin}\n"})
    place.review()
    assert place.show("notes.md") == "looks fine"
    assert "third" in place.show("dvc.yaml")
    assert "digits-int8-litert" in place.show("dvc.yaml")
    assert place.tip(f"{BRANCH}^2") == place.tip("main")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{FOLDER}/report.json", id="report"),
        pytest.param(f"{FOLDER}/evidence/forged.json", id="new-file-in-our-folder"),
        pytest.param("variants/digits/v3/int8.tflite.dvc", id="pointer"),
        pytest.param("dvc.yaml", id="dvc-yaml"),
    ],
)
def test_a_strangers_commit_on_our_files_is_named_and_kept(place: Place, path: str) -> None:
    place.review()
    theirs = place.stranger(BRANCH, {path: "forged: 1\n"})
    with pytest.raises(StoreError) as caught:
        place.review({**FILES, f"{FOLDER}/report.json": b'{"new": 1}\n'})
    for expected in (theirs[:12], path, "Ada <ada@example.org>", "Nothing was overwritten"):
        assert expected in str(caught.value)
    assert place.tip() == theirs


def test_a_branch_that_moves_while_we_work_is_not_overwritten(place: Place) -> None:
    place.review()
    prepared = prepare(
        place.git, place.remote, place.wanted({**FILES, f"{FOLDER}/report.json": b"2"})
    )
    theirs = place.stranger(BRANCH, {"notes.md": "wait\n"})
    with pytest.raises(StoreError, match="run the review again"):
        push(place.git, place.remote, prepared)
    assert place.tip() == theirs


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        pytest.param("GH006: Protected branch update failed", "Exempt branches", id="protected"),
        pytest.param("models need a ticket", "A rule of that server", id="policy"),
    ],
)
def test_a_hook_that_declines_is_quoted(place: Place, words: str, advice: str) -> None:
    hook = place.bare / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(StoreError) as caught:
        place.review()
    assert words in str(caught.value)
    assert advice in str(caught.value)


def test_a_base_that_is_not_there_is_said(place: Place) -> None:
    with pytest.raises(StoreError, match=r"no branch 'trunk' to merge into.*--base"):
        place.review(base="trunk")


def test_a_path_that_git_cannot_keep_is_refused_not_left_out(place: Place) -> None:
    with pytest.raises(StoreError, match="cannot keep a file"):
        place.review({"variants/../v1/int8.onnx.dvc": b"x"})


def test_strange_names_are_names_like_any_other(place: Place) -> None:
    names = ("<script>x</script>", "a|b", "`rm -rf`", "💥", "\u202egnp", "a\nb\tc", "-x")
    files = {f"{FOLDER}/{name}/report.json": b"{}" for name in names}
    place.review(files)
    listed = Git(root=place.bare, environ=place.environ)("ls-tree", "-rz", "--name-only", BRANCH)
    assert set(files) <= set(listed.split("\0"))
    assert not place.review(files).changed


def test_content_is_kept_byte_for_byte(place: Place) -> None:
    content = b"\r\n\x00\xff no newline at the end"
    place.review({f"{FOLDER}/report.json": content})
    raw = Git(root=place.bare, environ=place.environ).raw("show", f"{BRANCH}:{FOLDER}/report.json")
    assert raw == content


def test_a_shallow_clone_is_enough(place: Place) -> None:
    place.stranger("main", {"readme": "one\n"})
    shallow = place.clone.parent / "shallow"
    here = Git(root=place.clone.parent, environ=place.environ)
    here("clone", "-q", "--depth", "1", f"file://{place.bare}", str(shallow))
    place.stranger("main", {"dvc.yaml": "artifacts: {}\n"})
    there = replace(place, clone=shallow)
    there.review()
    there.review({**FILES, f"{FOLDER}/report.json": b"2"})
    assert place.show(f"{FOLDER}/report.json") == "2"


def test_a_shallow_clone_that_begins_after_the_branch_is_deepened(place: Place) -> None:
    place.stranger("main", {"dvc.yaml": "artifacts: {}\n", "a": "1"})
    place.review()
    for number in range(2):
        place.stranger("main", {"a": f"more {number}"})
    shallow = place.clone.parent / "shallow"
    here = Git(root=place.clone.parent, environ=place.environ)
    here("clone", "-q", "--depth", "1", f"file://{place.bare}", str(shallow))
    assert not replace(place, clone=shallow).review().changed


def test_a_hook_of_the_users_does_not_run_and_sees_no_token(place: Place) -> None:
    hook = place.clone / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\nenv > seen\n")
    hook.chmod(0o755)
    place.review()
    assert not (place.clone / "seen").exists()


def test_a_token_is_in_no_argument_no_message_and_no_other_child(tmp_path: Path) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    fake = bin_dir / "git"
    fake.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >> "$HOME/arguments"\nenv >> "$HOME/env-$1"\n'
        'echo "fatal: https://user:pw@host/ said $GIT_CONFIG_VALUE_2" >&2\nexit 1\n'
    )
    fake.chmod(0o755)
    path = f"{bin_dir}:{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(tmp_path), "GITHUB_TOKEN": CANARY}
    git = Git(root=tmp_path, environ=environ)
    remote = Remote(name="origin", url="https://github.com/o/r", token=CANARY)
    messages = [repr(git), repr(remote)]
    for name, to in (("push", remote), ("write-tree", None)):
        with pytest.raises(StoreError) as caught:
            git(name, remote=to)
        messages.append(str(caught.value))
    assert CANARY not in "".join(messages)
    assert "user:pw" not in "".join(messages)
    assert "Basic ***" in messages[2]
    assert CANARY not in (tmp_path / "arguments").read_text()
    assert CANARY not in (tmp_path / "env-write-tree").read_text()
    header = (tmp_path / "env-push").read_text()
    assert "GIT_CONFIG_KEY_2=http.https://github.com/.extraheader" in header
    assert CANARY not in header  # it is there in base64 only, as the header wants it


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        pytest.param("https://github.com/o/r.git", True, id="https"),
        pytest.param("https://user@github.com/o/r.git", True, id="with-user"),
        pytest.param("http://github.com/o/r.git", False, id="no-tls"),
        pytest.param("https://github.com.evil.example/o/r", False, id="longer-host"),
        pytest.param("https://evil.example/github.com", False, id="other-host"),
        pytest.param("https://github.com@evil.example/o/r", False, id="host-as-user"),
        pytest.param("git@github.com:o/r.git", False, id="ssh"),
        pytest.param("/srv/git/r.git", False, id="path"),
    ],
)
def test_a_token_is_shown_to_its_own_server_only(url: str, fits: bool) -> None:
    assert token_fits(url, "github.com") is fits


def test_a_folder_below_the_top_knows_where_it_lies(place: Place) -> None:
    (place.clone / "sub").mkdir()
    git, prefix = at_top(place.clone / "sub", place.environ)
    assert git.root == place.clone.resolve()
    assert prefix == "sub/"
    assert remote_of(git, "origin") == str(place.bare)
    assert remote_of(git, "https://example.org/r.git") == "https://example.org/r.git"
    with pytest.raises(StoreError, match="is no remote"):
        remote_of(git, "--upload-pack=touch")


def test_artifacts_twice_are_artifacts_once() -> None:
    once = with_artifacts(b"# mine\nstages: {}\nartifacts:\n  # theirs\n  a: {path: a}\n", ENTRY)
    assert with_artifacts(once, ENTRY) == once
    assert once.startswith(b"# mine\nstages: {}\n")
    assert b"# theirs" in once


@pytest.mark.parametrize("document", [b"- a\n", b"artifacts: 3\n", b"a: [", b"\xff"])
def test_a_dvc_yaml_that_is_none_is_refused(document: bytes) -> None:
    with pytest.raises(StoreError, match=r"dvc\.yaml of the base branch"):
        with_artifacts(document, ENTRY)


def test_git_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not installed"):
        Git(root=tmp_path, environ={"PATH": str(tmp_path)})("status")
