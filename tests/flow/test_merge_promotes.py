"""A merge promotes, on a fresh clone: real git, DVC remote, keys and channel; no MLflow needed."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.evidence import sign_statement
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Metric, Origin
from weighin.gates.signing import CryptoSigner, Signer
from weighin.gates.statement import Statement
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.cli import main
from weighin.plugin.github.records import Comment
from weighin.plugin.planning import plan_for
from weighin.plugin.project import Project, open_project
from weighin.plugin.results import report_text
from weighin.plugin.setup import init_project
from weighin.plugin.tools import weighing_tools
from weighin.plugin.waivers import record_waivers
from weighin.registry.channel import current_release
from weighin.registry.keys import create_dev_keys, load_signer
from weighin.registry.release import Release
from weighin.registry.store import ensure_dvc, keep_variants

# DVC's own use of pygtrie.
pytestmark = pytest.mark.filterwarnings(
    "ignore:_NoneStep.value will soon raise AttributeError:DeprecationWarning"
)
NOW = datetime.now(UTC).replace(microsecond=0)
RUNTIME = "onnxruntime 1.31.1"
TOML = """
[channel]
path = "../channel"
[review]
waivers = ["alice"]
[budgets.default]
accuracy_drop_points = 5.0
size_mib = 1
[budgets.host]
latency_p90_ms = 10
[models.tiny]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
recipes = ["int8"]
formats = ["onnx"]
"""


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(root: Path, message: str) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


@dataclass(frozen=True)
class Shop:
    """The repository that people merge into, and the machine that promotes from a fresh clone."""

    home: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def origin(self) -> Path:
        return self.home / "origin"

    @property
    def project(self) -> Project:
        return open_project(self.origin)

    @property
    def signer(self) -> Signer:
        return load_signer(str(self.project.keys / "evidence.pem"))

    def weigh(self, version: str, latency_ms: float, *, signer: Signer | None = None) -> WeighIn:
        """Keep, judge, sign and commit a variant as a review does; on the branch that is out."""
        project, content = self.project, f"tiny {version}".encode() * 50
        plan = plan_for(project, "tiny")
        variant = _variant(version, content)
        built = self.home / "built.onnx"
        built.write_bytes(content)
        keep_variants(project.root, "tiny", version, ((built, variant),))
        statement = _statement(variant, version, latency_ms, plan.digest, plan.targets[0].budgets)
        statement = replace(statement, data=plan.data)
        weigh_in = _weigh_in(statement)
        report = report_text(weigh_in)
        digest = hashlib.sha256(report.encode()).hexdigest()
        envelope = sign_statement(replace(statement, report_sha256=digest), signer or self.signer)
        for folder in (project.results("tiny", version), project.committed("tiny", version)):
            (folder / "evidence").mkdir(parents=True)
            (folder / "report.json").write_text(report, encoding="utf-8")
            (folder / "evidence" / "int8.onnx@host.json").write_bytes(envelope)
        return weigh_in

    def waive(self, weigh_in: WeighIn, author: str = "alice") -> None:
        """As the conductor does when somebody commented."""
        folder = self.project.committed("tiny", weigh_in.version)
        record_waivers(self.project, weigh_in, [comment_by(author)], NOW, folder=folder)

    def merged(self, before: str, after: str | None = None) -> tuple[int, str, str]:
        """Promote on a clone that nobody used before: exit code, output, errors."""
        clone = self.home / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        git(self.home, "clone", "--quiet", str(self.origin), str(clone))
        shutil.copytree(self.origin / ".weighin/keys", clone / ".weighin/keys")
        self.monkeypatch.chdir(clone)
        code = main(["promote", "--merged", before, after or git(clone, "rev-parse", "HEAD")])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    @property
    def offered(self) -> Release | None:
        return current_release(self.home / "channel", "dev", "tiny")

    @property
    def published(self) -> dict[str, bytes]:
        files = (self.home / "channel").rglob("*.json")
        return {str(path): path.read_bytes() for path in files}


def comment_by(author: str) -> Comment:
    said = NOW - timedelta(minutes=1)
    return Comment(
        id=1,
        url="https://github.com/acme/app/pull/7#issuecomment-1",
        author=author,
        body="weighin: waive latency_p90_ms the camera is slower",
        created_at=said,
        updated_at=said,
    )


def _variant(version: str, content: bytes) -> Variant:
    return Variant(
        recipe="int8",
        format=Format.ONNX,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        path=f"variants/tiny/v{version}/int8.onnx",
        parent="b" * 64,
        tools=(),
    )


def _statement(
    variant: Variant, version: str, latency_ms: float, plan_digest: str, budgets: Any
) -> Statement:
    def measured(metric: Metric, value: float, device: str) -> Measurement:
        return Measurement(
            metric=metric,
            value=value,
            lower=value,
            upper=value,
            n=100,
            origin=Origin.ARTIFACT if device == ANY_DEVICE else Origin.DEVICE,
            artifact_sha256=variant.sha256,
            device=device,
            runtime=RUNTIME,
            measured_at=NOW - timedelta(hours=2),
        )

    return Statement(
        model="tiny",
        version=version,
        source_digest="d" * 64,
        plan_digest=plan_digest,
        tools=weighing_tools(),
        variant=variant,
        device="host",
        runtime=RUNTIME,
        data=(),
        readings=(
            measured(Metric.ACCURACY_DROP_POINTS, 0.5, ANY_DEVICE),
            measured(Metric.LATENCY_P90_MS, latency_ms, "host"),
            measured(Metric.SIZE_MIB, variant.size_bytes / 2**20, ANY_DEVICE),
        ),
        budgets=budgets,
        confidence=0.95,
        report_sha256="",
        issued_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(days=29),
    )


def _weigh_in(statement: Statement) -> WeighIn:
    result = Result(
        variant=statement.variant, verdicts=(statement.verdict,), readings=statement.readings
    )
    return WeighIn(
        model=statement.model,
        version=statement.version,
        source="models:/m-1",
        source_digest=statement.source_digest,
        plan_digest=statement.plan_digest,
        reference_accuracy=0.9,
        data=statement.data,
        devices=("host",),
        results=(result,),
        failures=(),
        started_at=statement.issued_at,
        finished_at=statement.issued_at,
    )


@pytest.fixture(scope="module")
def empty_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with data in DVC, keys and an empty channel."""
    home = tmp_path_factory.mktemp("shop")
    root = home / "origin"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.name", "A Tester")
    git(root, "config", "user.email", "tester@example.org")
    ensure_dvc(root, "../remote")
    init_project(root, TOML)
    (root / "data").mkdir()
    for seed, role in enumerate(("evaluation", "calibration")):
        rows = np.random.default_rng(seed).normal(size=(20, 4)).astype("float32")
        np.savez(root / "data" / f"{role}.npz", x=rows, y=np.arange(20) % 2)
    _into_dvc(root, "data/evaluation.npz", "data/calibration.npz")
    commit_all(root, "set up")
    return home


def _into_dvc(root: Path, *paths: str) -> None:
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        repo.add([str(root / path) for path in paths])
        repo.push()


@pytest.fixture
def shop(
    empty_shop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """That repository with a review branch checked out."""
    home = Path(shutil.copytree(empty_shop, tmp_path / "shop"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    made = Shop(home=home, capsys=capsys, monkeypatch=monkeypatch)
    git(made.origin, "switch", "--quiet", "--create", "weighin/tiny/v1")
    return made


def merge(shop: Shop, message: str = "weigh-in") -> str:
    """Commit what is there on the review branch and merge it; the commit before."""
    branch = git(shop.origin, "branch", "--show-current")
    commit_all(shop.origin, message)
    git(shop.origin, "switch", "--quiet", "main")
    before = git(shop.origin, "rev-parse", "HEAD")
    git(shop.origin, "merge", "--quiet", "--no-ff", "--message", message, branch)
    return before


def test_merging_releases_what_passed_and_doing_it_again_publishes_nothing(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    before = merge(shop)
    code, out, err = shop.merged(before)
    assert code == 0, err
    assert "tiny/1 is released in channel 'dev':" in out
    assert "MLflow was not told: there is no registry on this machine" in err
    assert not list((shop.home / "clone").glob("*.db"))
    assert shop.offered is not None
    assert [v.label for v in shop.offered.variants] == ["int8.onnx"]
    published = shop.published
    code, out, _ = shop.merged(before)
    assert (code, shop.published) == (0, published)
    assert "tiny/1 was released before in channel 'dev':" in out


def test_a_merge_without_a_weigh_in_releases_nothing(shop: Shop) -> None:
    (shop.origin / "README.md").write_text("hello")
    code, out, _ = shop.merged(merge(shop))
    assert (code, out) == (0, "no weigh-in was merged between these commits\n")


def test_what_does_not_pass_is_not_released(shop: Shop) -> None:
    shop.weigh("1", latency_ms=20)
    code, out, _ = shop.merged(merge(shop))
    assert (code, shop.offered) == (3, None)
    assert "tiny/1: nothing may be released, so nothing was" in out


def test_what_was_waived_is_released_as_waived_and_every_pull_says_so(shop: Shop) -> None:
    shop.waive(shop.weigh("1", latency_ms=20))
    code, out, err = shop.merged(merge(shop))
    assert code == 0, err
    assert "WAIVED: latency_p90_ms" in out
    assert "latency_p90_ms is FAIL" in err
    assert "waived by alice until" in err
    assert shop.offered is not None
    assert shop.offered.variants[0].approvals[0].waived == ("latency_p90_ms",)
    channel = ["--channel", str(shop.home / "channel"), "--out", "app", "--format", "onnx"]
    root = ["--root", str(shop.home / "channel/root.json"), "--cache", "cache"]
    assert main(["pull", "tiny", "--device", "host", *channel, *root]) == 0
    said = shop.capsys.readouterr().err
    assert "WAIVED: tiny v1 did not pass on host" in said
    assert main(["verify", "--out", "app"]) == 0
    assert "WAIVED: tiny v1 did not pass on host" in shop.capsys.readouterr().err


def test_a_waiver_that_is_merged_later_releases_what_waited(shop: Shop) -> None:
    weigh_in = shop.weigh("1", latency_ms=20)
    assert shop.merged(merge(shop))[0] == 3
    git(shop.origin, "switch", "--quiet", "--create", "later")
    shop.waive(weigh_in)
    assert shop.merged(merge(shop))[0] == 0


def test_of_several_versions_the_newest_is_released(shop: Shop) -> None:
    shop.weigh("9", latency_ms=2)
    shop.weigh("10", latency_ms=3)
    assert shop.merged(merge(shop))[0] == 0
    assert shop.offered is not None
    assert shop.offered.version == "10"


def test_merging_an_older_version_does_not_roll_the_channel_back(shop: Shop) -> None:
    shop.weigh("2", latency_ms=2)
    assert shop.merged(merge(shop))[0] == 0
    git(shop.origin, "switch", "--quiet", "--create", "old")
    shop.weigh("1", latency_ms=1)
    code, _, err = shop.merged(merge(shop))
    assert code == 3
    assert "the channel offers v2, which is newer" in err
    assert shop.offered is not None
    assert shop.offered.version == "2"


def test_a_new_branch_has_no_commit_before(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    merge(shop)
    assert shop.merged("0" * 40)[0] == 0


def test_a_commit_that_is_not_checked_out_is_not_promoted(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    before = merge(shop)
    code, _, err = shop.merged(before, before)
    assert code == 1
    assert "is not checked out" in err


Attack = Callable[[Shop], None]


def unsigned(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    path = shop.project.committed("tiny", "1") / "evidence/int8.onnx@host.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "signatures": []}))


def signed_by_the_author(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2, signer=CryptoSigner.generate_ed25519())


def only_a_report(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    shutil.rmtree(shop.project.committed("tiny", "1") / "evidence")


def under_another_version(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    folder = shop.project.committed("tiny", "1")
    shutil.move(folder, shop.project.committed("tiny", "2"))


def under_another_name(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    shutil.move(shop.project.committed("tiny", "1"), shop.project.committed("other", "1"))
    text = (shop.origin / "weighin.toml").read_text()
    other = text[text.index("[models.tiny]") :].replace("tiny", "other")
    (shop.origin / "weighin.toml").write_text(text + other)


def of_no_model(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    shutil.move(shop.project.committed("tiny", "1"), shop.project.committed("<b>", "1"))


def looser_budgets(shop: Shop) -> None:
    shop.weigh("1", latency_ms=20)
    path = shop.origin / "weighin.toml"
    path.write_text(path.read_text().replace("latency_p90_ms = 10", "latency_p90_ms = 100"))


def other_data(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    path = shop.origin / "data/evaluation.npz"
    path.unlink()
    np.savez(path, x=np.zeros((20, 4), dtype="float32"), y=np.arange(20) % 2)
    _into_dvc(shop.origin, "data/evaluation.npz")


def another_file(shop: Shop) -> None:
    """The pointer leads to other bytes than those that were weighed."""
    shop.weigh("1", latency_ms=2)
    path = shop.origin / "variants/tiny/v1/int8.onnx"
    path.unlink()
    path.write_bytes(b"malware")
    _into_dvc(shop.origin, "variants/tiny/v1/int8.onnx")


def a_pointer_to_elsewhere(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    path = shop.origin / "variants/tiny/v1/int8.onnx.dvc"
    path.write_text(path.read_text() + "deps:\n- path: https://evil.example/int8.onnx\n")


def a_link(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    path = shop.project.committed("tiny", "1") / "evidence/zero.json"
    path.symlink_to("/dev/zero")


ATTACKS: dict[str, tuple[Attack, str]] = {
    "unsigned evidence": (unsigned, "evidence is not signed"),
    "evidence that its author signed": (signed_by_the_author, "a key that is not trusted"),
    "a report without evidence": (only_a_report, "there is no evidence"),
    "evidence of another version": (under_another_version, "speaks of tiny/1"),
    "evidence of another model": (under_another_name, "speaks of tiny/1"),
    "a model that nobody configured": (of_no_model, "speaks of tiny/1"),
    "looser budgets in the same merge": (looser_budgets, "the budgets of host changed"),
    "other data in the same merge": (other_data, "the evaluation data changed"),
    "another file than the weighed one": (another_file, "not the one that was weighed"),
    "a pointer that leads elsewhere": (a_pointer_to_elsewhere, "would fetch from elsewhere"),
    "a link among the evidence": (a_link, "is no plain file"),
}


@pytest.mark.parametrize("how", ATTACKS)
def test_a_merge_that_brings_what_does_not_hold_releases_nothing(shop: Shop, how: str) -> None:
    attack, said = ATTACKS[how]
    published = shop.published
    attack(shop)
    code, _, err = shop.merged(merge(shop))
    assert code == 1
    assert said in err
    assert shop.published == published


def test_a_waiver_that_its_author_signed_releases_nothing(shop: Shop) -> None:
    weigh_in = shop.weigh("1", latency_ms=20)
    shutil.copytree(shop.origin, shop.home / "stranger")
    stranger = open_project(shop.home / "stranger")
    shutil.rmtree(stranger.keys)
    create_dev_keys(stranger.keys)
    folder = shop.project.committed("tiny", "1")
    record_waivers(stranger, weigh_in, [comment_by("alice")], NOW, folder=folder)
    code, _, err = shop.merged(merge(shop))
    assert (code, shop.offered) == (3, None)
    assert "not a waiver to believe" in err


def test_a_merge_that_names_a_person_and_brings_their_old_waiver_releases_nothing(
    shop: Shop,
) -> None:
    """Recorded under the base branch's names, there is none to bring."""
    shop.waive(shop.weigh("1", latency_ms=20), author="mallory")
    path = shop.origin / "weighin.toml"
    path.write_text(path.read_text().replace('["alice"]', '["alice", "mallory"]'))
    assert shop.merged(merge(shop))[0] == 3


def test_one_refused_model_does_not_stop_the_others(shop: Shop) -> None:
    shop.weigh("1", latency_ms=2)
    ghost = shop.project.committed("ghost", "1")
    ghost.mkdir(parents=True)
    (ghost / "report.json").write_text("{}")
    code, out, err = shop.merged(merge(shop))
    assert code == 1
    assert "ghost/1: it is refused, so nothing was" in out
    assert "tiny/1 is released" in out
    assert "ghost/1" in err
