"""What a child process may do, and what becomes of one that does more."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from weighin.gates.child import (
    ChildResult,
    End,
    Limits,
    append_result,
    can_isolate,
    child_environment,
    read_job,
    run_child,
    run_command,
)

LIMITS = Limits(wall_seconds=30, memory_mib=400)
ANSWER = "from weighin.gates.child import append_result; from pathlib import Path\n"


def run(code: str, workdir: Path, limits: Limits = LIMITS) -> ChildResult:
    workdir.mkdir(parents=True, exist_ok=True)
    script = workdir / "script.py"
    script.write_text(code)
    return run_command((sys.executable, "-I", str(script.resolve())), workdir, limits)


@pytest.mark.parametrize(
    ("code", "how", "words"),
    [
        pytest.param("print('fine')", End.OK, "", id="ends well"),
        pytest.param("import os; os._exit(7)", End.CRASHED, "exit status 7", id="leaves abruptly"),
        pytest.param("1 / 0", End.CRASHED, "ZeroDivisionError", id="raises"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", End.CRASHED, "SIGKILL", id="kills itself"
        ),
        pytest.param("import os; os.abort()", End.CRASHED, "SIGABRT", id="aborts"),
        pytest.param(
            "import ctypes; ctypes.string_at(0)", End.CRASHED, "SIGSEGV", id="reads nowhere"
        ),
    ],
)
def test_every_end_is_a_value_with_its_reason(
    tmp_path: Path, code: str, how: End, words: str
) -> None:
    ended = run(code, tmp_path).ended
    assert ended.how is how
    assert words in ended.reason


def test_a_child_that_hangs_is_stopped(tmp_path: Path) -> None:
    limits = Limits(wall_seconds=0.5, memory_mib=400)
    ended = run("import time; time.sleep(600)", tmp_path, limits).ended
    assert ended.how is End.TIMED_OUT
    assert ended.reason == "timed out after 0.5 s"


def test_a_child_that_eats_memory_is_stopped(tmp_path: Path) -> None:
    code = "import time\neaten = []\nwhile True:\n eaten.append(b'x' * 10**7); time.sleep(0.01)"
    ended = run(code, tmp_path, Limits(wall_seconds=60, memory_mib=150)).ended
    assert ended.how is End.OVER_MEMORY
    assert "of 150 MiB" in ended.reason


def test_memory_of_grandchildren_counts(tmp_path: Path) -> None:
    code = "import os, time\nfor _ in range(4):\n if not os.fork():\n  x = b'x' * 80_000_000\n"
    code += "  time.sleep(600)\ntime.sleep(600)"
    ended = run(code, tmp_path, Limits(wall_seconds=60, memory_mib=200)).ended
    assert ended.how is End.OVER_MEMORY


def test_results_written_before_a_crash_are_kept(tmp_path: Path) -> None:
    code = ANSWER + "append_result(Path('results.jsonl'), {'n': 1})\nopen('results.jsonl', 'a')"
    code += ".write('{\"torn\": ')\nimport os; os._exit(3)"
    result = run(code, tmp_path)
    assert result.lines == ({"n": 1},)
    assert result.ended.how is End.CRASHED


def test_results_are_seen_while_the_child_runs(tmp_path: Path) -> None:
    seen: list[object] = []
    script = tmp_path / "script.py"
    script.write_text(ANSWER + "append_result(Path('results.jsonl'), {'n': 1})")
    command = (sys.executable, "-I", str(script))
    run_command(command, tmp_path, LIMITS, on_line=lambda line: seen.append(line["n"]))
    assert seen == [1]


def test_nonsense_in_the_results_is_not_believed(tmp_path: Path) -> None:
    code = "open('results.jsonl', 'w').write('nonsense\\n[1]\\n\\xff\\n{\"n\": 2}\\n')"
    assert run(code, tmp_path).lines == ({"n": 2},)


@pytest.mark.parametrize("hiding", ["", "os.setsid();"], ids=["in the group", "in its own session"])
def test_a_grandchild_left_behind_is_killed(tmp_path: Path, hiding: str) -> None:
    if hiding and not can_isolate():
        pytest.skip("this machine gives no process namespaces (unshare)")
    code = f"import os, time\nif not os.fork():\n {hiding} time.sleep(600)\ntime.sleep(0.3)"
    run(code, tmp_path)
    assert _left_alive(str(tmp_path)) == []


def test_a_fork_bomb_ends_with_its_child(tmp_path: Path) -> None:
    code = "import os, time\nfor _ in range(6):\n os.fork()\ntime.sleep(600)"
    result = run(code, tmp_path, Limits(wall_seconds=2, memory_mib=4000))
    assert result.ended.how is End.TIMED_OUT
    assert _left_alive(str(tmp_path)) == []


def test_the_environment_holds_no_secret(tmp_path: Path) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "s1", "GITHUB_TOKEN": "s2", "MLFLOW_TRACKING_TOKEN": "s3"}
    given = child_environment({"PATH": "/bin"} | secrets, tmp_path, LIMITS)
    assert not set(secrets) & set(given)
    assert given["PATH"] == "/bin"
    assert given["HOME"] == str(tmp_path)
    assert given["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_a_child_does_not_see_the_parents_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHIN_TEST_TOKEN", "secret")
    code = ANSWER + "import os\nappend_result(Path('results.jsonl'), dict(os.environ))"
    (line,) = run(code, tmp_path).lines
    assert "secret" not in line.values()


def test_a_hidden_folder_looks_empty_and_stays_covered(tmp_path: Path) -> None:
    if not can_isolate():
        pytest.skip("this machine gives no mount namespaces (unshare)")
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "private.pem").write_text("secret")
    code = f"import os, subprocess; subprocess.run(['umount', {str(keys)!r}])\n"
    code += f"raise SystemExit('seen: ' + str(os.listdir({str(keys)!r})))"
    limits = Limits(wall_seconds=30, memory_mib=400, hidden=(keys,))
    assert run(code, tmp_path / "work", limits).ended.reason.endswith("seen: []")
    assert (keys / "private.pem").read_text() == "secret"


def test_a_hidden_file_looks_empty_and_its_neighbours_stay(tmp_path: Path) -> None:
    if not can_isolate():
        pytest.skip("this machine gives no mount namespaces (unshare)")
    key, other = tmp_path / "evidence.pem", tmp_path / "other"
    key.write_text("secret")
    other.write_text("in the open")
    code = f"import subprocess; subprocess.run(['umount', {str(key)!r}])\n"
    code += f"raise SystemExit('seen: ' + open({str(key)!r}).read() + open({str(other)!r}).read())"
    limits = Limits(wall_seconds=30, memory_mib=400, hidden=(key, tmp_path / "gone"))
    assert run(code, tmp_path / "work", limits).ended.reason.endswith("seen: in the open")
    assert key.read_text() == "secret"


def test_the_network_is_out_of_reach(tmp_path: Path) -> None:
    if not can_isolate():
        pytest.skip("this machine gives no network namespaces (unshare)")
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    result = run(code, tmp_path)
    assert result.isolated
    assert "Network is unreachable" in result.ended.reason


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    if not can_isolate():
        pytest.skip("this machine gives no process namespaces (unshare)")
    inner = tmp_path / "inner.py"
    inner.write_text("import time; time.sleep(600)")
    outer = (
        "from pathlib import Path; from weighin.gates.child import *; import sys, os, threading\n"
    )
    outer += "threading.Timer(0.5, os.kill, (os.getpid(), 9)).start()\n"
    outer += f"run_command((sys.executable, {str(inner)!r}), Path({str(tmp_path)!r}), "
    outer += "Limits(wall_seconds=99, memory_mib=999))"
    subprocess.run((sys.executable, "-c", outer), check=False)
    assert _left_alive(str(inner)) == []


def test_a_module_gets_its_job_and_answers(tmp_path: Path) -> None:
    result = run_child("json.tool", {"a": 1}, tmp_path, LIMITS)
    assert result.ended.ok
    job, results = read_job(tmp_path / "job.json")
    append_result(results, {"echo": job["a"]})
    assert results.read_text() == '{"echo": 1}\n'


def test_what_a_child_prints_is_cut_to_a_readable_reason(tmp_path: Path) -> None:
    code = "print('x' * 5_000_000)\nraise SystemExit('the last word')"
    reason = run(code, tmp_path).ended.reason
    assert reason.endswith("the last word")
    assert len(reason) < 1000


def _left_alive(part: str) -> list[str]:
    """Who is still there after the kernel had time to bury the killed."""
    deadline = time.monotonic() + 20
    while (alive := _alive(part)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def _alive(part: str) -> list[str]:
    """Command lines of living processes that contain a text."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if part in line and line.rstrip().endswith(("script.py", "inner.py")):
            found.append(line)
    return found
