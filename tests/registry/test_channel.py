"""A channel is either as it was or as it should be, whatever happens to its writer."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weighin.gates.errors import EvidenceError, StoreError
from weighin.gates.variant import Format
from weighin.registry.channel import (
    create_channel,
    current_release,
    keep_alive,
    offered_since,
    publish,
    refresh_timestamp,
    withdraw,
)
from weighin.registry.keys import create_dev_keys, load_dev_signers
from weighin.registry.pull import pull
from weighin.registry.release import Release, role_name, slug

if TYPE_CHECKING:
    from tests.registry.conftest import World


def snapshot_of(directory: Path) -> dict[str, bytes]:
    """Every file of a channel."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_what_is_published_is_what_is_offered(world: "World") -> None:
    publication = world.publication(
        world.build(recipe="int8", host=2.0, pixel_8=4.0),
        world.build(recipe="fp16", format=Format.ONNX, host=3.0),
    )
    assert current_release(world.channel, "stable", "digits") is None
    assert publish(world.channel, publication, world.signers, world.now)
    assert current_release(world.channel, "stable", "digits") == publication.release


def test_publishing_the_same_again_writes_nothing(world: "World") -> None:
    publication = world.publication(world.build())
    assert publish(world.channel, publication, world.signers, world.now)
    before = snapshot_of(world.channel)
    assert not publish(world.channel, publication, world.signers, world.now)
    assert snapshot_of(world.channel) == before
    create_channel(world.channel, world.root_signer, world.signers, world.now)
    assert snapshot_of(world.channel) == before


def test_publishing_the_same_again_renews_roles_that_are_half_spent(world: "World") -> None:
    publication = world.publication(world.build())
    publish(world.channel, publication, world.signers, world.now)
    later = world.later(days=50)
    assert publish(world.channel, publication, world.signers, later.now)
    much_later = world.now + timedelta(days=120)
    refresh_timestamp(world.channel, world.signers, much_later)
    assert pull(world.request(), much_later).changed


def test_publishing_one_model_touches_no_other_models_role(world: "World") -> None:
    world.publish(world.build(model="cats"), model="cats")
    world.publish(world.build())
    before = snapshot_of(world.metadata)
    world.publish(world.build(version="2"), version="2")
    new = set(snapshot_of(world.metadata)) - set(before)
    assert new == {"2.stable~digits.json", "4.snapshot.json"}


def test_superseded_metadata_does_not_pile_up(world: "World") -> None:
    sizes: list[int] = []
    for version in range(1, 31):
        built = world.build(version=str(version))
        world.publish(built, version=str(version))
        sizes.append(len(snapshot_of(world.metadata)))
    assert sizes[15] == sizes[-1]
    assert pull(world.request(), world.now).lock.version == "30"


def test_refreshing_writes_a_timestamp_and_a_snapshot_only_when_half_spent(
    world: "World",
) -> None:
    before = set(snapshot_of(world.channel))
    refresh_timestamp(world.channel, world.signers, world.now + timedelta(days=1))
    assert set(snapshot_of(world.channel)) == before
    refresh_timestamp(world.channel, world.signers, world.now + timedelta(days=4))
    assert set(snapshot_of(world.channel)) - before == {"metadata/2.snapshot.json"}


def test_a_channel_is_kept_alive_once_a_day_and_not_more_often(world: "World") -> None:
    later = world.now + timedelta(days=1, minutes=1)
    assert not keep_alive(world.channel, world.signers, world.now + timedelta(hours=23))
    assert keep_alive(world.channel, world.signers, later)
    assert not keep_alive(world.channel, world.signers, later + timedelta(hours=1))


def test_a_channel_knows_since_when_it_offers_something(world: "World") -> None:
    assert offered_since(world.channel, "stable", "digits") is None
    world.publish(world.build())
    refresh_timestamp(world.channel, world.signers, world.now + timedelta(days=4))
    assert offered_since(world.channel, "stable", "digits") == world.now.replace(microsecond=0)
    withdraw(world.channel, "stable", "digits", world.signers, world.now)
    assert offered_since(world.channel, "stable", "digits") is None


def test_withdrawing_twice_does_nothing_twice(world: "World") -> None:
    assert not withdraw(world.channel, "stable", "digits", world.signers, world.now)
    world.publish(world.build())
    assert withdraw(world.channel, "stable", "digits", world.signers, world.now)
    assert current_release(world.channel, "stable", "digits") is None
    before = snapshot_of(world.channel)
    assert not withdraw(world.channel, "stable", "digits", world.signers, world.now)
    assert snapshot_of(world.channel) == before
    assert world.publish(world.build())


def test_metadata_holds_no_floats_and_no_secrets(world: "World") -> None:
    world.publish(world.build(host=1.2345))
    metadata = b"".join(snapshot_of(world.channel).values())
    assert b'"latency_p90_us":{"host":1358}' in metadata.replace(b" ", b"")
    assert b"PRIVATE" not in metadata


class TestRefusals:
    def test_an_empty_release(self, world: "World") -> None:
        nothing = Release(model="digits", version="1", variants=())
        publication = replace(world.publication(world.build()), release=nothing)
        self.refused(world, publication, "nothing passed")

    def test_a_file_that_changed_since_it_was_promoted(self, world: "World") -> None:
        built = world.build()
        publication = world.publication(built)
        built.file.write_bytes(b"changed")
        self.refused(world, publication, "not the one that was approved")

    def test_missing_evidence(self, world: "World") -> None:
        self.refused(
            world, replace(world.publication(world.build()), evidence={}), "evidence is missing"
        )

    def test_other_evidence_under_the_same_digest(self, world: "World") -> None:
        publication = world.publication(world.build())
        forged = dict.fromkeys(publication.evidence, b"{}")
        self.refused(world, replace(publication, evidence=forged), "evidence is missing")

    def refused(self, world: "World", publication: object, complaint: str) -> None:
        before = snapshot_of(world.channel)
        with pytest.raises(EvidenceError, match=complaint):
            publish(world.channel, publication, world.signers, world.now)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert snapshot_of(world.channel) == before

    def test_keys_that_the_channel_does_not_trust(self, world: "World", tmp_path: Path) -> None:
        create_dev_keys(tmp_path / "others")
        others = load_dev_signers(tmp_path / "others")
        before = snapshot_of(world.channel)
        publication = world.publication(world.build())
        for signers in (
            others,
            replace(world.signers, targets=others.targets),
            replace(world.signers, snapshot=others.snapshot),
            replace(world.signers, timestamp=others.timestamp),
        ):
            with pytest.raises(StoreError, match="not the one that the channel trusts"):
                publish(world.channel, publication, signers, world.now)
            assert current_release(world.channel, "stable", "digits") is None
        assert snapshot_of(world.channel).items() >= before.items()
        assert world.publish(world.build())

    def test_a_folder_without_a_channel(self, world: "World", tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no channel"):
            refresh_timestamp(tmp_path / "nowhere", world.signers, world.now)

    @pytest.mark.parametrize(
        "name",
        ["timestamp.json", "1.root.json", "2.snapshot.json", "2.targets.json", "1.stable.json"],
    )
    def test_a_writer_does_not_sign_what_somebody_damaged(self, world: "World", name: str) -> None:
        world.publish(world.build())
        path = world.metadata / name
        content = path.read_bytes()
        assert b'"version":' in content
        for damaged in (content.replace(b'"version":', b'"Version":'), b"", content[:-9]):
            path.write_bytes(damaged)
            with pytest.raises(StoreError):
                world.publish(world.build(version="2"), version="2")
        path.write_bytes(content)
        assert world.publish(world.build(version="2"), version="2")


def killed_at(event: int, world: "World") -> bool:
    """Publish in a child that is killed -9 at its n-th step on disk; whether it was."""
    child = os.fork()
    if child == 0:
        touched = 0

        def hook(name: str, _: tuple[object, ...]) -> None:
            nonlocal touched
            if name in {"tempfile.mkstemp", "os.rename", "os.chmod", "shutil.copyfile"}:
                touched += 1
                if touched == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        publication = world.publication(world.build(version="2"), version="2")
        sys.addaudithook(hook)
        publish(world.channel, publication, world.signers, world.now)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_anywhere_while_publishing_the_channel_stays_good_and_can_go_on(
    world: "World", tmp_path: Path
) -> None:
    world.publish(world.build())
    second = world.publication(world.build(version="2"), version="2")
    shutil.copytree(world.channel, tmp_path / "before")
    seen: set[str] = set()
    event = 0
    killed = True
    while killed:
        event += 1
        shutil.rmtree(world.channel)
        shutil.copytree(tmp_path / "before", world.channel)
        killed = killed_at(event, world)
        seen.add(pull(world.request(app=f"app{event}"), world.now).lock.version)
        publish(world.channel, second, world.signers, world.now)
        after = pull(world.request(app=f"app{event}"), world.now)
        assert after.lock.version == "2"
        assert not list(world.channel.rglob(".weighin-*"))
    assert event > 15  # Five files, at least three steps each.
    assert seen == {"1", "2"}


FULL_DISK = """
import os, shutil, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import conftest
from weighin.gates.errors import PullError, StoreError
from weighin.registry.channel import create_channel, publish
from weighin.registry.pull import pull

disk, home, keys = Path(sys.argv[1]), Path(sys.argv[3]), Path(sys.argv[4])
world = conftest.World(home=home, keys=keys, signers=conftest.load_dev_signers(keys),
    evidence_signer=conftest.load_signer(str(keys / "evidence.pem")),
    root_signer=conftest.load_signer(str(keys / "root.pem")))
(disk / "channel").mkdir()
(home / "channel").symlink_to(disk / "channel")
create_channel(world.channel, world.root_signer, world.signers, world.now)
world.publish(world.build())
refused, page = 0, os.sysconf("SC_PAGE_SIZE")

def fill(leave):
    free = shutil.disk_usage(disk).free - leave * page
    with (disk / "filler").open("wb") as file:
        file.write(b"x" * max(0, free))

for leave in range(12):
    version = str(leave + 2)
    built = world.build(version=version, content=b"x" * page * 2 + version.encode())
    fill(leave)
    try:
        world.publish(built, version=version)
        print("published with", leave)
    except StoreError as error:
        refused += 1
        assert "No space left" in str(error), error
        assert not list(disk.rglob(".weighin-*"))
        pull(world.request(app=f"before{leave}"), world.now)
    (disk / "filler").unlink()
    world.publish(built, version=version)
    assert pull(world.request(app=f"after{leave}"), world.now).lock.version == version

app = replace(world.request(app="onto the full disk"), output_dir=disk / "app")
good = pull(app, world.now).path.read_bytes()
world.publish(world.build(version="last", content=b"y" * page * 4), version="last")
fill(0)
try:
    pull(app, world.now)
    raise SystemExit("a pull onto a full disk succeeded")
except PullError as error:
    assert "No space left" in str(error), error
assert (disk / "app" / "digits.tflite").read_bytes() == good
print("refused", refused)
"""


def test_a_full_disk_while_publishing_or_pulling_leaves_what_was_there(
    world: "World", tmp_path: Path
) -> None:
    disk, home = tmp_path / "disk", tmp_path / "home"
    disk.mkdir()
    home.mkdir()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    tried = subprocess.run(
        [*mount, f"mount -t tmpfs -o size=400k tmpfs '{disk}'"], capture_output=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"no private file system can be mounted here: {tried.stderr.decode()}")
    program = tmp_path / "full_disk.py"
    program.write_text(FULL_DISK)
    here = Path(__file__).parent
    command = f"mount -t tmpfs -o size=400k tmpfs '{disk}' && exec \"$@\""
    done = subprocess.run(
        [*mount, command, "sh", sys.executable, program, disk, here, home, world.keys],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused = int(done.stdout.splitlines()[-1].removeprefix("refused "))
    assert refused >= 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", "digits"),
        ("ResNet-20_v1.5", "ResNet-20_v1.5"),
        ("a b", "a~20b"),
        ("a~20b", "a~7e20b"),
        ("*", "~2a"),
        ("..", "~2e."),
        (".hidden", "~2ehidden"),
        ("ü", "~c3~bc"),
    ],
)
def test_names_become_safe_path_segments_that_stay_different(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_two_models_never_share_a_role() -> None:
    names = ["a", "a~b", "b", "a b", "A", "a-b", "a.b", "", "~"]
    roles = {role_name(channel, model) for channel in names for model in names}
    assert len(roles) == len(names) ** 2
