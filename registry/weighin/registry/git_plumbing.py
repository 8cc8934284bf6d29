"""Git as a reviewer's machine needs it: no prompt, no hook, no secret where it does not belong.

Every call gets a small environment of its own. A token reaches only the one child that speaks with
the server that it is for, through that child's environment: never an argument, a URL or a file.
Redirects are not followed then, because a redirect would carry the token to another server. What
this module does not do: it touches no working tree and no index but the one that it is given.
"""

import base64
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from weighin.gates.errors import StoreError

TIMEOUT_S = 300
_ALLOWED = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"),
    *("GIT_CONFIG_NOSYSTEM", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_LONGEST_WORDS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where a branch is pushed to.

    Attributes:
        name: The name of a remote, such as ``origin``, or a URL.
        url: The URL behind it.
        token: For its server; empty where git has its own way in (ssh, a helper, a path).
    """

    name: str
    url: str
    token: str = field(default="", repr=False)


class GitRefused(StoreError):  # noqa: N818 - what happened, not that it is an error
    """Git said no; its own words are in :attr:`words`, without secrets."""

    def __init__(self, message: str, words: str) -> None:
        """Keep git's words apart for whoever wants to tell cases apart."""
        super().__init__(message)
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Git in one repository.

    Attributes:
        root: A folder of the repository; :func:`at_top` gives its top.
        environ: The environment that the allowed names are taken from.
        more: Variables of git's own for every child, such as ``GIT_INDEX_FILE``.
    """

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: bytes = b"", remote: Remote | None = None) -> str:
        """Run a command; what it wrote, as text without the last line end.

        Args:
            arguments: After ``git``.
            stdin: What it reads.
            remote: The server that it speaks with, if it speaks with one.

        Raises:
            GitRefused: it did not end well; its own words are in the message.
            StoreError: it cannot be run, or does not end.
        """
        output = self.raw(*arguments, stdin=stdin, remote=remote)
        return output.removesuffix(b"\n").decode("utf-8", "surrogateescape")

    def raw(self, *arguments: str, stdin: bytes = b"", remote: Remote | None = None) -> bytes:
        """The same, byte for byte."""
        status, output, words = self.ask(*arguments, stdin=stdin, remote=remote)
        if status != 0:
            raise GitRefused(f"git {arguments[0]} refused: {words}", words)
        return output

    def ask(
        self, *arguments: str, stdin: bytes = b"", remote: Remote | None = None
    ) -> tuple[int, bytes, str]:
        """The exit status of a command, what it wrote, and its complaints without secrets."""
        done = self._run(arguments, stdin, remote)
        return done.returncode, done.stdout, _without_secrets(done.stderr or done.stdout, remote)

    def says_yes(self, *arguments: str) -> bool:
        """Whether a command that answers with its exit status says yes."""
        return self.ask(*arguments)[0] == 0

    def using(self, **more: str) -> "Git":
        """The same with more variables of git's own."""
        return replace(self, more={**self.more, **more})

    def _run(
        self, arguments: tuple[str, ...], stdin: bytes, remote: Remote | None
    ) -> "subprocess.CompletedProcess[bytes]":
        kept = {
            name: value
            for name, value in self.environ.items()
            if name in _ALLOWED or name.startswith("LC_")
        }
        fixed = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self.root,
                input=stdin,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
                env={**kept, **fixed, **self.more, **_configured(remote)},
            )
        except FileNotFoundError as error:
            raise StoreError("git is not installed or not on PATH") from error
        except subprocess.TimeoutExpired as error:
            raise StoreError(f"git {arguments[0]} did not end in {TIMEOUT_S} s") from error


def at_top(folder: Path, environ: Mapping[str, str]) -> tuple[Git, str]:
    """Git at the top of a working tree, and where a folder of it lies: ``""`` or ``sub/``.

    Raises:
        GitRefused: the folder is in no repository.
    """
    here = Git(root=folder, environ=environ)
    return replace(here, root=Path(here("rev-parse", "--show-toplevel"))), here(
        "rev-parse", "--show-prefix"
    )


def remote_of(git: Git, name: str) -> str:
    """The URL that a remote's name stands for; what is no remote's name is a URL itself.

    Raises:
        StoreError: it is written like an option.
    """
    if name.startswith("-"):
        raise StoreError(f"'{name}' is no remote; give its name, such as origin, or a URL")
    status, output, _ = git.ask("remote", "get-url", "--push", name)
    return output.decode("utf-8", "replace").strip() if status == 0 else name


def token_fits(url: str, host: str) -> bool:
    """Whether a token for a server may be shown to this URL.

    Only over https, or to this very machine; only to the server that the token is for.

    Args:
        url: Of the remote.
        host: Of the server, with its port if it has one: ``github.com``.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    named = parts.netloc.rpartition("@")[2].lower()
    return (parts.scheme == "https" or local) and named == host.lower()


def _configured(remote: Remote | None) -> dict[str, str]:
    """Settings for one child: no hooks, and the token for one server only."""
    pairs = [("core.hooksPath", "/dev/null")]
    if remote is not None and remote.token:
        parts = urlsplit(remote.url)
        header = f"http.{parts.scheme}://{parts.netloc.rpartition('@')[2]}/.extraheader"
        # The empty value drops headers that an earlier step left in the configuration.
        pairs += [(header, ""), (header, f"Authorization: Basic {_basic(remote.token)}")]
        pairs += [("http.followRedirects", "false"), ("credential.helper", "")]
    numbered = enumerate(pairs)
    names = {
        key: value
        for number, (name, said) in numbered
        for key, value in ((f"GIT_CONFIG_KEY_{number}", name), (f"GIT_CONFIG_VALUE_{number}", said))
    }
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **names}


def _basic(token: str) -> str:
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def _without_secrets(output: bytes, remote: Remote | None) -> str:
    words = output.decode("utf-8", "replace").strip()
    if remote is not None and remote.token:
        for secret in (remote.token, _basic(remote.token)):
            words = words.replace(secret, "***")
    return _IN_URL.sub("***@", words)[:_LONGEST_WORDS]
