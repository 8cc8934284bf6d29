"""The records of a chain: its links, the facts that they are looked for in, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from weighin.gates.judge import Verdict
from weighin.gates.statement import Statement
from weighin.gates.weigh_in import WeighIn
from weighin.registry.promotion import Policy, Waivers
from weighin.registry.release import Release

if TYPE_CHECKING:
    from weighin.gates.signing import Key


class State(StrEnum):
    """Whether a link holds. A note is no fault: it says what there is nothing to hold for."""

    HOLDS = "ok"
    BROKEN = "BROKEN"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: what it ties together, whether it holds, and what was seen."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found of one version. A text in place of a thing says why it is not there.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        envelopes: The evidence files, by name.
        keys: The keys that may sign evidence.
        policy: Today's plan, budgets and files; its digest is empty where there is no plan.
        no_plan: Why today's plan cannot be made; empty if it can.
        data_files: Digest of every data file that the evidence names, by path; only existing ones.
        source_digest: Digest of the registered files as the registry gives them out today.
        source_problem: Why they cannot be read; empty if they can.
        report: The report, its document and the digest of its bytes.
        report_problem: Why there is no report; empty if there is one.
        channel: Name of the channel.
        offered: What the channel offers for this model.
        channel_problem: Why the channel cannot be read; empty if it can.
        waiver_problems: Why waivers that are kept with the evidence are not believed.
    """

    model: str
    version: str
    envelopes: Mapping[str, bytes]
    keys: tuple["Key", ...]
    policy: Policy
    no_plan: str
    data_files: Mapping[str, str]
    source_digest: str
    source_problem: str
    report: "ReportFile | None"
    report_problem: str
    channel: str
    offered: Release | None
    channel_problem: str
    waiver_problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A ``report.json``: what it says, as it is written, and the digest of its bytes."""

    weigh_in: WeighIn
    document: object
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One evidence file.

    Attributes:
        file: Its name.
        sha256: Its digest.
        statement: What it says; ``None`` if its signature or its shape does not hold.
        keyid: The trusted key that signed it; empty without a statement.
        verdict: The verdict by today's budgets and clock.
        links: Everything that was looked at.
        released: Whether the channel offers this file for this device by this very evidence.
        waivers: What lets it through today although it does not pass; no link of the chain.
    """

    file: str
    sha256: str
    statement: Statement | None
    keyid: str
    verdict: Verdict | None
    links: tuple[Link, ...]
    released: bool
    waivers: Waivers = ()

    @property
    def holds(self) -> bool:
        """Whether no link is broken."""
        return all(link.state is not State.BROKEN for link in self.links)

    @property
    def about(self) -> str:
        """The variant and the device that it speaks of; its file's name where it says nothing."""
        if self.statement is None:
            return self.file
        return f"{self.statement.variant.label} on {self.statement.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The whole chain of one version."""

    model: str
    version: str
    at: datetime
    links: tuple[Link, ...]
    evidence: tuple[Examined, ...]

    @property
    def holds(self) -> bool:
        """Whether every link holds; a chain without evidence does not."""
        whole = all(link.state is not State.BROKEN for link in self.links)
        return whole and bool(self.evidence) and all(one.holds for one in self.evidence)
