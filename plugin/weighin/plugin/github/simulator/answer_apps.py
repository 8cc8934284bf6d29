"""Answers that are about no repository: who a token is, what an App is, its installation's tokens.

What this module does not do: it checks no JSON Web Token; ``gate`` does.
"""

import re
import secrets
from datetime import datetime, timedelta

from weighin.plugin.github.simulator import shapes, shapes_checks
from weighin.plugin.github.simulator.people import App, Token
from weighin.plugin.github.simulator.wire import Answer, Call, refused
from weighin.plugin.github.simulator.world import World


def about_token(world: World, token: Token, call: Call) -> Answer:
    """``GET /user`` and ``GET /rate_limit``."""
    match call.method, call.path:
        case "GET", "/user":
            if token.app_id is not None:
                raise refused(403, "Resource not accessible by integration")
            return Answer(content=shapes.public_user(token.login, call.base))
        case "GET", "/rate_limit":
            return _rate_limit(world, token)
        case _:
            raise refused(404, "Not Found")


def _rate_limit(world: World, token: Token) -> Answer:
    limit = world.limit_of(token)
    rate = {
        "limit": limit.limit,
        "remaining": max(0, limit.limit - limit.used),
        "used": min(limit.limit, limit.used),
        "reset": int(limit.resets_at.timestamp()) if limit.resets_at else 0,
    }
    return Answer(content={"rate": rate, "resources": {"core": rate, "search": rate}})


def as_app(world: World, app: App, call: Call, now: datetime) -> Answer:
    """What an App asks with its JSON Web Token."""
    if (call.method, call.path) == ("GET", "/app"):
        return Answer(content=shapes_checks.app(app.id, app.slug, call.base))
    named = re.fullmatch(r"/repos/([^/]+)/([^/]+)/installation", call.path)
    if call.method == "GET" and named:
        return _installation(app, named[1], named[2], call)
    asked = re.fullmatch(r"/app/installations/(\d+)/access_tokens", call.path)
    if call.method == "POST" and asked:
        if int(asked[1]) != app.installation_id:
            raise refused(404, "Not Found")
        return _new_token(world, app, _asked_for(app, call), now)
    raise refused(404, "Not Found")


def _installation(app: App, owner: str, name: str, call: Call) -> Answer:
    held = {full_name.lower() for full_name in app.repositories}
    if f"{owner}/{name}".lower() not in held:
        raise refused(404, "Not Found")
    return Answer(content=shapes_checks.installation(app, owner, call.base))


def _asked_for(app: App, call: Call) -> tuple[str, ...]:
    try:
        names = call.fields().get("repositories")
    except ValueError as error:
        raise refused(400, "Problems parsing JSON") from error
    if names is None:
        return app.repositories
    held = {full_name.split("/", 1)[1].lower(): full_name for full_name in app.repositories}
    if not isinstance(names, list) or not {str(name).lower() for name in names} <= set(held):
        raise refused(422, "There is at least one repository that does not exist or is not granted")
    return tuple(held[str(name).lower()] for name in names)


def _new_token(world: World, app: App, repositories: tuple[str, ...], now: datetime) -> Answer:
    expires = now + timedelta(minutes=app.token_minutes)
    token = Token(
        text=f"ghs_{secrets.token_hex(18)}",
        login=f"{app.slug}[bot]",
        app_id=app.id,
        app_slug=app.slug,
        permissions=app.permissions,
        repositories=repositories,
        expires_at=expires,
    )
    world.add_token(token)
    content = {
        "token": token.text,
        "expires_at": shapes.stamp(expires),
        "permissions": dict(app.permissions),
        "repository_selection": "selected",
    }
    return Answer(status=201, content=content)
