"""What a channel, a network or a lock may try on an app, and what it gets."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weighin.gates.errors import (
    ExpiredError,
    IntegrityError,
    LockMismatch,
    NetworkError,
    PullError,
    RollbackError,
)
from weighin.registry.channel import create_channel, refresh_timestamp
from weighin.registry.keys import create_dev_keys, load_dev_signers, load_signer
from weighin.registry.pull import pull
from weighin.registry.request import PullRequest

if TYPE_CHECKING:
    from tests.registry.conftest import Serve, World


def untouched_after(
    world: "World", request: PullRequest, error: type[PullError], match: str | None = None
) -> None:
    """A refused pull changes neither the file nor the lock."""
    watched = [request.output_dir / "digits.tflite", request.lock_path]
    before = [path.read_bytes() if path.exists() else None for path in watched]
    with pytest.raises(error, match=match) as caught:
        pull(request, world.now)
    assert caught.value.exit_code == error.exit_code
    assert [path.read_bytes() if path.exists() else None for path in watched] == before


def two_releases(world: "World") -> PullRequest:
    """An app that has pulled version 1, and a channel that offers version 2."""
    world.publish(world.build())
    pull(world.request(), world.now)
    world.publish(world.build(version="2"), version="2")
    return world.request()


def newest(world: "World", name: str) -> Path:
    """The newest versioned metadata file of a role."""
    found = world.metadata.glob(f"*.{name}.json")
    return max(found, key=lambda path: int(path.name.partition(".")[0]))


def offered_file(world: "World", kind: str) -> Path:
    folders = {"variant": "v2", "evidence": "evidence"}
    files = (world.channel / "targets" / "stable" / "digits" / folders[kind]).iterdir()
    return max(files, key=lambda path: path.stat().st_mtime_ns)


DAMAGED: dict[str, Callable[["World"], Path]] = {
    "timestamp": lambda world: world.metadata / "timestamp.json",
    "snapshot": lambda world: newest(world, "snapshot"),
    "targets": lambda world: newest(world, "targets"),
    "channel role": lambda world: newest(world, "stable"),
    "model role": lambda world: newest(world, "stable~digits"),
    "variant": lambda world: offered_file(world, "variant"),
    "evidence": lambda world: offered_file(world, "evidence"),
}


@pytest.mark.parametrize("place", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_flipped_byte_anywhere_is_refused(
    world: "World", place: Callable[["World"], Path]
) -> None:
    request = two_releases(world)
    # The caches know the old targets and channel role, which have not changed.
    request = replace(request, cache_dir=world.home / "empty")
    path = place(world)
    original = path.read_bytes()
    for position in range(0, len(original), max(1, len(original) // 12)):
        damaged = bytearray(original)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        untouched_after(world, request, IntegrityError)
    path.write_bytes(original)
    assert pull(request, world.now).lock.version == "2"


@pytest.mark.parametrize("place", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99], ids=["empty", "half", "all but a bit"])
def test_a_truncated_file_is_refused(
    world: "World", place: Callable[["World"], Path], share: float
) -> None:
    request = replace(two_releases(world), cache_dir=world.home / "empty")
    path = place(world)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    untouched_after(world, request, IntegrityError)


@pytest.mark.parametrize("place", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_missing_file_is_a_network_error_and_the_lock_still_serves(
    world: "World", place: Callable[["World"], Path]
) -> None:
    fresh = replace(two_releases(world), lock_path=world.home / "no.lock")
    place(world).unlink()
    untouched_after(world, replace(fresh, cache_dir=world.home / "empty"), NetworkError)


class TestRollback:
    def old_channel(self, world: "World") -> Path:
        """A copy of the channel as it was one release ago; the app has seen the newer one."""
        world.publish(world.build())
        shutil.copytree(world.channel, world.home / "old")
        world.publish(world.build(version="2"), version="2")
        pull(world.request(), world.now)
        return world.home / "old"

    def test_the_whole_channel_set_back_is_refused(self, world: "World") -> None:
        old = self.old_channel(world)
        shutil.rmtree(world.channel)
        old.rename(world.channel)
        untouched_after(world, world.request(), RollbackError)

    def test_a_fresh_machine_refuses_it_too_because_of_the_lock(self, world: "World") -> None:
        old = self.old_channel(world)
        fresh = replace(world.request(str(old)), cache_dir=world.home / "empty")
        untouched_after(world, fresh, RollbackError, r"model\.lock has seen")

    def test_an_old_timestamp_is_refused(self, world: "World") -> None:
        old = self.old_channel(world)
        shutil.copy(old / "metadata/timestamp.json", world.metadata)
        untouched_after(world, world.request(), RollbackError)

    def test_an_old_snapshot_is_refused(self, world: "World") -> None:
        old = self.old_channel(world)
        shutil.copy(max((old / "metadata").glob("*.snapshot.json")), newest(world, "snapshot"))
        fresh = replace(world.request(), cache_dir=world.home / "empty")
        (world.home / "app/assets/digits.tflite").unlink()
        untouched_after(world, fresh, IntegrityError)

    def test_an_old_role_is_refused(self, world: "World") -> None:
        old = self.old_channel(world)
        shutil.copy(old / "metadata/1.stable~digits.json", newest(world, "stable~digits"))
        fresh = replace(world.request(), cache_dir=world.home / "empty")
        (world.home / "app/assets/digits.tflite").unlink()
        untouched_after(world, fresh, RollbackError)


def test_a_frozen_channel_is_refused_when_its_time_is_up(world: "World") -> None:
    request = two_releases(world)
    for app in (request, world.request(app="another")):
        untouched_after(world.later(days=7, seconds=1), app, ExpiredError, "past its date")


@pytest.mark.parametrize(("days", "pulls"), [(80, True), (91, False)])
def test_a_refreshed_channel_lives_as_long_as_its_roles(
    world: "World", days: int, pulls: bool
) -> None:
    world.publish(world.build())
    later = world.later(days=days)
    refresh_timestamp(later.channel, later.signers, later.now)
    if pulls:
        assert pull(world.request(), later.now).changed
    else:
        untouched_after(later, world.request(), ExpiredError)


def another_channel(world: "World", into: Path) -> Path:
    """Somebody else's channel with the same content, signed with their own keys."""
    create_dev_keys(world.home / "their keys")
    theirs = world.home / "their keys"
    signers = load_dev_signers(theirs)
    shutil.rmtree(into, ignore_errors=True)
    create_channel(into, load_signer(str(theirs / "root.pem")), signers, world.now)
    return into


class TestWrongKeys:
    def test_a_channel_signed_by_somebody_else_is_refused(self, world: "World") -> None:
        root = world.home / "our root.json"
        root.write_bytes(world.root_file.read_bytes())
        another_channel(world, world.channel)
        untouched_after(world, replace(world.request(), trusted_root=root), IntegrityError)

    def test_the_lock_refuses_a_channel_that_was_made_anew(self, world: "World") -> None:
        request = two_releases(world)
        another_channel(world, world.channel)
        untouched_after(world, request, IntegrityError)
        fresh = replace(request, cache_dir=world.home / "empty")
        untouched_after(world, fresh, IntegrityError, "not the one that")

    def test_trust_on_first_use_does_not_replace_a_pinned_root(self, world: "World") -> None:
        request = two_releases(world)
        another_channel(world, world.channel)
        careless = replace(
            request,
            trusted_root=None,
            trust_on_first_use=True,
            cache_dir=world.home / "empty",
        )
        untouched_after(world, careless, IntegrityError)

    def test_a_new_root_that_the_old_one_did_not_sign_is_refused(self, world: "World") -> None:
        request = two_releases(world)
        theirs = another_channel(world, world.home / "theirs")
        document = json.loads((theirs / "root.json").read_bytes())
        document["signed"]["version"] = 2
        (world.metadata / "2.root.json").write_text(json.dumps(document))
        untouched_after(world, request, IntegrityError)

    def test_a_root_that_is_none_is_refused(self, world: "World") -> None:
        world.publish(world.build())
        for content in (b"", b"{}", (world.metadata / "timestamp.json").read_bytes()):
            (world.home / "root.json").write_bytes(content)
            request = replace(world.request(), trusted_root=world.home / "root.json")
            untouched_after(world, request, IntegrityError)


class TestMixAndMatch:
    def test_another_models_role_in_place_of_this_ones_is_refused(self, world: "World") -> None:
        world.publish(world.build())
        world.publish(world.build(model="cats"), model="cats")
        shutil.copy(world.metadata / "1.stable~cats.json", world.metadata / "1.stable~digits.json")
        untouched_after(world, world.request(), IntegrityError, "another model")

    def test_another_channels_role_in_place_of_this_ones_is_refused(self, world: "World") -> None:
        world.publish(world.build())
        world.publish(world.build(version="2"), version="2", channel="beta")
        shutil.copy(world.metadata / "1.beta~digits.json", world.metadata / "1.stable~digits.json")
        untouched_after(world, world.request(), IntegrityError)

    def test_another_models_file_in_place_of_this_ones_is_refused(self, world: "World") -> None:
        request = two_releases(world)
        offered_file(world, "variant").write_bytes(b"digits 1 int8 litert")
        untouched_after(world, request, IntegrityError)

    def test_evidence_of_another_device_is_refused_even_if_the_channel_signs_it(
        self, world: "World"
    ) -> None:
        from weighin.registry.channel import publish

        publication = world.publication(world.build(host=2.0, pixel_8=3.0))
        [variant] = publication.release.variants
        first, second = variant.approvals
        swapped = replace(
            variant,
            approvals=(
                replace(first, evidence_sha256=second.evidence_sha256),
                replace(second, evidence_sha256=first.evidence_sha256),
            ),
        )
        release = replace(publication.release, variants=(swapped,))
        publish(world.channel, replace(publication, release=release), world.signers, world.now)
        untouched_after(world, world.request(), IntegrityError, "another file or device")


Handler = SimpleHTTPRequestHandler


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        handler.close_connection = True


def broken_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def failing(handler: Handler) -> None:
    handler.send_error(500)


def forbidden(handler: Handler) -> None:
    handler.send_error(403)


def empty(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    "name",
    ["timestamp.json", "snapshot.json", "stable.json", "digits.json", "int8.tflite"],
)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(endless, IntegrityError, id="endless data"),
        pytest.param(broken_off, NetworkError, id="a connection that breaks"),
        pytest.param(failing, NetworkError, id="server error"),
        pytest.param(forbidden, NetworkError, id="forbidden"),
        pytest.param(empty, IntegrityError, id="nothing"),
    ],
)
def test_a_server_that_misbehaves_is_refused(
    world: "World",
    serving: "Serve",
    name: str,
    answer: Callable[[Handler], None],
    error: type[PullError],
) -> None:
    world.publish(world.build())
    with serving(world.channel) as server:
        server.answers[name] = answer
        untouched_after(world, world.request(server.url), error)


def test_a_server_that_never_answers_is_given_up(world: "World", serving: "Serve") -> None:
    from threading import Event

    world.publish(world.build())
    over = Event()

    def silent(_: Handler) -> None:
        over.wait(20)

    with serving(world.channel) as server:
        server.answers["timestamp.json"] = silent
        request = replace(world.request(server.url), timeout_s=1)
        untouched_after(world, request, NetworkError)
        over.set()


def test_with_a_lock_a_failing_server_is_like_no_network(world: "World", serving: "Serve") -> None:
    world.publish(world.build())
    with serving(world.channel) as server:
        request = world.request(server.url)
        pull(request, world.now)
        server.answers["timestamp.json"] = failing
        assert "cannot be reached" in str(pull(request, world.now).notice)


def test_a_newer_release_that_cannot_be_fetched_is_no_reason_to_stay_behind_silently(
    world: "World", serving: "Serve"
) -> None:
    world.publish(world.build())
    with serving(world.channel) as server:
        request = world.request(server.url)
        pull(request, world.now)
        world.publish(world.build(version="2"), version="2")
        server.answers["int8.tflite"] = failing
        untouched_after(world, request, NetworkError)


def edit_lock(request: PullRequest, path: str, value: object) -> None:
    document = json.loads(request.lock_path.read_bytes())
    outer, _, inner = path.rpartition("/")
    (document[outer] if outer else document)[inner] = value
    request.lock_path.write_text(json.dumps(document))


class TestTamperedLock:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            pytest.param("file/name", "../../evil.tflite", id="a path that leads outside"),
            pytest.param("file/name", "", id="no name"),
            pytest.param("file/name", "..", id="the folder above"),
            pytest.param("file/sha256", "../../../etc/passwd", id="a digest that is a path"),
            pytest.param("file/size_bytes", "20", id="a size that is a text"),
            pytest.param("channel/root_sha256", None, id="no root"),
            pytest.param("channel/timestamp_version", True, id="a version that is none"),
            pytest.param("channel/expires_at", "never", id="no expiry"),
            pytest.param("lock", "weighin/lock/v2", id="another lock format"),
            pytest.param("surprise", 1, id="an unknown field"),
        ],
    )
    @pytest.mark.parametrize("frozen", [False, True], ids=["online", "frozen"])
    def test_a_lock_that_makes_no_sense_is_refused(
        self, world: "World", path: str, value: object, frozen: bool
    ) -> None:
        world.publish(world.build())
        pull(world.request(), world.now)
        edit_lock(world.request(), path, value)
        request = replace(world.request(), frozen=frozen)
        untouched_after(world, request, LockMismatch, "cannot be understood")

    @pytest.mark.parametrize("frozen", [False, True], ids=["online", "frozen"])
    def test_another_files_digest_is_refused(self, world: "World", frozen: bool) -> None:
        world.publish(world.build())
        pull(world.request(), world.now)
        edit_lock(world.request(), "file/sha256", "0" * 64)
        untouched_after(world, replace(world.request(), frozen=frozen), LockMismatch)

    def test_another_root_is_refused(self, world: "World") -> None:
        request = two_releases(world)
        edit_lock(request, "channel/root_sha256", "0" * 64)
        untouched_after(world, request, IntegrityError, "not the one that")

    def test_a_timestamp_digest_of_a_newer_channel_hides_nothing(self, world: "World") -> None:
        request = two_releases(world)
        edit_lock(request, "channel/timestamp_sha256", "0" * 64)
        assert pull(request, world.now).lock.version == "2"

    def test_garbage_is_refused(self, world: "World") -> None:
        request = two_releases(world)
        for content in (b"", b"[]", b"\xff\xfe", b"[" * 200_000):
            request.lock_path.write_bytes(content)
            untouched_after(world, request, LockMismatch)


def test_a_damaged_cache_is_repaired_or_refused_but_never_used(world: "World") -> None:
    world.publish(world.build())
    request = world.request()
    good = pull(request, world.now).path.read_bytes()
    for path in [p for p in request.cache_dir.rglob("*") if p.is_file()]:
        path.write_bytes(b"damaged")
    (request.output_dir / "digits.tflite").unlink()
    assert pull(request, world.now).path.read_bytes() == good


def test_time_is_an_argument_and_the_clock_is_not_asked(world: "World") -> None:
    past = replace(world, now=datetime(2001, 1, 1, tzinfo=world.now.tzinfo), home=world.home / "p")
    create_channel(past.channel, past.root_signer, past.signers, past.now)
    past.publish(past.build())
    assert pull(past.request(), past.now).changed
    with pytest.raises(ExpiredError):
        pull(past.request(app="late"), past.now + timedelta(days=8))
