"""What must hold for every workflow, read from the files themselves."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from workflow_expression import names
from workflow_run import ACTION, REPOSITORY, WORKFLOWS, load

PINNED = re.compile(r"actions/[\w-]+@[0-9a-f]{40}")
LOCAL = "./.weighin-action/.github/actions/weighin"
OURS = ("weigh.yml", "report.yml", "promote.yml", "refresh.yml")

Found = dict[str, Any]


def jobs() -> Iterator[tuple[str, Found]]:
    for path in sorted(WORKFLOWS.glob("*.yml")):
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}:{name}", job


def all_steps() -> Iterator[tuple[str, Found]]:
    for name, job in jobs():
        for step in job["steps"]:
            yield name, step
    for step in load(ACTION / "action.yml")["runs"]["steps"]:
        yield "action", step


JOBS = [pytest.param(job, id=name) for name, job in jobs()]
STEPS = [
    pytest.param(step, id=f"{n}:{step.get('name', i)}") for i, (n, step) in enumerate(all_steps())
]


@pytest.mark.parametrize("step", STEPS)
def test_every_action_is_pinned_to_a_commit_and_its_version_is_said(step: Found) -> None:
    uses = step.get("uses")
    if uses is None or uses == LOCAL:
        return
    assert PINNED.fullmatch(uses), uses
    files = [*WORKFLOWS.glob("*.yml"), ACTION / "action.yml"]
    lines = [line for file in files for line in file.read_text().splitlines() if uses in line]
    assert lines
    assert all(re.search(r"# v\d+\.\d+\.\d+$", line) for line in lines)


def test_one_action_is_pinned_to_one_commit_everywhere() -> None:
    used = {step["uses"] for _, step in all_steps() if PINNED.fullmatch(step.get("uses", ""))}
    assert len({one.partition("@")[0] for one in used}) == len(used)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_a_time_limit(job: Found) -> None:
    assert 0 < job["timeout-minutes"] <= 360


@pytest.mark.parametrize("name", OURS)
def test_a_workflow_grants_nothing_by_itself_and_each_job_what_it_needs(name: str) -> None:
    document = load(WORKFLOWS / name)
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["permissions"]
        assert "id-token" not in job["permissions"]
        assert job["concurrency"]["group"].startswith("weighin-")


@pytest.mark.parametrize("step", STEPS)
def test_no_shell_text_holds_an_expression(step: Found) -> None:
    assert "${{" not in str(step.get("run", ""))


@pytest.mark.parametrize("step", STEPS)
def test_no_checkout_leaves_its_token_behind(step: Found) -> None:
    if step.get("uses", "").startswith("actions/checkout@"):
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_no_workflow_runs_with_rights_on_a_pull_requests_code(path: Any) -> None:
    assert "pull_request_target" not in path.read_text()


SECRET_JOBS = [
    pytest.param(job, id=name)
    for name, job in jobs()
    if any(one.startswith("secrets.") or one == "github.token" for one in names(job))
]


@pytest.mark.parametrize("job", SECRET_JOBS)
def test_a_job_with_a_secret_or_a_token_has_the_default_branch_only(job: Found) -> None:
    checkouts = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    allowed = {"${{ github.event.repository.default_branch }}"}
    if "github.ref_name == github.event.repository.default_branch" in job.get("if", ""):
        allowed.add("${{ github.sha }}")
    for step in checkouts:
        assert step["with"]["ref"].replace("inputs.weighin-ref || ", "") in allowed


def test_only_the_measuring_job_has_a_pull_requests_code() -> None:
    assert {str(param.id) for param in SECRET_JOBS} == {
        "weigh.yml:register", "report.yml:report", "report.yml:waive",
        "promote.yml:promote", "refresh.yml:weigh", "refresh.yml:renew",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("job", "keys"),
    [
        ("weigh.yml:measure", set()),
        ("weigh.yml:register", {"EVIDENCE"}),
        ("report.yml:report", set()),
        ("report.yml:waive", {"EVIDENCE"}),
        ("promote.yml:promote", {"TARGETS", "SNAPSHOT", "TIMESTAMP"}),
        ("refresh.yml:weigh", {"EVIDENCE"}),
        ("refresh.yml:renew", {"SNAPSHOT", "TIMESTAMP"}),
    ],
)
def test_no_job_that_runs_models_holds_a_key_of_the_channel(job: str, keys: set[str]) -> None:
    named = names(dict(jobs())[job])
    held = {found[1] for one in named if (found := re.match(r"secrets\.WEIGHIN_(\w+)_KEY", one))}
    assert held == keys
    assert not any("ROOT" in one for one in named)


@pytest.mark.parametrize("job", SECRET_JOBS)
def test_a_job_with_a_key_waits_for_its_environment(job: Found) -> None:
    if any(one.startswith("secrets.") for one in names(job)):
        assert job["environment"].startswith("mobile-")


def test_every_secret_and_input_that_a_job_uses_can_be_handed_to_the_workflow() -> None:
    for name in OURS:
        document = load(WORKFLOWS / name)
        call = document["on"]["workflow_call"]
        used = names(document["jobs"])
        secrets = {one.removeprefix("secrets.") for one in used if one.startswith("secrets.")}
        inputs = {one.removeprefix("inputs.") for one in used if one.startswith("inputs.")}
        assert secrets == set(call.get("secrets", {}))
        assert inputs == set(call["inputs"])


def test_every_input_of_the_action_is_used_by_it(action: Found) -> None:
    used = {one.removeprefix("inputs.") for one in names(action["runs"]) if "inputs." in one}
    assert used == set(action["inputs"])


def test_what_is_installed_is_this_release() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    version = project["version"]
    assert load(ACTION / "action.yml")["inputs"]["weighin-version"]["default"] == version
    for name in OURS:
        said = set(
            re.findall(r"inputs\.weighin-version \|\| '([^']+)'", (WORKFLOWS / name).read_text())
        )
        assert said == {version}
    torch = [one for one in project["optional-dependencies"]["plugin"] if one.startswith("torch==")]
    assert torch == [
        f"torch=={re.findall(r'^torch=(.+)$', (ACTION / 'install.sh').read_text(), re.M)[0]}"
    ]
