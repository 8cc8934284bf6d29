"""A small world for the registry's tests: keys, evidence, a channel folder, a server, an app."""

import hashlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from weighin.gates.evidence import Statement, sign_statement, verify_statement
from weighin.gates.judge import Moment
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.signing import Signer
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import DataDigest
from weighin.registry.channel import Publication, create_channel, publish
from weighin.registry.keys import (
    ChannelSigners,
    create_dev_keys,
    load_dev_signers,
    load_signer,
)
from weighin.registry.promotion import Policy, Proof, promote
from weighin.registry.request import PullRequest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUDGETS = (
    Budget(metric=Metric.ACCURACY_DROP_POINTS, at_most=1.0),
    Budget(metric=Metric.LATENCY_P90_MS, at_most=10.0),
    Budget(metric=Metric.SIZE_MIB, at_most=4.0),
)
PLAN = "cc" * 32
DATA = (DataDigest(role="evaluation", path="evaluation.npz", sha256="dd" * 32, rows=500),)
TOOLS = (("ai-edge-litert", "2.3.0"), ("weighin", "0.1.0"))
RUNTIME = "ai-edge-litert 2.3.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One variant file as a build leaves it, and how fast it is on each device."""

    variant: Variant
    file: Path
    latency_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a test of the registry needs, in one temporary folder."""

    home: Path
    keys: Path
    signers: ChannelSigners
    evidence_signer: Signer
    root_signer: Signer
    now: datetime = NOW

    @property
    def channel(self) -> Path:
        return self.home / "channel"

    @property
    def root_file(self) -> Path:
        return self.channel / "root.json"

    @property
    def metadata(self) -> Path:
        return self.channel / "metadata"

    def build(
        self,
        model: str = "digits",
        version: str = "1",
        recipe: str = "int8",
        *,
        content: bytes | None = None,
        format: Format = Format.LITERT,
        **latency_ms: float,
    ) -> Built:
        """Write a variant file of some bytes."""
        content = f"{model} {version} {recipe} {format}".encode() if content is None else content
        variant = Variant(
            recipe=recipe,
            format=format,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            path=f"variants/{model}/v{version}/{recipe}{format.suffix}",
            parent="aa" * 32,
            tools=(("ai-edge-litert", "2.3.0"),),
        )
        file = self.home / variant.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return Built(variant=variant, file=file, latency_ms=latency_ms or {"host": 2.0})

    def statement(
        self, built: Built, device: str, model: str = "digits", version: str = "1"
    ) -> Statement:
        """Evidence that a variant passes every budget on a device."""
        sha256 = built.variant.sha256

        def measured(metric: Metric, value: float, origin: Origin, device: str) -> Measurement:
            return Measurement(
                metric=metric,
                value=value,
                lower=value * 0.9,
                upper=value * 1.1,
                n=100,
                origin=origin,
                artifact_sha256=sha256,
                device=device,
                runtime=RUNTIME,
                measured_at=self.now - timedelta(hours=2),
            )

        return Statement(
            model=model,
            version=version,
            source_digest="bb" * 32,
            plan_digest=PLAN,
            tools=TOOLS,
            variant=built.variant,
            device=device,
            runtime=RUNTIME,
            data=DATA,
            readings=(
                measured(Metric.ACCURACY_DROP_POINTS, 0.5, Origin.ARTIFACT, ANY_DEVICE),
                measured(Metric.LATENCY_P90_MS, built.latency_ms[device], Origin.DEVICE, device),
                measured(
                    Metric.SIZE_MIB, built.variant.size_bytes / 2**20, Origin.ARTIFACT, ANY_DEVICE
                ),
            ),
            budgets=BUDGETS,
            confidence=0.95,
            report_sha256="ee" * 32,
            issued_at=self.now - timedelta(hours=1),
            expires_at=self.now + timedelta(days=90),
        )

    def prove(self, statement: Statement) -> tuple[Proof, bytes]:
        """Sign a statement and verify it again, as promotion is fed."""
        envelope = sign_statement(statement, self.evidence_signer)
        verified = verify_statement(envelope, (self.evidence_signer.public_key,), self.now)
        digest = hashlib.sha256(envelope).hexdigest()
        return Proof(statement=verified, envelope_sha256=digest), envelope

    def policy(self, *built: Built) -> Policy:
        """Today's budgets and files."""
        devices = {device for one in built for device in one.latency_ms}
        return Policy(
            plan_digest=PLAN,
            data=DATA,
            tools=TOOLS,
            budgets=dict.fromkeys(devices, BUDGETS),
            artifacts={one.variant.path: one.variant.sha256 for one in built},
            offered=None,
            moment=Moment(now=self.now, max_age=timedelta(days=30)),
        )

    def publication(
        self, *built: Built, model: str = "digits", version: str = "1", channel: str = "stable"
    ) -> Publication:
        """Promote what was built."""
        proven = [
            self.prove(self.statement(one, device, model, version))
            for one in built
            for device in one.latency_ms
        ]
        return Publication(
            channel=channel,
            release=promote([proof for proof, _ in proven], self.policy(*built)),
            files={one.variant.sha256: one.file for one in built},
            evidence={proof.envelope_sha256: envelope for proof, envelope in proven},
        )

    def publish(
        self, *built: Built, model: str = "digits", version: str = "1", channel: str = "stable"
    ) -> bool:
        """Promote and publish what was built."""
        publication = self.publication(*built, model=model, version=version, channel=channel)
        return publish(self.channel, publication, self.signers, self.now)

    def request(self, location: str | None = None, app: str = "app") -> PullRequest:
        """A pull into an app's folder."""
        return PullRequest(
            model="digits",
            device="host",
            location=location or str(self.channel),
            output_dir=self.home / app / "assets",
            lock_path=self.home / app / "model.lock",
            cache_dir=self.home / app / "cache",
            trusted_root=self.root_file,
            timeout_s=5,
        )

    def later(self, **delta: float) -> "World":
        """The same world at another time."""
        return replace(self, now=self.now + timedelta(**delta))


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    create_dev_keys(directory)
    return directory


@pytest.fixture
def world(tmp_path: Path, keys_dir: Path) -> World:
    """A world with an empty channel."""
    made = World(
        home=tmp_path,
        keys=keys_dir,
        signers=load_dev_signers(keys_dir),
        evidence_signer=load_signer(str(keys_dir / "evidence.pem")),
        root_signer=load_signer(str(keys_dir / "root.pem")),
    )
    create_channel(made.channel, made.root_signer, made.signers, made.now)
    return made


@dataclass(slots=True)
class Server:
    """A real HTTP server on loopback that a test can make lie."""

    url: str
    answers: dict[str, Callable[[SimpleHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def _serving(directory: Path) -> Generator[Server]:
    server = Server(url="")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(directory))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

        def do_GET(self) -> None:
            server.asked.append(self.path)
            lie = next((a for end, a in server.answers.items() if self.path.endswith(end)), None)
            (lie or (lambda handler: SimpleHTTPRequestHandler.do_GET(handler)))(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


Serve = Callable[[Path], AbstractContextManager[Server]]


@pytest.fixture
def serving() -> Serve:
    """Serve a folder: ``with serving(folder) as server``."""
    return _serving
