"""What a channel offers for one model, and how one of its files is described in the channel.

A channel's metadata is signed canonical JSON that holds no floats: a description is made of
texts and whole numbers only.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from weighin.gates import wire
from weighin.gates.variant import Format

_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One device that one variant may be used on: it passed there, or what it lacks was waived.

    Attributes:
        device: Name of the device profile.
        rank: 1 is the best of this device; whole numbers without gaps.
        evidence_sha256: Digest of the signed envelope that proves it.
        latency_p90_us: Upper end of the latency in microseconds; ``None`` if not known.
        waived: Names of the metrics whose budgets do not hold, but were waived; empty for what
            passed.
        waived_until: When the first of these waivers expires, UTC; only where there are any.
    """

    device: str
    rank: int
    evidence_sha256: str
    latency_p90_us: int | None = None
    waived: tuple[str, ...] = ()
    waived_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedVariant:
    """One file that passed on at least one device."""

    recipe: str
    format: Format
    sha256: str
    size_bytes: int
    approvals: tuple[Approval, ...]

    @property
    def label(self) -> str:
        """How people call it: ``int8.tflite``."""
        return f"{self.recipe}{self.format.suffix}"

    def approval_for(self, device: str) -> Approval | None:
        """The approval for one device, if there is one."""
        return next((a for a in self.approvals if a.device == device), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a channel offers for one model; nothing when nothing passed."""

    model: str
    version: str
    variants: tuple[ReleasedVariant, ...]

    @property
    def devices(self) -> tuple[str, ...]:
        """Every device that something was approved for, sorted."""
        return tuple(sorted({a.device for v in self.variants for a in v.approvals}))

    def best_for(self, device: str, format: Format | None = None) -> ReleasedVariant | None:
        """The best-ranked variant of a device, of one format if asked."""
        ranked = [
            (approval.rank, variant.label, variant)
            for variant in self.variants
            if (approval := variant.approval_for(device)) is not None
            and format in {None, variant.format}
        ]
        return min(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def slug(name: str) -> str:
    """A name as one URL-safe path segment; different names give different slugs."""
    escaped = _PLAIN.sub(lambda found: "".join(f"~{b:02x}" for b in found[0].encode()), name)
    # A leading dot would hide the file, and "." and ".." are segments with a meaning of their own.
    return f"~2e{escaped[1:]}" if escaped.startswith(".") else escaped


def role_name(channel: str, model: str) -> str:
    """The TUF role that may sign this model in this channel, and nothing else."""
    return f"{slug(channel)}~{slug(model)}"


def home_path(channel: str, model: str) -> str:
    """Where everything of a model is in the channel, with a slash at its end."""
    return f"{slug(channel)}/{slug(model)}/"


def variant_path(channel: str, release: Release, variant: ReleasedVariant) -> str:
    """Where a variant is in the channel."""
    home = home_path(channel, release.model)
    return f"{home}v{slug(release.version)}/{slug(variant.label)}"


def evidence_path(channel: str, model: str, evidence_sha256: str) -> str:
    """Where a signed statement is in the channel."""
    return f"{home_path(channel, model)}evidence/{evidence_sha256}.json"


def custom_of(release: Release, variant: ReleasedVariant) -> dict[str, object]:
    """Describe a variant for the channel's metadata; of waivers only where there are any."""
    approvals = variant.approvals
    described: dict[str, object] = {
        "model": release.model,
        "version": release.version,
        "recipe": variant.recipe,
        "format": variant.format.value,
        "devices": {a.device: a.rank for a in approvals},
        "evidence": {a.device: a.evidence_sha256 for a in approvals},
        "latency_p90_us": {
            a.device: a.latency_p90_us for a in approvals if a.latency_p90_us is not None
        },
    }
    waived = {a.device: " ".join(a.waived) for a in approvals if a.waived}
    until = {
        a.device: wire.time_to_json(a.waived_until) for a in approvals if a.waived_until is not None
    }
    return described | ({"waived": waived, "waived_until": until} if waived else {})


def variant_from_custom(
    custom: Mapping[str, object], sha256: str, size_bytes: int
) -> ReleasedVariant:
    """Read what :func:`custom_of` wrote; fields of later versions are passed over.

    Raises:
        ValueError: a field is missing or of the wrong type.
    """
    ranks = wire.object_of(custom.get("devices"), "devices")
    evidence = wire.object_of(custom.get("evidence"), "evidence")
    latency = wire.object_of(custom.get("latency_p90_us", {}), "latency_p90_us")
    waived = wire.object_of(custom.get("waived", {}), "waived")
    until = wire.object_of(custom.get("waived_until", {}), "waived_until")
    if not waived.keys() == until.keys() <= ranks.keys() or "" in waived.values():
        raise ValueError("waived: needs a device of the file, what and until when, for each")
    return ReleasedVariant(
        recipe=wire.text_of(custom, "recipe"),
        format=Format(wire.text_of(custom, "format")),
        sha256=sha256,
        size_bytes=size_bytes,
        approvals=tuple(
            Approval(
                device=device,
                rank=wire.whole_of(ranks, device),
                evidence_sha256=wire.text_of(evidence, device),
                latency_p90_us=wire.whole_of(latency, device) if device in latency else None,
                waived=tuple(wire.text_of(waived, device).split()) if device in waived else (),
                waived_until=wire.time_of(until, device) if device in until else None,
            )
            for device in sorted(ranks)
        ),
    )


class OfferedFile(Protocol):
    """A file as channel metadata lists it (python-tuf's ``TargetFile``)."""

    length: int
    hashes: dict[str, str]

    @property
    def custom(self) -> object:
        """What :func:`custom_of` wrote; ``None`` for evidence."""
        ...


def release_from_targets(files: Iterable[OfferedFile]) -> Release | None:
    """Read back the release that a model's role offers; ``None`` if it offers nothing.

    Raises:
        ValueError: a description is malformed, or the files belong to different releases.
    """
    described = [
        (wire.object_of(file.custom, "custom"), file) for file in files if file.custom is not None
    ]
    names = {(wire.text_of(c, "model"), wire.text_of(c, "version")) for c, _ in described}
    if not names:
        return None
    if len(names) > 1:
        raise ValueError(f"files of different releases are mixed: {sorted(names)}")
    [(model, version)] = names
    variants = (variant_from_custom(c, f.hashes["sha256"], f.length) for c, f in described)
    return Release(
        model=model, version=version, variants=tuple(sorted(variants, key=lambda v: v.label))
    )


def release_to_json(release: Release) -> dict[str, object]:
    """A release for people's scripts (``--json``)."""
    return {
        "model": release.model,
        "version": release.version,
        "variants": [
            {"sha256": v.sha256, "size_bytes": v.size_bytes, **custom_of(release, v)}
            for v in release.variants
        ],
    }
