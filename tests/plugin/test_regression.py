"""New files against a real channel on disk: run, compared, judged, signed and promoted."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.belief import Moment
from weighin.gates.child import Limits
from weighin.gates.devices.bench import HostSettings
from weighin.gates.judge import Check, Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.config_file import parse_config
from weighin.plugin.evidence_files import sign_all
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.offer import compared_with, read_offer
from weighin.plugin.plan import Plan, make_plan
from weighin.plugin.project import Project
from weighin.plugin.promote_policy import policy_of, verified
from weighin.plugin.scales import Scales
from weighin.plugin.setup import init_project
from weighin.plugin.weighing import weigh_variants
from weighin.registry.channel import Publication, current_release, publish
from weighin.registry.keys import load_dev_signers
from weighin.registry.promotion import promote, stale
from weighin.registry.release import Approval, Release, ReleasedVariant

About = tuple[str, str]
LATENCY = Metric.LATENCY_VS_RELEASE_PERCENT
DROP = Metric.ACCURACY_DROP_VS_RELEASE_POINTS
SIZE = Metric.SIZE_VS_RELEASE_PERCENT
MEASURED = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
BUDGETS: dict[str, Any] = {
    LATENCY: {"at_most": 50, "floor": 0.001},
    DROP: 3.0,
    SIZE: {"at_most": 1e6, "floor": 0.001},
}


def chain_onnx(layers: int, wrong: int = 0) -> bytes:
    """[1, 8] -> [1, 8]: the identity, so many times; the answer moved by ``wrong`` places."""
    from onnx import TensorProto, helper, numpy_helper

    names = ["x", *(f"h{k}" for k in range(layers)), "logits"]
    nodes = [
        helper.make_node("MatMul", [a, "turn" if b == "logits" else "same"], [b])
        for a, b in itertools.pairwise(names)
    ]
    same = np.eye(8, dtype=np.float32)
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 8])],
        [
            numpy_helper.from_array(same, "same"),
            numpy_helper.from_array(np.roll(same, wrong, axis=1), "turn"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    content: bytes = made.SerializeToString()
    return content


@dataclass(frozen=True, slots=True)
class Shop:
    """A project with a channel, and one clock."""

    project: Project
    now: datetime

    def variant(self, version: str, recipe: str, content: bytes) -> Variant:
        path = f"variants/chain/v{version}/{recipe}.onnx"
        file = self.project.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return Variant(
            recipe=recipe,
            format=Format.ONNX,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            path=path,
            parent="aa" * 32,
            tools=(),
        )

    def offer(self, version: str, variant: Variant, *devices: str) -> None:
        """Release a file in the channel, as a promotion of another day did."""
        envelope = f"{version} {variant.sha256}".encode()
        digest = hashlib.sha256(envelope).hexdigest()
        approvals = (Approval(device=d, rank=1, evidence_sha256=digest) for d in devices)
        released = ReleasedVariant(
            recipe=variant.recipe,
            format=variant.format,
            sha256=variant.sha256,
            size_bytes=variant.size_bytes,
            approvals=tuple(approvals),
        )
        publication = Publication(
            channel="dev",
            release=Release(model="chain", version=version, variants=(released,)),
            files={variant.sha256: self.project.root / variant.path},
            evidence={digest: envelope},
        )
        signers = load_dev_signers(self.project.keys)
        publish(self.project.channel, publication, signers, self.now)

    def plan(self, *only: Metric, floor_ms: float = 0.001) -> Plan:
        """Today's plan, with all budgets or only some."""
        budgets = {m: b for m, b in BUDGETS.items() if not only or m in only}
        if LATENCY in budgets:
            budgets[LATENCY] = {"at_most": 50, "floor": floor_ms}
        model = {
            "evaluation": "evaluation.npz",
            "calibration": "calibration.npz",
            "recipes": ["float32"],
            "devices": ["host", "pixel-4"],
        }
        document = {"budgets": {"default": budgets}, "models": {"chain": model}}
        return make_plan(parse_config(document), "chain", (), {})

    def weigh(
        self, plan: Plan, *variants: Variant, metrics: tuple[Metric, ...] = MEASURED
    ) -> WeighIn:
        offer = read_offer(self.project, plan)
        work = self.project.work / "host"
        scales = Scales(
            root=self.project.root,
            evaluation=self.project.root / "evaluation.npz",
            reference=self.project.root / "reference.npy",
            workdir=work,
            limits=Limits(wall_seconds=60, memory_mib=2048),
            moment=Moment(now=self.now, max_age=timedelta(days=30)),
            settings=HostSettings(
                processes=3, rounds=40, session_seconds=0.1, memory_processes=1, warmup=3
            ),
        )
        results = weigh_variants(variants, plan, scales, lambda *_: None, metrics, offer)
        return WeighIn(
            model="chain",
            version="2",
            source="models:/chain/2",
            source_digest="bb" * 32,
            plan_digest=plan.digest,
            reference_accuracy=1.0,
            data=(),
            devices=plan.devices,
            results=results,
            failures=(),
            started_at=self.now,
            finished_at=self.now,
            compared_with=compared_with(plan, offer),
        )

    def promoted(
        self, plan: Plan, weigh_in: WeighIn
    ) -> tuple[set[tuple[str, str]], tuple[str, ...]]:
        """What promotion makes of the signed evidence, and what it says of stale comparisons."""
        now = self.now + timedelta(minutes=1)
        envelopes = sign_all(self.project, weigh_in)
        proofs = verified(envelopes, trusted_keys(self.project), now)
        offered = current_release(self.project.channel, "dev", "chain")
        policy = policy_of(self.project, plan, proofs, offered, now)
        release = promote(proofs, policy)
        passed = {(v.label, a.device) for v in release.variants for a in v.approvals}
        return passed, stale(proofs, policy)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    init_project(tmp_path)
    rows = np.random.default_rng(3).normal(size=(300, 8)).astype(np.float32)
    np.savez(tmp_path / "evaluation.npz", x=rows, y=rows.argmax(axis=1))
    np.save(tmp_path / "reference.npy", rows)
    return Shop(Project(root=tmp_path, config=parse_config({})), datetime.now(UTC))


def check(result: Result, device: str, metric: Metric) -> Check | None:
    [verdict] = [v for v in result.verdicts if v.subject.device == device]
    return next((c for c in verdict.checks if c.budget.metric is metric), None)


def outcome(result: Result, device: str, metric: Metric) -> Outcome | None:
    found = check(result, device, metric)
    return None if found is None else found.outcome


def test_a_first_release_has_nothing_to_fall_behind(shop: Shop) -> None:
    plan = shop.plan()
    weigh_in = shop.weigh(plan, shop.variant("2", "float32", chain_onnx(1)), metrics=())
    assert [c.words for c in weigh_in.compared_with] == [
        "first release for host: nothing to compare with",
        "first release for pixel-4: nothing to compare with",
    ]
    assert all(not verdict.checks for verdict in weigh_in.results[0].verdicts)


def test_slower_the_same_and_worse_are_told_apart_and_a_floor_forgives(shop: Shop) -> None:
    fast = shop.variant("1", "float32", chain_onnx(1))
    shop.offer("1", fast, "host")
    plan = shop.plan()
    variants = (
        shop.variant("2", "float32", chain_onnx(1)),
        shop.variant("2", "fp16", chain_onnx(300)),
        shop.variant("2", "int8", chain_onnx(2, wrong=1)),
    )
    weigh_in = shop.weigh(plan, *variants)
    same, slow, wrong = weigh_in.results
    for metric in (LATENCY, DROP, SIZE):
        found = check(same, "host", metric)
        assert found is not None
        assert isinstance(found.reading, Measurement)
        assert (found.reading.lower, found.reading.upper) == (0, 0)
        assert found.outcome is Outcome.PASS
    assert outcome(slow, "host", LATENCY) is Outcome.FAIL
    assert outcome(slow, "host", DROP) is Outcome.PASS
    assert outcome(wrong, "host", DROP) is Outcome.FAIL
    assert [c.words for c in weigh_in.compared_with] == [
        "channel 'dev' offers v1 float32.onnx",
        "first release for pixel-4: nothing to compare with",
    ]
    passed, _ = shop.promoted(plan, weigh_in)
    assert ("fp16.onnx", "host") not in passed
    assert ("int8.onnx", "host") not in passed

    with_floor = shop.plan(floor_ms=1000)
    again = shop.weigh(with_floor, *variants).results[1]
    assert outcome(again, "host", LATENCY) is Outcome.PASS
    reading, kept = (check(one, "host", LATENCY) for one in (again, slow))
    assert reading is not None
    assert kept is not None
    assert reading.reading == kept.reading, "kept from before, not timed again"


def test_a_comparison_with_an_earlier_release_is_not_believed(shop: Shop) -> None:
    shop.offer("1", shop.variant("1", "float32", chain_onnx(2)), "host")
    plan, new = shop.plan(SIZE), shop.variant("2", "float32", chain_onnx(1))
    weigh_in = shop.weigh(plan, new, metrics=(Metric.SIZE_MIB,))
    assert ("float32.onnx", "host") in shop.promoted(plan, weigh_in)[0]
    shop.offer("3", shop.variant("3", "float32", chain_onnx(3)), "host")
    passed, told = shop.promoted(plan, weigh_in)
    assert ("float32.onnx", "host") not in passed
    assert "but the channel offers v3 float32.onnx" in told[0]
    assert "weighin run chain/2 --again" in told[0]


def test_a_phone_has_its_own_release_and_its_own_reason(shop: Shop) -> None:
    """What belongs to the file is compared here; what belongs to the phone by two predictions."""
    shop.offer("1", shop.variant("1", "float32", chain_onnx(2)), "pixel-4")
    new, plan = shop.variant("2", "float32", chain_onnx(4)), shop.plan(LATENCY, DROP)
    [result] = shop.weigh(plan, new, metrics=(Metric.ACCURACY_DROP_POINTS,)).results
    drop = check(result, "pixel-4", DROP)
    assert drop is not None
    assert isinstance(drop.reading, Measurement)
    assert (drop.reading.device, drop.outcome) == ("pixel-4", Outcome.PASS)
    latency = check(result, "pixel-4", LATENCY)
    assert latency is not None
    assert latency.outcome is Outcome.UNDECIDED
    assert "no calibration for onnxruntime on Pixel 4" in latency.reason
    assert check(result, "host", DROP) is None


def delete_files(shop: Shop) -> None:
    for path in (shop.project.channel / "targets").rglob("*.onnx"):
        path.unlink()


def change_files(shop: Shop) -> None:
    for path in (shop.project.channel / "targets").rglob("*.onnx"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")


def damage_channel(shop: Shop) -> None:
    (shop.project.channel / "metadata/timestamp.json").write_text("{}")


def remove_channel(shop: Shop) -> None:
    (shop.project.channel / "metadata/timestamp.json").unlink()


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        pytest.param(delete_files, "cannot be compared with: the file cannot be read", id="gone"),
        pytest.param(change_files, "the file is not the one that was built", id="changed"),
        pytest.param(damage_channel, "the channel cannot be read", id="damaged channel"),
        pytest.param(remove_channel, "there is no channel", id="no channel"),
    ],
)
def test_what_cannot_be_compared_with_passes_nothing(
    shop: Shop, attack: Callable[[Shop], None], said: str
) -> None:
    shop.offer("1", shop.variant("1", "float32", chain_onnx(2)), "host")
    attack(shop)
    new = shop.variant("2", "float32", chain_onnx(1))
    [result] = shop.weigh(shop.plan(), new, metrics=()).results
    for metric in (LATENCY, DROP, SIZE):
        found = check(result, "host", metric)
        assert found is not None
        assert found.outcome is Outcome.UNDECIDED
        assert said in found.reason


def test_a_released_file_that_does_not_run_passes_nothing(shop: Shop) -> None:
    shop.offer("1", shop.variant("1", "float32", b"this is no model"), "host")
    [result] = shop.weigh(shop.plan(), shop.variant("2", "float32", chain_onnx(1))).results
    for metric in (LATENCY, DROP):
        found = check(result, "host", metric)
        assert found is not None
        assert found.outcome is Outcome.UNDECIDED
        assert "released file v1 float32.onnx" in found.reason
