"""Whether a call may pass: who sends it, is it within the limits, does the token have the right.

What this module does not do: it answers no call that passes; ``routes`` finds who does.
"""

from datetime import datetime
from typing import Any

import jwt

from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import App, Token
from weighin.plugin.github.simulator.wire import Call, Refused, refused
from weighin.plugin.github.simulator.world import World

Needs = tuple[tuple[str, str], ...]


def sender(world: World, call: Call, now: datetime) -> Token | App:
    """Who sends a call; 401 if nobody known, or too late."""
    scheme, _, text = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() not in ("token", "bearer") or not text:
        raise refused(401, "Requires authentication")
    token = world.tokens.get(text)
    if token is None:
        return _app_of(world, text, now)
    if token.expires_at is not None and now >= token.expires_at:
        raise refused(401, "Bad credentials")
    return token


def _app_of(world: World, text: str, now: datetime) -> App:
    try:
        claimed: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise refused(401, "Bad credentials") from error
    issuer = str(claimed.get("iss", ""))
    app = world.apps.get(int(issuer)) if issuer.isdecimal() else None
    if app is None:
        raise refused(401, "Integration not found")
    try:
        # The times are checked against this world's clock, below.
        options: Any = {"verify_exp": False, "verify_iat": False}
        jwt.decode(text, app.public_key, algorithms=["RS256"], options=options)
    except jwt.PyJWTError as error:
        raise refused(401, "A JSON web token could not be decoded") from error
    _check_times(claimed, now)
    return app


def _check_times(claimed: dict[str, Any], now: datetime) -> None:
    issued, expires, at = int(claimed.get("iat", 0)), int(claimed.get("exp", 0)), now.timestamp()
    if issued > at:
        raise refused(401, "'Issued at' claim ('iat') must be an Integer in the past")
    if expires <= at:
        raise refused(401, "'Expiration time' claim ('exp') must be a time in the future")
    if expires > at + 600:
        raise refused(401, "'Expiration time' claim ('exp') is too far in the future")


def count(world: World, token: Token, now: datetime) -> dict[str, str]:
    """Count a call against the hour's limit and tell the headers; 403 if it is used up."""
    limit = world.limit_of(token)
    within = limit.count(now)
    if not within:
        message = f"API rate limit exceeded for {token.login}."
        raise refused(403, message, headers=limit.headers())
    return limit.headers()


def check_rights(token: Token, hosted: Hosted, needs: Needs) -> None:
    """404 for a repository that the token does not see, 403 for a right that it lacks.

    Args:
        token: Whose call it is.
        hosted: What it is about.
        needs: Permission and level of the rights of which one is enough.
    """
    if not token.sees(hosted.full_name):
        raise refused(404, "Not Found")
    public_read = not hosted.private and all(level == "read" for _, level in needs)
    if public_read or any(token.may(name, level) for name, level in needs):
        return
    accepted = "; ".join(f"{name}={level}" for name, level in needs)
    raise _no_right(token, accepted)


def _no_right(token: Token, accepted: str) -> Refused:
    who = "personal access token" if token.app_id is None else "integration"
    message = f"Resource not accessible by {who}"
    return refused(403, message, headers={"X-Accepted-GitHub-Permissions": accepted})
