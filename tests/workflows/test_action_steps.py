"""The action's shell steps, run with bash as a runner does.

Where a step would weigh or talk to GitHub for real, a program called `weighin` stands first on the
PATH and writes down how it was called: what is under test is the step.
"""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workflow_run import ACTION, REPOSITORY, WORKFLOWS, Finished, World, load, run_job

PEM = "-----BEGIN PRIVATE KEY-----\ncanary-{}\n-----END PRIVATE KEY-----"
ROLES = ("EVIDENCE", "TARGETS", "SNAPSHOT", "TIMESTAMP")
SECRETS = {
    **{f"WEIGHIN_{role}_KEY": PEM.format(role.lower()) for role in ROLES},
    "MLFLOW_TRACKING_PASSWORD": "canary-password",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
}
RECORDER = """#!/usr/bin/python3 -SE
import json, os, pathlib, subprocess, sys
keys = pathlib.Path(".weighin/keys")
seen = ("MLFLOW", "AWS", "GITHUB_TOKEN", "KEY_", "GIT_")
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps({
        "tool": pathlib.Path(sys.argv[0]).name,
        "arguments": sys.argv[1:],
        "keys": {p.name: oct(p.stat().st_mode & 0o777) for p in sorted(keys.glob("*.pem"))},
        "folder": oct(keys.stat().st_mode & 0o777) if keys.exists() else None,
        "environ": {k: v for k, v in os.environ.items() if k.startswith(seen)},
    }) + "\\n")
script = os.environ.get("BEHAVIOUR_" + (sys.argv[1] if len(sys.argv) > 1 else ""), "")
sys.exit(subprocess.run(["bash", "-c", script, "x", *sys.argv[1:]]).returncode if script else 0)
"""
TOML = '[models.digits]\nevaluation = "data/e.npz"\ncalibration = "data/c.npz"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A repository with an origin, and a recorder in place of `weighin`, `dvc` and `python`."""

    folder: Path
    origin: Path
    base: Path

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        own = ["-c", "user.name=x", "-c", "user.email=x@y.z"]
        done = subprocess.run(
            ["git", *own, *arguments],
            cwd=cwd or self.base,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def push(self, files: dict[str, str], branch: str, message: str = "x") -> str:
        """A commit on top of the base, on a branch of the origin."""
        for name, content in files.items():
            (self.base / name).parent.mkdir(parents=True, exist_ok=True)
            (self.base / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        commit = self.git("rev-parse", "HEAD")
        where = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        self.git("push", "-q", "origin", f"{commit}:{where}")
        return commit

    def start_channel(self, files: dict[str, str]) -> None:
        place = self.folder / "channel"
        place.mkdir()
        self.git("init", "-q", "-b", "weighin-channel", cwd=place)
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(content)
        self.git("add", "--all", cwd=place)
        self.git("commit", "-q", "-m", "start", cwd=place)
        self.git("push", "-q", str(self.origin), "weighin-channel", cwd=place)

    def on_channel(self, name: str) -> str:
        return self.git("show", f"weighin-channel:{name}", cwd=self.origin)

    def run(
        self,
        where: str,
        *,
        event: dict[str, Any] | None = None,
        inputs: dict[str, str] | None = None,
        sha: str = "",
        tools: bool = True,
        **behaviour: str,
    ) -> Finished:
        """Run one job of one workflow: `weigh.yml:register`."""
        file, _, job = where.partition(":")
        tool = self.folder / "tools"
        world = World(
            folder=self.folder / "runner",
            event_name="test",
            event={"repository": {"default_branch": "main"}, **(event or {})},
            secrets=SECRETS,
            token="canary-token",  # noqa: S106 - of nothing
            checkouts={"main": self.base, "f" * 40: self.base, "": self.base},
            path=(tool,) if tools else (),
            environ={
                "RECORD": str(self.folder / "record"),
                **{f"BEHAVIOUR_{name}": script for name, script in behaviour.items()},
            },
            inputs={"weighin-version": "installed"} | (inputs or {}),
        )
        world.folder.mkdir()
        document = load(WORKFLOWS / file)["jobs"][job]
        if sha:
            for step in document["steps"]:
                given = step["with"]
                given |= {
                    k: sha for k, v in given.items() if v == "${{ github.sha }}" and k == "after"
                }
        return run_job(document, world)

    @property
    def calls(self) -> list[dict[str, Any]]:
        record = self.folder / "record"
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def commands(self) -> list[str]:
        return [" ".join([one["tool"], *one["arguments"]]) for one in self.calls]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    origin, base, tools = (folder / name for name in ("origin.git", "base", "tools"))
    for one in (origin, base, tools):
        one.mkdir()
    bench = Bench(folder=folder, origin=origin, base=base)
    bench.git("init", "-q", "--bare", "-b", "main", cwd=origin)
    bench.git("init", "-q", "-b", "main")
    bench.git("remote", "add", "origin", "../origin.git")
    bench.push({"weighin.toml": TOML, "data/c.npz": "here", ".gitignore": "/.weighin/\n"}, "main")
    for name in ("weighin", "dvc"):
        (tools / name).write_text(RECORDER)
        (tools / name).chmod(0o755)
    return folder


@pytest.fixture
def bench(made: Path, tmp_path: Path) -> Bench:
    folder = tmp_path / "bench"
    shutil.copytree(made, folder)
    bench = Bench(folder=folder, origin=folder / "origin.git", base=folder / "base")
    bench.git("remote", "set-url", "origin", str(bench.origin))
    return bench


def dispatch(model: str = "digits", version: str = "3") -> dict[str, Any]:
    return {"client_payload": {"model": model, "version": version}}


def test_a_registration_is_weighed_shown_and_reviewed(bench: Bench) -> None:
    done = bench.run("weigh.yml:register", event=dispatch())
    assert done.ok
    assert bench.commands == [
        "dvc pull --quiet -- data/e.npz",
        "weighin run -- digits/3",
        "weighin report --summary=- -- digits/3",
        "weighin report --annotations -- digits/3",
        "weighin report --format html -- digits/3",
        "weighin review --repo octo/models -- digits/3",
    ]
    assert done.outputs["run"]["exit-code"] == "0"


def test_keys_are_there_for_their_owner_only_and_gone_afterwards(bench: Bench) -> None:
    done = bench.run("weigh.yml:register", event=dispatch())
    assert {json.dumps(one["keys"]) for one in bench.calls} == {'{"evidence.pem": "0o600"}'}
    assert {one["folder"] for one in bench.calls} == {"0o700"}
    assert list((bench.folder / "runner").rglob("*.pem")) == []
    assert "canary-" not in done.text


def test_a_command_sees_the_settings_that_were_given_and_no_key(bench: Bench) -> None:
    bench.run("weigh.yml:register", event=dispatch())
    seen = bench.calls[-1]["environ"]
    given = ("GITHUB_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY")
    assert [seen[name] for name in given] == ["canary-token", "canary-password", "canary-aws"]
    assert not {"MLFLOW_TRACKING_TOKEN", "AWS_ACCESS_KEY_ID", "KEY_EVIDENCE"} & set(seen)
    assert all("canary" not in " ".join(one["arguments"]) for one in bench.calls)


NAMES = {
    "substitution": "$(touch /tmp/weighin-pwned)`touch /tmp/weighin-pwned`",
    "separator": "a; touch /tmp/weighin-pwned; 'b \"c",
    "option": "--again",
    "command": "x\n::error::owned\n::add-path::/tmp",
    "output": "x\nexit-code=0\nartifact=/etc",
    "glob": "*",
    "other-scripts": "حروف <script> 👩\u200d🔬",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_hostile_model_name_stays_one_argument(bench: Bench, name: str) -> None:
    done = bench.run("weigh.yml:register", event=dispatch(name), run='echo "$3"')
    assert not Path("/tmp/weighin-pwned").exists()  # noqa: S108 - must not be there
    for one in bench.calls[1:]:
        assert one["arguments"][-2:] == ["--", f"{name}/3"]
    assert obeyed(done.text) == []
    assert set(done.outputs["run"]) <= {"exit-code", "artifact", "artifact-name"}


def obeyed(text: str) -> list[str]:
    """The lines of a log that a runner would take for commands."""
    token: str | None = None
    found: list[str] = []
    for line in text.splitlines():
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    return found


@pytest.mark.parametrize(
    ("run", "review", "ok", "code", "reviewed"),
    [
        ("exit 3", "exit 3", True, "3", True),
        ("exit 0", "exit 3", True, "3", True),
        ("exit 1", "exit 0", False, "1", False),
        ("exit 2", "exit 0", False, "2", False),
        ("exit 0", "exit 1", False, "1", True),
    ],
    ids=["nothing-ships", "review-says-no", "not-weighed", "configuration", "review-fails"],
)
def test_a_verdict_is_no_failure_and_a_failure_is_one(
    bench: Bench, run: str, review: str, ok: bool, code: str, reviewed: bool
) -> None:
    done = bench.run("weigh.yml:register", event=dispatch(), run=run, review=review)
    assert done.ok is ok
    assert done.outputs["run"]["exit-code"] == code
    assert any("review" in one for one in bench.commands) is reviewed


MADE = """
for name in "a b/v2" "c/v10"; do
  mkdir -p ".weighin/runs/$name" && echo '{}' >".weighin/runs/$name/report.json"
done
exit 1
"""


def test_without_a_version_whatever_is_due_is_weighed_and_each_is_reviewed(bench: Bench) -> None:
    page = 'echo page >p.html; [[ $2 == --format ]] && echo "$PWD/p.html" || true'
    done = bench.run("refresh.yml:weigh", sync=MADE, report=page)
    assert not done.ok  # one could not be weighed; the others are reviewed all the same
    reviewed = [one for one in bench.commands if " review " in one]
    assert reviewed == [
        "weighin review --repo octo/models --renew -- a b/2",
        "weighin review --repo octo/models --renew -- c/10",
    ]
    assert len(list(done.uploads["weighin-report-job"].rglob("report.html"))) == 2


def test_the_summary_and_the_page_are_kept(bench: Bench) -> None:
    page = 'if [[ $2 == --summary=- ]]; then echo "**verdict**"; fi'
    done = bench.run("weigh.yml:register", event=dispatch(), report=page)
    assert done.summary == "**verdict**\n"


def test_a_folder_without_a_project_does_nothing(bench: Bench) -> None:
    bench.git("rm", "-q", "weighin.toml")
    done = bench.run("weigh.yml:register", event=dispatch())
    assert done.ok
    assert bench.commands == []
    assert "nothing to do" in done.text


def test_a_pull_request_is_measured_with_keys_that_nobody_trusts(bench: Bench) -> None:
    done = bench.run("weigh.yml:measure", bundle='mkdir "$3"')
    assert [one.split()[:2] for one in bench.commands if "dvc" not in one] == [
        ["weighin", "init"], ["weighin", "sync"], ["weighin", "bundle"],
    ]  # fmt: skip
    assert set(done.uploads) == {"weighin-bundle"}
    assert not any("GITHUB_TOKEN" in one["environ"] for one in bench.calls)


def test_a_pull_request_that_cannot_be_weighed_still_leaves_a_bundle(bench: Bench) -> None:
    done = bench.run("weigh.yml:measure", sync="exit 1", bundle='mkdir "$3"')
    assert not done.ok
    assert set(done.uploads) == {"weighin-bundle"}


SHA = "1f" * 20
FETCHED = f'mkdir -p "$3/weigh-in-0" "$3/weigh-in-1"; echo "7 {SHA}"'


def test_each_weigh_in_of_a_bundle_is_judged_also_after_one_that_fails(bench: Bench) -> None:
    failing = "[[ $* == *weigh-in-1 ]]"
    done = bench.run("report.yml:report", bundle=FETCHED, review=failing)
    judged = [one for one in bench.commands if " review " in one]
    start = f"weighin review --repo octo/models --pull 7 --sha {SHA} --bundle "
    assert [one.removeprefix(start).rpartition("/")[2] for one in judged] == [
        "weigh-in-0", "weigh-in-1",
    ]  # fmt: skip
    assert all(one.startswith(start) for one in judged)
    assert not done.ok
    assert {json.dumps(one["keys"]) for one in bench.calls} == {"{}"}


@pytest.mark.parametrize("bundle", ["", f'mkdir "$3"; echo "7 {SHA}"'], ids=["moved-on", "empty"])
def test_nothing_to_report_is_no_failure(bench: Bench, bundle: str) -> None:
    done = bench.run("report.yml:report", bundle=bundle)
    assert done.ok
    assert not any(" review " in one for one in bench.commands)


def comment(number: object = 7) -> dict[str, Any]:
    return {"issue": {"number": number}, "comment": {"body": "weighin: waive size_mib because"}}


def test_a_waiver_is_read_on_a_branch_of_weighins_own(bench: Bench) -> None:
    commit = bench.push({}, "weighin/digits/v1")
    bench.git("push", "-q", "origin", f"{commit}:refs/pull/7/head")
    bench.git("reset", "-q", "--hard", "HEAD^")
    done = bench.run("report.yml:waive", event=comment(), bundle="echo digits/1; echo 'a b/2'")
    assert done.ok, done.text
    assert [one for one in bench.commands if "dvc" not in one] == [
        f"weighin bundle restore {commit}",
        "weighin review --repo octo/models -- digits/1",
        "weighin review --repo octo/models -- a b/2",
    ]


def test_a_waiver_elsewhere_is_not_read(bench: Bench) -> None:
    commit = bench.push({}, "refs/pull/7/head")
    bench.git("push", "-q", "origin", f"{commit}:refs/heads/other/weighin/x")
    done = bench.run("report.yml:waive", event=comment())
    assert done.ok
    assert bench.commands == []
    assert "nothing can be waived there" in done.text


@pytest.mark.parametrize("number", ["7/head:main", "", "-1", "7 8"])
def test_a_number_that_is_none_is_refused(bench: Bench, number: str) -> None:
    assert not bench.run("report.yml:waive", event=comment(number)).ok
    assert bench.commands == []


CHANNEL = {"root.json": "{}", "metadata/timestamp.json": "1", "targets/a": "a"}
SIGNED = "echo 2 >.weighin/channel/metadata/timestamp.json"


def test_what_was_merged_is_released_onto_the_channels_branch(bench: Bench) -> None:
    bench.start_channel(CHANNEL)
    after = bench.git("rev-parse", "HEAD")
    done = bench.run("promote.yml:promote", event={"before": "a" * 40}, sha=after, promote=SIGNED)
    assert done.ok, done.text
    assert bench.commands[-1] == f"weighin promote --merged {'a' * 40} {after}"
    assert set(bench.calls[-1]["keys"]) == {"targets.pem", "snapshot.pem", "timestamp.pem"}
    assert bench.on_channel("metadata/timestamp.json") == "2"
    assert bench.on_channel("promoted.txt") == after
    assert "extraheader" not in bench.git("config", "--list", cwd=bench.origin)


def test_the_next_release_starts_where_the_last_one_ended(bench: Bench) -> None:
    before = bench.git("rev-parse", "HEAD")
    bench.start_channel({**CHANNEL, "promoted.txt": f"{before}\n"})
    after = bench.push({}, "main")
    bench.run("promote.yml:promote", event={"before": "a" * 40}, sha=after)
    assert bench.commands[-1] == f"weighin promote --merged {before} {after}"


@pytest.mark.parametrize("known", ["--exec=x", "b" * 40], ids=["hostile", "unknown"])
def test_a_note_that_is_no_ancestor_is_not_believed(bench: Bench, known: str) -> None:
    bench.start_channel({**CHANNEL, "promoted.txt": known})
    after = bench.git("rev-parse", "HEAD")
    bench.run("promote.yml:promote", event={"before": "a" * 40}, sha=after)
    assert bench.commands[-1] == f"weighin promote --merged {'a' * 40} {after}"


def test_a_refused_version_fails_the_job_and_is_tried_again_next_time(bench: Bench) -> None:
    bench.start_channel(CHANNEL)
    script = f"{SIGNED}; exit 1"
    done = bench.run(
        "promote.yml:promote", event={"before": "a" * 40}, sha="b" * 40, promote=script
    )
    assert not done.ok
    assert bench.on_channel("metadata/timestamp.json") == "2"  # what was released stays released
    with pytest.raises(subprocess.CalledProcessError):
        bench.on_channel("promoted.txt")


def test_a_channel_that_moved_meanwhile_is_taken_anew(bench: Bench) -> None:
    bench.start_channel(CHANNEL)
    race = f"""
if [[ ! -e {bench.folder}/raced ]]; then
  touch {bench.folder}/raced
  git clone -q --branch weighin-channel {bench.origin} {bench.folder}/rival
  cd {bench.folder}/rival && echo b >targets/b && git add -A && git commit -qm rival && git push -q
  cd - >/dev/null
fi
{SIGNED}
"""
    done = bench.run("promote.yml:promote", event={"before": "a" * 40}, sha="b" * 40, promote=race)
    assert done.ok, done.text
    assert "moved meanwhile (attempt 1)" in done.text
    assert bench.on_channel("targets/b") == "b"
    assert bench.on_channel("metadata/timestamp.json") == "2"


def test_without_the_channels_branch_nothing_is_released(bench: Bench) -> None:
    done = bench.run("promote.yml:promote", event={"before": "a" * 40}, sha="b" * 40)
    assert not done.ok
    assert "no branch weighin-channel" in done.text
    assert not any("promote" in one for one in bench.commands)


def test_an_origin_that_does_not_answer_is_not_taken_for_one_without_a_channel(
    bench: Bench,
) -> None:
    bench.git("remote", "set-url", "origin", str(bench.folder / "gone"))
    done = bench.run("weigh.yml:register", event=dispatch())
    assert not done.ok
    assert bench.commands == []


def test_a_channel_is_renewed_for_real_with_two_keys_only(bench: Bench) -> None:
    from datetime import UTC, datetime, timedelta

    from weighin.registry.channel import create_channel
    from weighin.registry.keys import create_dev_keys, load_dev_signers, load_signer

    keys, place = bench.folder / "keys", bench.folder / "made"
    create_dev_keys(keys)
    then = datetime.now(UTC) - timedelta(days=2)
    create_channel(place, load_signer(str(keys / "root.pem")), load_dev_signers(keys), then)
    files = {str(p.relative_to(place)): p.read_text() for p in place.rglob("*") if p.is_file()}
    bench.start_channel(files)
    for role in ("snapshot", "timestamp"):
        SECRETS_REAL[f"WEIGHIN_{role.upper()}_KEY"] = (keys / f"{role}.pem").read_text()
    (bench.base / "weighin.toml").write_text("")
    before = bench.on_channel("metadata/timestamp.json")
    done = run_real(bench, "refresh.yml:renew")
    assert done.ok, done.text
    assert bench.on_channel("metadata/timestamp.json") != before
    assert bench.git("log", "-1", "--format=%an %s", "weighin-channel", cwd=bench.origin) == (
        "weighin The channel is alive"
    )


SECRETS_REAL: dict[str, str] = {}


def run_real(bench: Bench, where: str) -> Finished:
    """The same with the `weighin` of this environment, and real keys."""
    file, _, job = where.partition(":")
    world = World(
        folder=bench.folder / "runner",
        event_name="schedule",
        event={},
        secrets=SECRETS_REAL,
        token="",
        checkouts={"": bench.base},
        path=(REPOSITORY / ".venv" / "bin",),
        inputs={"weighin-version": "installed"},
    )
    world.folder.mkdir()
    return run_job(load(WORKFLOWS / file)["jobs"][job], world)


def shell(script: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = script.split()
    return subprocess.run(
        ["bash", str(ACTION / name), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_key_file_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / ".weighin" / "keys" / "evidence.pem"
    file.parent.mkdir(parents=True)
    file.touch()
    file.chmod(0o644)
    shell("keys.sh write", tmp_path, KEY_EVIDENCE=PEM.format("x"), KEY_TARGETS="")
    assert file.read_text() == PEM.format("x") + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["evidence.pem"]


def test_only_the_keys_that_the_job_brought_are_taken_away(tmp_path: Path) -> None:
    for role in ("evidence", "targets"):
        shell("keys.sh write", tmp_path, **{f"KEY_{role.upper()}": "pem"})
    shell("keys.sh remove", tmp_path, KEY_EVIDENCE="true", KEY_TARGETS="false")
    assert [path.name for path in (tmp_path / ".weighin" / "keys").iterdir()] == ["targets.pem"]


Installed = Callable[..., list[list[str]]]


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    def install(code: str = "", **environ: str) -> list[list[str]]:
        tools = tmp_path / "tools"
        tools.mkdir()
        script = f'#!/usr/bin/env bash\nprintf "%s\\0" "$@" >>"$RECORD"\necho >>"$RECORD"\n{code}\n'
        (tools / "python").write_text(script)
        (tools / "python").chmod(0o755)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        shell("install.sh", tmp_path, RECORD=str(tmp_path / "record"), **environ | {"PATH": path})
        lines = (tmp_path / "record").read_text().splitlines()
        return [line.split("\0")[:-1] for line in lines]

    return install


def test_a_release_is_installed_by_its_exact_version(installed: Installed) -> None:
    torch, weighin = installed(WEIGHIN_VERSION="0.1.0")
    assert torch[-1] == "torch==2.13.0"
    assert "--no-deps" in torch
    assert weighin[-1] == "weighin[plugin]==0.1.0"


def test_a_folder_is_installed_in_place_of_a_release(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "my source").mkdir()
    _, weighin = installed(
        WEIGHIN_VERSION="0.1.0", WEIGHIN_SOURCE="my source", CONSTRAINTS="my pins.txt"
    )
    assert weighin[-1] == f"{tmp_path / 'my source'}[plugin]"
    assert weighin[weighin.index("--constraint") + 1] == "my pins.txt"


def test_without_pytorchs_own_index_the_rest_is_installed_all_the_same(
    installed: Installed,
) -> None:
    refuse = '[[ "$*" != *--index-url* ]]'
    assert len(installed(refuse, WEIGHIN_VERSION="0.1.0")) == 2
