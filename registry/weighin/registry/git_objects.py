"""Contents in and out of git's store, without a working tree."""

import tempfile
from pathlib import Path

from weighin.registry.git_plumbing import Git


def stored(git: Git, contents: list[bytes]) -> list[str]:
    """Every content as an object, by one child however many there are."""
    with tempfile.TemporaryDirectory(prefix="weighin-") as folder:
        paths = [Path(folder) / str(number) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        listed = "".join(f"{path}\n" for path in paths).encode()
        return git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).split()


def file_in(git: Git, commit: str, path: str) -> bytes | None:
    """A file's content in a commit that is here, or ``None``."""
    if not git.says_yes("cat-file", "-e", f"{commit}:{path}"):
        return None
    return git.raw("cat-file", "blob", f"{commit}:{path}")


def paths_of(git: Git, *arguments: str) -> tuple[str, ...]:
    """Paths that a command lists, whatever characters are in them."""
    first, *rest = arguments
    only = () if first == "ls-files" else ("--name-only",)
    return tuple(path for path in git(first, "-z", *only, *rest).split("\0") if path)
