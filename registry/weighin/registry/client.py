"""Reading a channel: a thin shell around python-tuf's client.

Trust is tuf's: this module says where things are, what time it is, and turns tuf's exceptions
into ours. It imports tuf, so only the function that needs a channel may import it.
"""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from tuf.api import exceptions

from weighin.gates.errors import (
    ExpiredError,
    IntegrityError,
    NetworkError,
    PullError,
    RollbackError,
)
from weighin.registry import release as naming
from weighin.registry.channel_state import METADATA_FOLDER, TARGETS_FOLDER, TOP_LEVEL
from weighin.registry.files import holds, replacing
from weighin.registry.lock import SeenChannel
from weighin.registry.release import Release
from weighin.registry.tuf_names import Updater, Urllib3Fetcher

CHUNK_BYTES = 1 << 18
ROOT_LIMIT_BYTES = 512_000


class ChannelFetcher(Urllib3Fetcher):
    """Fetches over http(s) as tuf does, and from folders by ``file://``."""

    def __init__(self, timeout_s: int) -> None:
        """Wait at most ``timeout_s`` for a connection and between two chunks; tuf tries 4 times."""
        super().__init__(socket_timeout=timeout_s, chunk_size=CHUNK_BYTES)
        self._unfinished: urllib3.response.BaseHTTPResponse | None = None

    def close(self) -> None:
        """Close an answer that was not read to its end, so that no socket stays open."""
        if self._unfinished is not None:
            self._unfinished.close()
            self._unfinished = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _file_chunks(Path(unquote(parts.path)))
        return super()._fetch(url)

    def _chunks(self, response: urllib3.response.BaseHTTPResponse) -> Iterator[bytes]:
        """A connection that breaks in the middle is a network error like any other."""
        self._unfinished = response
        try:
            yield from response.stream(self.chunk_size)
        except urllib3.exceptions.HTTPError as error:
            raise exceptions.DownloadError(f"the connection broke: {error}") from error
        response.release_conn()
        self._unfinished = None


class ChannelClient:
    """One look at a channel. Use it under a lock: its cache is for one process at a time."""

    def __init__(
        self, *, base_url: str, metadata_dir: Path, root: bytes, now: datetime, timeout_s: int
    ) -> None:
        """Start from a trusted root; nothing is fetched yet.

        Raises:
            IntegrityError: the root is no root, or does not sign itself.
        """
        self._base_url = base_url
        self._metadata_dir = metadata_dir
        metadata_dir.mkdir(parents=True, exist_ok=True)
        self._fetcher = ChannelFetcher(timeout_s)
        with translated(base_url, self._fetcher):
            self._updater = Updater(
                str(metadata_dir),
                f"{base_url}/{METADATA_FOLDER}",
                target_base_url=f"{base_url}/{TARGETS_FOLDER}",
                fetcher=self._fetcher,
                bootstrap=root,
            )
        # tuf 7 neither takes the time as an argument nor lists what a role offers.
        self._trusted: Any = self._updater._trusted_set  # pyright: ignore[reportPrivateUsage]
        self._trusted.reference_time = now

    def look(self, channel: str, model: str) -> Release | None:
        """Fetch and verify everything that leads to one model; ``None`` if nothing is offered.

        Raises:
            PullError: the channel cannot be reached or cannot be trusted.
        """
        with translated(self._base_url, self._fetcher):
            self._updater.refresh()
            # No such file can exist; asking for it loads the roles that could offer it.
            self._updater.get_targetinfo(f"{naming.home_path(channel, model)}-/-")
        role = self._role(naming.role_name(channel, model))
        return None if role is None else self._release(role, channel, model)

    def seen(self, location: str, channel: str, model: str) -> SeenChannel:
        """What :meth:`look` has verified, for the lock."""
        trusted = self._trusted
        roles = [TOP_LEVEL, naming.slug(channel), naming.role_name(channel, model)]
        loaded = [trusted[name] for name in roles if name in trusted]
        root = self._metadata_dir / "root_history" / f"{trusted.root.version}.root.json"
        timestamp = self._metadata_dir / "timestamp.json"
        everything = [trusted.root, trusted.timestamp, trusted.snapshot, *loaded]
        return SeenChannel(
            location=location,
            name=channel,
            root_version=trusted.root.version,
            root_sha256=hashlib.sha256(root.read_bytes()).hexdigest(),
            timestamp_version=trusted.timestamp.version,
            timestamp_sha256=hashlib.sha256(timestamp.read_bytes()).hexdigest(),
            snapshot_version=trusted.snapshot.version,
            role_version=loaded[-1].version if len(loaded) == len(roles) else 0,
            expires_at=min(signed.expires for signed in everything),
        )

    def download(self, channel: str, model: str, path: str, sha256: str, target: Path) -> None:
        """Fetch one offered file, check it against the role and our own digest, and keep it.

        Raises:
            PullError: it is not offered, cannot be reached, or is not what was signed.
        """
        role = self._role(naming.role_name(channel, model))
        offered = role.targets.get(path) if role is not None else None
        if offered is None or offered.hashes.get("sha256") != sha256:
            raise IntegrityError(f"{self._base_url}: {path} is not offered with digest {sha256}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with translated(self._base_url, self._fetcher), replacing(target) as temporary:
            self._updater.download_target(offered, str(temporary))
            if not holds(temporary, sha256, offered.length):
                raise IntegrityError(f"{path}: what was downloaded is not what was signed")

    def _release(self, role: Any, channel: str, model: str) -> Release | None:
        # Roles of other models may be signed with the same key, and a role's metadata does not
        # say its own name: served in this one's place, it is told apart by its paths only.
        home = naming.home_path(channel, model)
        if any(not path.startswith(home) for path in role.targets):
            raise IntegrityError(f"{self._base_url}: files of another model are offered as {model}")
        try:
            release = naming.release_from_targets(role.targets.values())
        except ValueError as error:
            raise IntegrityError(
                f"{self._base_url}: the channel describes {model} in a way that this version "
                f"cannot read ({error}); update weighin"
            ) from error
        if release is not None and release.model != model:
            raise IntegrityError(f"{self._base_url}: {release.model} is offered as {model}")
        return release

    def _role(self, name: str) -> Any:
        return self._trusted[name] if name in self._trusted else None  # noqa: SIM401


def fetch_root(base_url: str, version: int, timeout_s: int) -> bytes:
    """One version of a channel's root. Nothing about it is trusted yet.

    Raises:
        NetworkError: it cannot be reached.
    """
    fetcher = ChannelFetcher(timeout_s)
    with translated(base_url, fetcher):
        url = f"{base_url}/{METADATA_FOLDER}/{version}.root.json"
        return fetcher.download_bytes(url, ROOT_LIMIT_BYTES)


@contextmanager
def translated(base_url: str, fetcher: ChannelFetcher) -> Generator[None]:
    """Turn tuf's exceptions into the decision that a caller can take.

    A refused connection reaches us as ``SlowRetrievalError``: it is a ``DownloadError``.
    """
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        raise ExpiredError(
            f"{base_url}: the channel is past its date ({error}). Nobody refreshed it, or "
            "somebody holds back newer metadata; ask who runs it to publish or refresh it"
        ) from error
    except exceptions.BadVersionNumberError as error:
        raise RollbackError(
            f"{base_url}: the channel offers something older than was seen before ({error}). "
            "An old copy was restored, or somebody rolls it back; nothing was changed here"
        ) from error
    except (exceptions.RepositoryError, exceptions.DownloadLengthMismatchError) as error:
        raise IntegrityError(
            f"{base_url}: the channel cannot be trusted ({error}). "
            "Files were changed or damaged; nothing was changed here"
        ) from error
    except exceptions.DownloadError as error:
        cause = str(error) or str(error.__cause__)
        raise NetworkError(f"{base_url}: the channel cannot be reached ({cause})") from error
    except OSError as error:
        raise PullError(f"{base_url}: what was fetched could not be kept ({error})") from error
    finally:
        fetcher.close()


def _file_chunks(path: Path) -> Generator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (FileNotFoundError, NotADirectoryError) as error:
        raise exceptions.DownloadHTTPError(f"{path} is not there", 404) from error
    except OSError as error:
        raise exceptions.DownloadError(f"{path}: {error}") from error
