"""The simulated shell does what a phone's shell does with the commands that adb routes use."""

import re
import shlex
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.core_design import design_of
from weighin.gates.devices.simulator.clock import Clock, ManualClock, ScaledClock
from weighin.gates.devices.simulator.commands import commands_of
from weighin.gates.devices.simulator.phone import simulated
from weighin.gates.devices.simulator.session import Session, Streams
from weighin.gates.devices.simulator.shell import Shell
from weighin.gates.devices.simulator.state import State
from weighin.gates.devices.simulator.system_files import cpuinfo
from weighin.gates.profile import Os, all_profiles, load_profile

T = "/data/local/tmp"
MD5_OF_ABC = "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321


class Phone:
    """A phone without a server."""

    def __init__(self, clock: Clock | None = None) -> None:
        pixel = simulated(load_profile("pixel-4"))
        self.state = State(pixel, clock or ManualClock(), 1_790_000_000.0)

    def __call__(self, text: str) -> tuple[int, str, str]:
        out, err = bytearray(), bytearray()
        shell = Shell(Session(state=self.state), commands_of(self.state.phone))
        status = shell.run_text(text, Streams(out=out.extend, err=err.extend))
        return status, out.decode(), err.decode()


@pytest.fixture
def sh() -> Iterator[Phone]:
    phone = Phone()
    phone.state.files.write(f"{T}/model", b"weights", mode=0o644)
    yield phone
    phone.state.cancel_all()


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("echo a  b 'c  d' \"e  f\" g\\ h", "a b c  d e  f g h\n"),
        ("echo -n x; echo y", "xy\n"),
        ("false || echo b && echo c", "b\nc\n"),
        ("true && false || echo no", "no\n"),
        ("true || echo a; echo $?", "0\n"),
        ("false; echo $? $?", "1 1\n"),
        ("X=1; X=2 sh -c 'echo $X'; echo $X ${X} '$X' \"$X\"", "2\n1 1 $X 1\n"),
        (f"cd {T} && pwd && ls", f"{T}\nmodel\n"),
        (f"(cd {T}); pwd", "/\n"),
        ("{ echo a; echo b; } | wc -l", "2\n"),
        (f"cat {T}/model", "weights"),
        (f"cat {T}/mod*l {T}/mod?l", "weightsweights"),
        (f"cat {T}/{{model,model}}", "weightsweights"),
        ("echo no*match", "no*match\n"),
        (f"cd {T}; echo m*", "model\n"),
        (f"echo hi > {T}/f; echo ho >> {T}/f; cat {T}/f", "hi\nho\n"),
        ("nosuch 2>&1", "/system/bin/sh: nosuch: inaccessible or not found\n"),
        (f"nosuch > {T}/log 2>&1; cat {T}/log | grep -c inaccessible", "1\n"),
        ("echo $(echo a b) `echo c`", "a b c\n"),
        ("for n in 1 2 $(echo 3); do echo <$n; done", None),
        ("for n in 1 2 $(echo 3); do echo n$n; done", "n1\nn2\nn3\n"),
        ("echo a | grep b || echo none", "none\n"),
        (f"stat -c %s {T}/model; stat -c %a {T}/model", "7\n644\n"),
        (f"chmod 755 {T}/model; stat -c '%a %n' {T}/model", f"755 {T}/model\n"),
        (f"chmod +x {T}/model; stat -c %a {T}/model", "755\n"),
        (f"mkdir -p {T}/a/b && touch {T}/a/b/c && find {T}/a -name c", f"{T}/a/b/c\n"),
        (f"rm -rf {T}/a; rm {T}/model; ls {T}", ""),
        ("echo -n abc > /sdcard/x; md5sum /sdcard/x", f"{MD5_OF_ABC}  /sdcard/x\n"),
        ("uname -m; toybox getconf PAGESIZE; nproc; taskset f0 nproc", "aarch64\n4096\n8\n4\n"),
        ("sleep 90; cat /proc/uptime", "90.00 720.00\n"),
        ("echo a # b\necho c#d # e; echo f", "a\nc#d\n"),
        ("date +%s", "1790000000\n"),
        ("sleep 10; date +%s", "1790000010\n"),
        ("whoami; id -u", "shell\nuid=2000(shell) gid=2000(shell)\n"),
        ("[ -f /proc/cpuinfo ] && [ ! = x ] || echo no", "no\n"),
        ("test -d /data/local/tmp && echo yes # no word", "yes\n"),
        ("grep MemTotal /proc/meminfo", "MemTotal:        5851054 kB\n"),
        (f"cp {T}/model {T}/m2 && mv {T}/m2 /sdcard && ls {T} /sdcard", "model\nm2\n"),
        (f"cp {T}/model /sdcard/m3; cmp -s a b; echo $?; ls /sdcard", "127\nm3\n"),
        (f"ls -l {T}", "-rw-r--r-- 1 shell shell        7 2026-09-21 14:13 model\n"),
        (f"ls -ld {T}/model", f"-rw-r--r-- 1 shell shell        7 2026-09-21 14:13 {T}/model\n"),
        ("printf 'a\\nB\\nc\\n' | grep -i b", "B\n"),
        ("printf 'a\\nB\\nc\\n' | grep -v B | tail -n 1", "c\n"),
        ("printf 'a\\nb\\nc\\n' | head -2 | tail -1", "b\n"),
        ("printf 'a.c\\nabc\\n' | grep -F a.c; echo abc | grep -q b && echo found", "a.c\nfound\n"),
        (f"wc -c {T}/model; wc -l < {T}/model", f"7 {T}/model\n0\n"),
        (f"echo 'echo from $0 file' > {T}/s; sh {T}/s", "from file\n"),
        ("export A=b; sh -c 'echo $A'; echo ${NONE:-default}", "b\ndefault\n"),
        ("nohup env toybox echo through", "through\n"),
        ("true & wait; echo $?", "0\n"),
        ("[ a = a ] && [ a != b ] && [ -n x ] && [ -z '' ] && [ 1 -eq 1 ] && echo yes", "yes\n"),
        (f"[ -x {T}/model ] || [ -e /nothing ] || [ -d {T}/model ] || echo none", "none\n"),
        ("dumpsys meminfo nobody", "No process found for: nobody\n"),
        ("getprop ro.nothing fallback; getprop ro.nothing", "fallback\n\n"),
        ("getprop | grep simulated.$", None),
        ("getprop | grep -c weighin.simulated", "1\n"),
        ("ls /proc/uptime /dev; find /data -name mod*", "/proc/uptime\n/data/local/tmp/model\n"),
        ("date; date +%H:%M", "Mon Sep 21 14:13:20 GMT 2026\n14:13\n"),
        ("cat /sys/devices/system/cpu/cpufreq/policy*/related_cpus", "0 1 2 3\n4 5 6\n7\n"),
    ],
)
def test_commands_write_what_a_phone_writes(sh: Phone, text: str, out: str | None) -> None:
    if out is None:
        assert sh(text)[0] != 0
    else:
        assert sh(text)[1] == out


@pytest.mark.parametrize(
    ("text", "status", "complaint"),
    [
        ("nosuch", 127, "/system/bin/sh: nosuch: inaccessible or not found"),
        ("./nosuch", 127, "/system/bin/sh: ./nosuch: inaccessible or not found"),
        (f"{T}/model", 126, f"/system/bin/sh: {T}/model: can't execute: Permission denied"),
        (f"chmod +x {T}/model; {T}/model", 126, "not executable"),
        ("su -c id", 127, "/system/bin/sh: su: inaccessible or not found"),
        ("cat /nothing", 1, "cat: /nothing: No such file or directory"),
        ("X=$(cat /nothing)", 1, "cat: /nothing: No such file or directory"),
        ("cat /data", 1, "cat: /data: Is a directory"),
        ("echo x > /proc/cpuinfo", 1, "Permission denied"),
        ("rm -rf /data/local/tmp", 1, "Permission denied"),
        ("rm /sys/class/power_supply/battery/status", 1, "Permission denied"),
        ("cd /nothing", 2, "/system/bin/sh: cd: /nothing: No such file or directory"),
        ("taskset 0 ls", 1, "taskset: failed to set"),
        ("taskset zz ls", 1, "taskset: bad mask 'zz'"),
        ("kill 99999", 1, "kill: 99999: No such process"),
        ("ls --help", 1, "ls: Unknown option"),
        ("chmod rwx /data/local/tmp/model", 1, "chmod: bad mode 'rwx'"),
        ("chmod 777 /proc/cpuinfo", 1, "Operation not permitted"),
        ("mkdir /data/local/tmp/a/b", 1, "No such file or directory"),
        ("mkdir /data/local/tmp", 1, "File exists"),
        ("rm /data/local/tmp/nothing", 1, "rm: /data/local/tmp/nothing: No such file or directory"),
        ("cp /data/local/tmp/model", 1, "cp: needs a source and a destination"),
        ("df -h", 1, "df: -h is not simulated"),
        ("stat /data", 1, "stat: only -c FORMAT FILE... is simulated"),
        ("grep '(' /proc/cpuinfo", 1, "grep: "),
        ("grep", 2, "grep: no REGEX"),
        ("find /", 1, "find: only FOLDER -name PATTERN is simulated"),
        ("sleep soon", 1, "sleep: not a number 'soon'"),
        ("kill -FLY 1", 1, "kill: bad -FLY"),
        ("wait 99", 127, ""),
        ("sh", 1, "sh: only -c TEXT or FILE is simulated"),
        ("sh /nothing", 127, "sh: /nothing: No such file or directory"),
        ("uname -x", 1, "uname: Unknown option '-x'"),
        ("getconf NOTHING", 1, "getconf: bad 'NOTHING'"),
        ("date yesterday", 1, "date: bad 'yesterday'"),
        ("test a -lt b", 2, "test: this test is not simulated"),
        ("dumpsys teapot", 0, "Can't find service: teapot"),
        ("printf", 1, "printf: missing FORMAT"),
        ("cd /proc/cpuinfo", 2, "cd: /proc/cpuinfo: Not a directory"),
        ("cat < /nothing", 1, "/system/bin/sh: can't use /nothing: No such file or directory"),
        ("for x of a; do echo; done", 1, "syntax error"),
        ("echo 'open", 1, "no closing quote"),
        ("echo $(open", 1, "no closing ')'"),
        ("(echo a", 1, "syntax error"),
        ("a && && b", 1, "syntax error"),
        ("if true; then echo; fi", 1, "syntax error: 'if' unexpected"),
        ("cat << EOF", 1, "syntax error"),
        ("(" * 200 + "x" + ")" * 200, 1, "nested too deeply"),
        ("echo " + "$(" * 300 + "x" + ")" * 300, 0, "nested too deeply"),
        (f"echo sh {T}/loop > {T}/loop; sh {T}/loop", 1, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_fails_fails_with_a_phones_words_and_code(
    sh: Phone, text: str, status: int, complaint: str
) -> None:
    found, _, err = sh(text)
    assert complaint in err
    assert found == status


def test_exit_ends_the_text_with_its_code(sh: Phone) -> None:
    assert sh("echo a; exit 5; echo b") == (5, "a\n", "")
    assert sh("sh -c 'exit 5'; echo $?") == (0, "5\n", "")
    assert sh("(exit 4); echo $?") == (0, "4\n", "")


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_quoted_word_comes_back_as_it_was(text: str) -> None:
    assert Phone()(f"printf %s {shlex.quote(text)}") == (0, text, "")


@given(text=st.text("ab $(){}'\"`;&|<>!*?=\\\n", max_size=25))
@settings(max_examples=200, deadline=None)
def test_no_text_crashes_the_shell(text: str) -> None:
    status, _, _ = Phone()(text)
    assert 0 <= status <= 255


def test_cores_of_all_kinds_are_shown_with_their_numbers(sh: Phone) -> None:
    parts = [line for line in sh("cat /proc/cpuinfo")[1].splitlines() if "CPU part" in line]
    assert [line[-5:] for line in parts] == ["0x805"] * 4 + ["0x804"] * 4
    assert "asimddp" in sh("cat /proc/cpuinfo")[1]


def test_every_profiles_cores_have_numbers_that_name_their_design() -> None:
    for profile in all_profiles():
        if profile.os is Os.ANDROID:
            phone = simulated(profile)
            found = re.findall(r"implementer\t: (\w+)|part\t: (\w+)", cpuinfo(phone))
            numbers = [int(one or other, 16) for one, other in found]
            designs = [design_of(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
            assert [d and d.name for d in designs] == [kind.design for kind in phone.cores]


def test_a_program_shows_its_peak_memory_while_it_runs(sh: Phone) -> None:
    process = sh.state.start("benchmark_model")
    process.use_memory(50_000)
    process.use_memory(20_000)
    _, status, _ = sh("cat /proc/$(pidof benchmark_model)/status")
    assert "VmHWM:\t   50000 kB" in status
    assert "VmRSS:\t   20000 kB" in status
    assert "benchmark_model" in sh("ps")[1]
    assert "TOTAL RSS:    20000" in sh("dumpsys meminfo benchmark_model")[1]
    assert "Rss:         20000 kB" in sh(f"cat /proc/{process.pid}/smaps_rollup")[1]
    assert sh(f"kill -0 {process.pid}")[0] == 0
    sh.state.end(process)
    assert sh("pidof benchmark_model")[0] == 1
    assert sh(f"cat /proc/{process.pid}/status")[0] == 1


@pytest.mark.parametrize(("option", "status"), [("", 143), ("-9", 137), ("-INT", 130)])
def test_a_killed_job_ends_with_its_signal(option: str, status: int) -> None:
    in_real_time = Phone(ScaledClock())
    told = in_real_time(f"sleep 3600 & kill {option} $!; wait $!; echo $?")
    assert told == (0, f"{status}\n", "")
