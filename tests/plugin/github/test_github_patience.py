import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.plugin.github.patience import Reply, one_line, pause_s, reset_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDARY = json.dumps({"message": "You have exceeded a secondary rate limit."}).encode()


def spent(at: datetime, **headers: str) -> Reply:
    reset = str(int(at.timestamp()))
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, **headers}
    return Reply(status=403, headers=told)


@pytest.mark.parametrize(
    ("reply", "limited"),
    [
        pytest.param(spent(NOW), True, id="hourly"),
        pytest.param(Reply(status=403, headers={"retry-after": "5"}), True, id="secondary-timed"),
        pytest.param(Reply(status=403, body=SECONDARY), True, id="secondary-untimed"),
        pytest.param(Reply(status=429), True, id="too-many-requests"),
        pytest.param(
            Reply(status=403, body=b'{"message": "Resource not accessible by integration"}'),
            False,
            id="no-right",
        ),
        pytest.param(Reply(status=200, headers={"x-ratelimit-remaining": "0"}), False, id="last"),
        pytest.param(Reply(status=403, body=b"<html>"), False, id="no-json"),
    ],
)
def test_a_limit_is_told_from_a_lack_of_rights(reply: Reply, limited: bool) -> None:
    assert reply.limited() is limited


@pytest.mark.parametrize(
    ("reply", "attempt", "pause"),
    [
        pytest.param(Reply(status=403, headers={"retry-after": "7"}), 1, 7.0, id="as-told"),
        pytest.param(spent(NOW + timedelta(seconds=90)), 1, 91.0, id="until-it-resets"),
        pytest.param(
            spent(
                NOW + timedelta(seconds=90),
                date=format_datetime(NOW + timedelta(seconds=30), usegmt=True),
            ),
            1,
            61.0,
            id="by-the-servers-clock",
        ),
        pytest.param(spent(NOW - timedelta(seconds=90)), 1, 1.0, id="reset-already"),
        pytest.param(Reply(status=403, body=SECONDARY), 1, 60.0, id="a-minute"),
        pytest.param(Reply(status=403, body=SECONDARY), 2, 120.0, id="then-two"),
        pytest.param(Reply(status=502), 3, 4.0, id="server-error"),
        pytest.param(Reply(status=503, headers={"retry-after": "9"}), 1, 9.0, id="maintenance"),
    ],
)
def test_the_pause_is_what_github_asks_for(reply: Reply, attempt: int, pause: float) -> None:
    assert pause_s(reply, attempt, NOW) == pause


@given(
    status=st.sampled_from([403, 429, 500, 502, 503]),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date"]),
        st.text("0123456789 -:,GMT²٣\x00", max_size=30) | st.integers(0, 10**400).map(str),
    ),
    body=st.binary(max_size=40),
    attempt=st.integers(1, 10),
)
def test_no_headers_make_it_wait_less_than_nothing_or_fail(
    status: int, headers: dict[str, str], body: bytes, attempt: int
) -> None:
    reply = Reply(status=status, headers=headers, body=body)
    assert pause_s(reply, attempt, NOW) >= 0.0
    reset_at(reply)


@given(st.text("a \n\x1b[\u202e\u2028é🎉", max_size=400))
def test_somebody_elses_words_stay_on_one_short_line(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert len(shown) <= 300
