"""An app gets the right file, cheaply, and knows what it has."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weighin.gates.errors import (
    ConfigError,
    ExpiredError,
    LockMismatch,
    NetworkError,
    NothingApproved,
)
from weighin.gates.variant import Format
from weighin.registry.channel import publish, refresh_timestamp, withdraw
from weighin.registry.lock import read_lock, verify
from weighin.registry.pull import pull
from weighin.registry.request import Pulled, PullRequest

if TYPE_CHECKING:
    from tests.registry.conftest import Serve, World


def taken(world: "World", request: PullRequest) -> tuple[Pulled, bytes]:
    pulled = pull(request, world.now)
    return pulled, pulled.path.read_bytes()


def test_the_best_file_for_the_device_arrives_with_a_lock(world: "World") -> None:
    slow = world.build(recipe="float32", host=8.0, pixel_8=9.0)
    fast = world.build(recipe="int8", host=2.0)
    world.publish(slow, fast)
    pulled, content = taken(world, world.request())
    assert pulled.path == world.home / "app" / "assets" / "digits.tflite"
    assert content == fast.file.read_bytes()
    assert (pulled.lock.file.recipe, pulled.changed, pulled.notice) == ("int8", True, None)
    assert read_lock(world.request().lock_path) == pulled.lock
    assert verify(world.request().lock_path, pulled.path.parent) == pulled.lock


def test_each_device_gets_its_own_best_and_a_format_can_be_asked_for(world: "World") -> None:
    world.publish(
        world.build(recipe="float32", host=8.0, pixel_8=3.0),
        world.build(recipe="int8", host=2.0, pixel_8=6.0),
        world.build(recipe="fp16", format=Format.ONNX, host=9.0),
    )
    phone = replace(world.request(app="phone"), device="pixel_8")
    onnx = replace(world.request(app="onnx"), format=Format.ONNX)
    assert pull(phone, world.now).lock.file.recipe == "float32"
    assert pull(onnx, world.now).path.name == "digits.onnx"


def test_pulling_over_http_gives_the_same_as_from_the_folder(
    world: "World", serving: "Serve"
) -> None:
    world.publish(world.build())
    with serving(world.channel) as server:
        by_http = pull(world.request(server.url, app="http"), world.now)
    by_url = pull(world.request(world.channel.as_uri(), app="url"), world.now)
    by_path = pull(world.request(app="path"), world.now)
    assert by_http.path.read_bytes() == by_url.path.read_bytes() == by_path.path.read_bytes()
    assert by_http.lock.file == by_url.lock.file == by_path.lock.file


@pytest.mark.parametrize("model", ["My Model", "Größe [v2] *?", "..", ".weighin-x", "a~b%2F+c"])
def test_any_model_name_that_mlflow_allows_can_be_published_and_pulled(
    world: "World", serving: "Serve", model: str
) -> None:
    built = world.build(recipe="prune50+distill+int8")
    world.publish(built, model=model, channel="nightly")
    world.publish(world.build(content=b"other"), model="other", channel="nightly")
    with serving(world.channel) as server:
        request = replace(world.request(server.url), model=model, channel="nightly")
        pulled, content = taken(world, request)
    assert content == built.file.read_bytes()
    assert pulled.path.parent == request.output_dir


def test_a_second_pull_asks_for_the_timestamp_only(world: "World", serving: "Serve") -> None:
    world.publish(world.build())
    with serving(world.channel) as server:
        request = world.request(server.url)
        first = pull(request, world.now)
        stamp = request.lock_path.stat().st_mtime_ns
        server.asked.clear()
        second = pull(request, world.now)
    assert server.asked == ["/metadata/timestamp.json"]
    assert second == replace(first, changed=False)
    assert request.lock_path.stat().st_mtime_ns == stamp


def test_a_new_release_replaces_the_file_and_the_lock(world: "World") -> None:
    world.publish(world.build())
    before = pull(world.request(), world.now)
    world.publish(world.build(version="2"), version="2")
    after = pull(world.request(), world.now)
    assert (before.lock.version, after.lock.version, after.changed) == ("1", "2", True)
    assert after.path.read_bytes() == b"digits 2 int8 litert"


def test_a_refreshed_channel_changes_the_lock_but_not_the_file(world: "World") -> None:
    world.publish(world.build())
    before = pull(world.request(), world.now)
    stamp = before.path.stat().st_mtime_ns
    later = world.later(days=1)
    refresh_timestamp(later.channel, later.signers, later.now)
    after = pull(world.request(), later.now)
    assert after.lock.channel.timestamp_version == before.lock.channel.timestamp_version + 1
    assert after.lock.file == before.lock.file
    assert after.path.stat().st_mtime_ns == stamp


def test_a_file_that_was_changed_in_the_app_is_put_right(world: "World") -> None:
    world.publish(world.build())
    pulled, content = taken(world, world.request())
    pulled.path.write_bytes(b"something else")
    with pytest.raises(LockMismatch, match=r"is not the file that model\.lock names"):
        verify(world.request().lock_path, pulled.path.parent)
    assert taken(world, world.request()) == (replace(pulled, changed=True), content)


def test_nothing_approved_says_what_is(world: "World") -> None:
    with pytest.raises(NothingApproved, match="offers nothing for this model"):
        pull(world.request(), world.now)
    world.publish(world.build(host=2.0, pixel_8=3.0))
    with pytest.raises(NothingApproved, match="approved devices: host, pixel_8"):
        pull(replace(world.request(), device="pixel_1"), world.now)
    with pytest.raises(NothingApproved, match="nothing as onnx"):
        pull(replace(world.request(), format=Format.ONNX), world.now)
    with pytest.raises(NothingApproved):
        pull(replace(world.request(), channel="beta"), world.now)
    assert not world.request().output_dir.exists()
    assert not world.request().lock_path.exists()


def test_a_withdrawn_model_is_offered_no_more_and_stays_where_it_was_pulled(
    world: "World",
) -> None:
    world.publish(world.build())
    pulled, content = taken(world, world.request())
    assert withdraw(world.channel, "stable", "digits", world.signers, world.now)
    with pytest.raises(NothingApproved):
        pull(world.request(), world.now)
    assert pulled.path.read_bytes() == content


class TestTrust:
    def test_without_a_root_nothing_is_pulled(self, world: "World") -> None:
        world.publish(world.build())
        with pytest.raises(ConfigError, match="no root to trust"):
            pull(replace(world.request(), trusted_root=None), world.now)
        with pytest.raises(ConfigError, match="cannot be read"):
            pull(replace(world.request(), trusted_root=world.home / "no.json"), world.now)

    def test_trust_on_first_use_has_to_be_asked_for(self, world: "World") -> None:
        world.publish(world.build())
        request = replace(world.request(), trusted_root=None, trust_on_first_use=True)
        assert pull(request, world.now).lock.channel.root_version == 1

    def test_the_lock_pins_the_root_for_a_fresh_machine(self, world: "World") -> None:
        world.publish(world.build())
        pull(world.request(), world.now)
        world.publish(world.build(version="2"), version="2")
        fresh = replace(world.request(), trusted_root=None, cache_dir=world.home / "empty")
        assert pull(fresh, world.now).lock.version == "2"


class TestFrozen:
    def test_it_takes_what_the_lock_says_without_any_network(self, world: "World") -> None:
        world.publish(world.build())
        pulled, content = taken(world, world.request())
        pulled.path.unlink()
        world.channel.rename(world.home / "gone")
        frozen = replace(world.request(), frozen=True)
        again = pull(frozen, world.now + timedelta(days=1000))
        assert (again.changed, again.path.read_bytes()) == (True, content)
        assert not pull(frozen, world.now).changed

    def test_it_does_not_move_to_a_newer_release(self, world: "World") -> None:
        world.publish(world.build())
        pull(world.request(), world.now)
        world.publish(world.build(version="2"), version="2")
        assert pull(replace(world.request(), frozen=True), world.now).lock.version == "1"

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            pytest.param({"device": "pixel_8"}, "another device", id="another device"),
            pytest.param({"model": "cats"}, "another model", id="another model"),
            pytest.param({"format": Format.ONNX}, "another format", id="another format"),
            pytest.param({"channel": "beta"}, "another channel", id="another channel"),
            pytest.param({"lock_path": Path("nowhere")}, "there is no lock", id="no lock"),
        ],
    )
    def test_a_lock_that_does_not_answer_is_refused(
        self, world: "World", change: dict[str, object], complaint: str
    ) -> None:
        world.publish(world.build())
        pull(world.request(), world.now)
        with pytest.raises(LockMismatch, match=complaint):
            pull(replace(world.request(), frozen=True, **change), world.now)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    def test_without_file_and_cache_it_refuses(self, world: "World") -> None:
        world.publish(world.build())
        pull(world.request(), world.now).path.write_bytes(b"changed")
        frozen = replace(world.request(), frozen=True, cache_dir=world.home / "empty")
        with pytest.raises(LockMismatch, match="the cache does not have it"):
            pull(frozen, world.now)


class TestWithoutNetwork:
    def test_a_valid_lock_is_enough_and_it_is_said(self, world: "World", serving: "Serve") -> None:
        world.publish(world.build())
        with serving(world.channel) as server:
            request = world.request(server.url)
            pulled, content = taken(world, request)
        pulled.path.unlink()
        again = pull(request, world.now)
        assert again.path.read_bytes() == content
        assert again.notice is not None
        assert "cannot be reached" in again.notice
        assert "valid until 2026-11-29" in again.notice

    def test_an_expired_lock_is_not(self, world: "World", serving: "Serve") -> None:
        world.publish(world.build())
        with serving(world.channel) as server:
            request = world.request(server.url)
            pull(request, world.now)
        with pytest.raises(ExpiredError, match="expired on 2026-11-29"):
            pull(request, world.now + timedelta(days=8))

    def test_no_lock_is_not(self, world: "World") -> None:
        with pytest.raises(NetworkError, match="no lock answers"):
            pull(world.request("http://127.0.0.1:9"), world.now)
        with pytest.raises(NetworkError, match="is not there"):
            pull(world.request(str(world.home / "no-channel")), world.now)

    def test_a_lock_for_something_else_is_not(self, world: "World", serving: "Serve") -> None:
        world.publish(world.build())
        with serving(world.channel) as server:
            request = world.request(server.url)
            pull(request, world.now)
        with pytest.raises(NetworkError):
            pull(replace(request, device="pixel_8"), world.now)

    def test_a_lock_without_file_and_cache_is_not(self, world: "World", serving: "Serve") -> None:
        world.publish(world.build())
        with serving(world.channel) as server:
            request = world.request(server.url)
            pull(request, world.now).path.unlink()
        with pytest.raises(NetworkError, match="cache does not have it"):
            pull(replace(request, cache_dir=world.home / "empty"), world.now)


def test_eight_pulls_at_once_all_end_well(world: "World") -> None:
    built = world.build(content=b"x" * 300_000)
    world.publish(built)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: pull(world.request(), world.now), range(8)))
    assert {one.lock for one in done} == {read_lock(world.request().lock_path)}
    assert done[0].path.read_bytes() == built.file.read_bytes()


def test_a_location_that_cannot_be_a_channel_is_a_usage_error(world: "World") -> None:
    with pytest.raises(ConfigError, match="folder or an http"):
        pull(world.request("ftp://example.org/channel"), world.now)


HEAVY = ("mlflow", "dvc", "great_expectations", "torch", "tensorflow", "numpy", "pandas")
TRUST = ("tuf", "securesystemslib", "cryptography", "urllib3")

PROGRAM = """
import sys
from datetime import datetime
from pathlib import Path
from weighin.registry.pull import pull
from weighin.registry.request import PullRequest
home, frozen, now = Path(sys.argv[1]), sys.argv[2] == "frozen", datetime.fromisoformat(sys.argv[3])
app = home / "app"
request = PullRequest(model="digits", device="host", location=str(home / "channel"),
    output_dir=app / "assets", lock_path=app / "model.lock", cache_dir=app / "cache",
    trusted_root=home / "channel" / "root.json", frozen=frozen)
print(pull(request, now).changed)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def modules_after_a_pull(world: "World", how: str) -> tuple[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(world.home), how, world.now.isoformat()],
        capture_output=True,
        text=True,
        check=True,
    )
    changed, modules = done.stdout.splitlines()
    return changed, set(modules.split())


def test_a_pull_imports_no_machine_learning_and_nothing_new_not_even_tuf(world: "World") -> None:
    world.publish(world.build())
    changed, modules = modules_after_a_pull(world, "first")
    assert (changed, modules & set(HEAVY), modules & {"tuf"}) == ("True", set(), {"tuf"})
    for how in ("again", "frozen"):
        changed, modules = modules_after_a_pull(world, how)
        assert (changed, modules & {*HEAVY, *TRUST}) == ("False", set())


def test_one_release_can_be_in_two_channels(world: "World") -> None:
    built = world.build()
    publication = world.publication(built)
    for channel in ("stable", "beta"):
        publish(world.channel, replace(publication, channel=channel), world.signers, world.now)
    beta = replace(world.request(app="beta"), channel="beta")
    assert pull(beta, world.now).lock.file == pull(world.request(), world.now).lock.file
