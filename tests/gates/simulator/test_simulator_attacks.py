"""What no well-behaved client sends: the server stays up, and the next client is served."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import adbutils
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.devices.simulator.clock import ScaledClock
from weighin.gates.devices.simulator.phone import SimulatedPhone
from weighin.gates.devices.simulator.server import AdbSimulator

SYNC = b"0005sync:"
TEXTS = ["host:transport-any", "host:tport:any", "sync:", "shell:ls", "shell,v2:ls /", "exec:", ":"]
texts = st.sampled_from(TEXTS) | st.text(max_size=12)
requests = st.lists(texts.map(lambda t: f"{len(t.encode()):04x}{t}".encode()), max_size=5).flatmap(
    lambda parts: st.binary(max_size=40).map(lambda tail: b"".join(parts) + tail)
)


@pytest.fixture
def server(serve: Any, pixel: SimulatedPhone) -> AdbSimulator:
    running: AdbSimulator = serve(pixel)
    return running


@pytest.fixture
def raw(server: AdbSimulator) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def say_all(connection: socket.socket, data: bytes) -> None:
    """Send and say no more; the server may have hung up before all of it is out."""
    with suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def everything(connection: socket.socket) -> bytes:
    data = b""
    with suppress(OSError):
        while chunk := connection.recv(4096):
            data += chunk
    return data


def chosen(connection: socket.socket, service: bytes) -> socket.socket:
    """The connection after it chose the only phone and asked for a service."""
    connection.sendall(b"0012host:transport-any" + service)
    assert connection.recv(4, socket.MSG_WAITALL) == b"OKAY"
    assert connection.recv(4, socket.MSG_WAITALL) == b"OKAY"
    return connection


def assert_alive(server: AdbSimulator, pixel: SimulatedPhone) -> None:
    device = adbutils.AdbClient(port=server.port).device(pixel.serial)
    assert device.shell("echo alive") == "alive"


@pytest.mark.parametrize(
    "sent",
    [
        b"00",
        b"zzzz",
        b"-001x",
        b"+00c",
        b"0x0c",
        b"00 c",
        b"\xff\xff\xff\xff",
        b"ffffhost:version",
        b"000chost:vers",
        b"0004\xff\xfe\xfd\xfc",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_request_is_closed_without_an_answer(
    server: AdbSimulator, raw: Callable[[], socket.socket], pixel: SimulatedPhone, sent: bytes
) -> None:
    connection = raw()
    say_all(connection, sent)
    assert everything(connection) == b""
    assert_alive(server, pixel)


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "host:",
        "host:teleport",
        "teleport",
        "host-serial:",
        "host:transport-id:99",
        "host:tport:",
    ],
)
def test_an_unknown_request_is_refused_in_words(
    raw: Callable[[], socket.socket], request_text: str
) -> None:
    connection = raw()
    connection.sendall(f"{len(request_text):04x}{request_text}".encode())
    answer = everything(connection)
    assert answer[:4] == b"FAIL"
    assert int(answer[4:8], 16) == len(answer) - 8 > 0


@given(sent=st.binary(max_size=200) | requests)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_bytes_stop_the_server(server: AdbSimulator, pixel: SimulatedPhone, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        say_all(connection, sent)
        everything(connection)
    assert server.roster.listing(extended=False) == f"{pixel.serial}\tdevice\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"000chost:version")
        assert everything(connection) == b"OKAY00040029"


def test_an_unknown_service_of_the_phone_is_refused(raw: Callable[[], socket.socket]) -> None:
    connection = raw()
    connection.sendall(b"0012host:transport-any0008reverse:")
    assert connection.recv(4, socket.MSG_WAITALL) == b"OKAY"
    assert everything(connection)[:4] == b"FAIL"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(b"SEND" + struct.pack("<I", 2**31), b"FAIL", id="path of two gigabytes"),
        pytest.param(
            b"SEND" + struct.pack("<I", 24) + b"/data/local/tmp/x,33188 " + b"DATA\xff\xff\xff\x7f",
            b"FAIL",
            id="chunk of two gigabytes",
        ),
        pytest.param(b"EVIL" + bytes(4), b"FAIL", id="unknown command"),
        pytest.param(b"STAT" + struct.pack("<I", 500) + b"short", b"", id="truncated path"),
        pytest.param(b"ST", b"", id="half a command"),
        pytest.param(b"QUIT" + bytes(4), b"", id="quit"),
    ],
)
def test_broken_sync_requests_end_the_connection_only(
    server: AdbSimulator,
    raw: Callable[[], socket.socket],
    pixel: SimulatedPhone,
    sent: bytes,
    expected: bytes,
) -> None:
    connection = chosen(raw(), SYNC)
    say_all(connection, sent)
    assert everything(connection)[:4] == expected
    assert_alive(server, pixel)


def test_a_push_that_breaks_off_leaves_no_file(
    server: AdbSimulator, raw: Callable[[], socket.socket], pixel: SimulatedPhone
) -> None:
    connection = chosen(raw(), SYNC)
    target = b"/data/local/tmp/half,33188"
    connection.sendall(b"SEND" + struct.pack("<I", len(target)) + target)
    connection.sendall(b"DATA" + struct.pack("<I", 4) + b"half")
    connection.close()
    assert_alive(server, pixel)
    device = adbutils.AdbClient(port=server.port).device(pixel.serial)
    assert not device.sync.exists("/data/local/tmp/half")


def test_fifty_clients_at_once_get_their_own_answers(
    server: AdbSimulator, pixel: SimulatedPhone
) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        device = adbutils.AdbClient(port=server.port).device(pixel.serial)
        device.sync.push(b"x" * number, f"/data/local/tmp/{number}", 0o644)
        answers[number] = device.shell(f"stat -c %s /data/local/tmp/{number}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {n: str(n) for n in range(50)}


def test_a_client_that_vanishes_ends_its_command(serve: Any, pixel: SimulatedPhone) -> None:
    server = serve(pixel, clock=ScaledClock())
    state = server.roster.state(pixel.serial)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        chosen(connection, b"0010shell:sleep 3600")
        wait_until(lambda: [p.name for p in state.processes()] == ["sleep"])
    wait_until(lambda: state.processes() == ())


def test_a_background_job_outlives_its_client(serve: Any, pixel: SimulatedPhone) -> None:
    server = serve(pixel, clock=ScaledClock())
    device = adbutils.AdbClient(port=server.port).device(pixel.serial)
    pid = device.shell("nohup sleep 3600 > /dev/null 2>&1 & echo $!")
    assert [str(p.pid) for p in server.roster.state(pixel.serial).processes()] == [pid]
    assert device.shell2(f"kill {pid}").returncode == 0
    wait_until(lambda: server.roster.state(pixel.serial).processes() == ())


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not come to pass within five seconds")
