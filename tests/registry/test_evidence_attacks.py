"""Evidence cannot be forged or borrowed: whatever is done to one piece, it no longer passes."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import PAYLOAD_TYPE, Statement, sign_statement, verify_statement
from weighin.gates.signing import CryptoSigner, Signer
from weighin.registry.promotion import Policy, Proof, gaps, promote

if TYPE_CHECKING:
    from tests.registry.conftest import Built, World

About = tuple[str, str]
STRANGER = CryptoSigner.generate_ed25519()


def passing(world: "World") -> tuple[dict[About, Statement], Policy]:
    """Two files on two devices, all of which pass."""
    built = (
        world.build(recipe="int8", host=2.0, pixel_8=4.0),
        world.build(recipe="fp16", host=3.0, pixel_8=5.0),
    )
    statements = {
        (one.variant.label, device): world.statement(one, device)
        for one in built
        for device in one.latency_ms
    }
    return statements, world.policy(*built)


def released(world: "World", envelopes: list[bytes], policy: Policy) -> set[About]:
    """What comes out at the end, by the ways that promotion goes; nothing when it is refused."""
    keys = (world.evidence_signer.public_key,)
    try:
        proofs = [
            Proof(statement=verify_statement(e, keys, policy.moment.now), envelope_sha256=str(k))
            for k, e in enumerate(envelopes)
        ]
        release = promote(proofs, policy)
    except EvidenceError:
        return set()
    return {(v.label, a.device) for v in release.variants for a in v.approvals}


def signed(payload: object, signer: Signer) -> bytes:
    from securesystemslib.dsse import Envelope

    envelope = Envelope(json.dumps(payload).encode(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict()).encode()


def leaves(node: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every text, number and empty thing of a JSON document is."""
    children: list[tuple[Any, object]] = []
    if isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list):
        children = list(enumerate(node))
    return [leaf for key, child in children for leaf in leaves(child, (*path, key))] or [path]


def with_leaf(payload: Any, path: tuple[Any, ...], value: object) -> Any:
    node = payload
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return payload


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_law_a_field_changed_without_the_trusted_key_no_longer_passes(
    world: "World", data: st.DataObject
) -> None:
    statements, policy = passing(world)
    about = data.draw(st.sampled_from(sorted(statements)))
    envelopes = {key: sign_statement(s, world.evidence_signer) for key, s in statements.items()}
    assert about in released(world, list(envelopes.values()), policy)
    document = json.loads(envelopes[about])
    payload = json.loads(base64.b64decode(document["payload"]))
    path = data.draw(st.sampled_from(leaves(payload)))
    before = json.dumps(payload)
    value = data.draw(st.sampled_from([0.5, 7, "host", "PASS", "f" * 64, None, True]))
    changed = with_leaf(payload, path, value)
    if json.dumps(changed) == before:
        return
    if data.draw(st.booleans()):
        forged = signed(changed, STRANGER)
    else:
        document["payload"] = base64.b64encode(json.dumps(changed).encode()).decode()
        forged = json.dumps(document).encode()
    assert about not in released(world, list({**envelopes, about: forged}.values()), policy)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_law_any_byte_of_an_envelope_deleted_or_changed_and_nothing_else_passes(
    world: "World", data: st.DataObject
) -> None:
    """A byte of the envelope's own layout may not matter; then it says what it said before."""
    statements, policy = passing(world)
    about = data.draw(st.sampled_from(sorted(statements)))
    envelopes = {key: sign_statement(s, world.evidence_signer) for key, s in statements.items()}
    whole = envelopes[about]
    place = data.draw(st.integers(0, len(whole) - 1))
    instead = data.draw(st.binary(max_size=1))
    envelopes[about] = whole[:place] + instead + whole[place + 1 :]
    try:
        keys = (world.evidence_signer.public_key,)
        assert verify_statement(envelopes[about], keys, world.now) == statements[about]
    except EvidenceError:
        assert about not in released(world, list(envelopes.values()), policy)


SWAPS = ("device", "artifact", "version", "model", "plan", "source", "runtime", "expired", "early")


def swapped(world: "World", statement: Statement, how: str) -> Statement:
    """A statement that is really signed, but speaks of something else, or is out of its dates."""
    other = world.build(recipe="dynamic_int8")
    day = timedelta(days=1)
    changes: Mapping[str, dict[str, Any]] = {
        "device": {"device": "pixel_1"},
        "artifact": {"variant": replace(statement.variant, sha256=other.variant.sha256)},
        "version": {"version": "2"},
        "model": {"model": "cats"},
        "plan": {"plan_digest": "0" * 64},
        "source": {"source_digest": "0" * 64},
        "runtime": {"runtime": "ai-edge-litert 9.9.9"},
        "expired": {"issued_at": world.now - 90 * day, "expires_at": world.now},
        "early": {"issued_at": world.now + day, "expires_at": world.now + 9 * day},
    }
    return replace(statement, **changes[how])


@pytest.mark.parametrize("how", SWAPS)
def test_evidence_of_something_else_does_not_help(world: "World", how: str) -> None:
    statements, policy = passing(world)
    for about in statements:
        borrowed = statements | {about: swapped(world, statements[about], how)}
        envelopes = [sign_statement(s, world.evidence_signer) for s in borrowed.values()]
        assert about not in released(world, envelopes, policy)


def test_evidence_of_another_device_given_twice_does_not_help(world: "World") -> None:
    """A file renamed to another device's name still says which device it speaks of."""
    statements, policy = passing(world)
    missing = ("int8.tflite", "host")
    there = statements | {missing: statements["int8.tflite", "pixel_8"]}
    envelopes = [sign_statement(s, world.evidence_signer) for s in there.values()]
    assert missing not in released(world, envelopes, policy)


def test_a_deleted_statement_makes_nothing_else_pass_and_is_said(world: "World") -> None:
    statements, policy = passing(world)
    envelopes = {key: sign_statement(s, world.evidence_signer) for key, s in statements.items()}
    whole = released(world, list(envelopes.values()), policy)
    assert whole == set(statements)
    for about, label_device in ((key, f"{key[0]} on {key[1]}") for key in statements):
        rest = {key: e for key, e in envelopes.items() if key != about}
        assert released(world, list(rest.values()), policy) == whole - {about}
        proofs = [world.prove(statements[key])[0] for key in rest]
        assert [note for note in gaps(proofs, policy) if label_device in note] != []
        assert len(gaps(proofs, policy)) == 1


def test_all_statements_re_signed_by_a_stranger_release_nothing(world: "World") -> None:
    statements, policy = passing(world)
    envelopes = [sign_statement(s, STRANGER) for s in statements.values()]
    assert released(world, envelopes, policy) == set()


def one(world: "World") -> "tuple[Proof, Built]":
    built = world.build(host=2.0)
    return world.prove(world.statement(built, "host"))[0], built


@pytest.mark.parametrize(
    ("today", "said"),
    [
        pytest.param({}, "recipes, formats or other settings", id="nothing that a statement sees"),
        pytest.param({"budgets": "new"}, r"budgets of host changed \(size_mib\)", id="budgets"),
        pytest.param({"data": "new"}, "the evaluation data changed", id="data"),
        pytest.param({"tools": "new"}, "ai-edge-litert 2.3.0 is now 2.4.0", id="tools"),
        pytest.param({"devices": "fewer"}, "host is no longer a target device", id="a device less"),
        pytest.param({"devices": "more"}, "there is no evidence for pixel_8", id="a device more"),
    ],
)
def test_another_plan_is_refused_and_what_changed_is_said(
    world: "World", today: dict[str, str], said: str
) -> None:
    from weighin.gates.metric import Metric

    proof, built = one(world)
    policy = replace(world.policy(built), plan_digest="1" * 64)
    if "budgets" in today:
        fewer = tuple(b for b in policy.budgets["host"] if b.metric is not Metric.SIZE_MIB)
        policy = replace(policy, budgets={"host": fewer})
    if "data" in today:
        policy = replace(policy, data=(replace(policy.data[0], sha256="0" * 64),))
    if "tools" in today:
        policy = replace(policy, tools=(("ai-edge-litert", "2.4.0"), ("weighin", "0.1.0")))
    if "devices" in today:
        more = {**policy.budgets, "pixel_8": policy.budgets["host"]}
        policy = replace(policy, budgets=more if today["devices"] == "more" else {})
    with pytest.raises(EvidenceError, match=said) as refused:
        promote([proof], policy)
    assert "Run `weighin run digits/1`" in str(refused.value)
