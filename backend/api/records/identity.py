"""Who asks: tokens (JWT) in the Authorization header, or in HttpOnly cookies that forged requests gain nothing by."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

from flask import Flask, Response, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    get_csrf_token,
    get_jwt_request_location,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from backend.config import Config
from backend.endpoint import CSRF_HEADER
from backend.errors import CsrfFailed, Unauthenticated
from backend.schemas.accounts import Account, TokensAnswer, UserAnswer
from backend.storage.secret_key import derived

ACCESS_FOR = timedelta(minutes=15)
REFRESH_FOR = timedelta(days=30)
ACCESS_COOKIE = "access_token_cookie"
_ISSUER, _SESSION, _GENERATION, _AUTH_TIME = "medidiagnose", "sid", "gen", "auth_time"
_HOW = "send Authorization: Bearer <access_token> of POST /api/v1/auth/login"
ToldBy = Callable[[str, int, str, str, bool], Account]
Kind = Literal["access", "refresh", "any"]


def set_up_tokens(app: Flask, config: Config, secret: str) -> None:
    """How tokens are signed, how long they are good for, and where they are looked for."""
    app.config.update(
        JWT_SECRET_KEY=derived(secret, "tokens"),
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_ENCODE_ISSUER=_ISSUER,
        JWT_DECODE_ISSUER=_ISSUER,
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_ACCESS_TOKEN_EXPIRES=ACCESS_FOR,
        JWT_REFRESH_TOKEN_EXPIRES=REFRESH_FOR,
        JWT_COOKIE_SECURE=config.secure_cookies,
        JWT_COOKIE_SAMESITE="Strict",
        JWT_COOKIE_CSRF_PROTECT=True,
        JWT_SESSION_COOKIE=False,
        JWT_REFRESH_COOKIE_PATH="/api",
    )
    JWTManager(app)


def current_account(told_by: ToldBy, *, required: bool = True, kind: Kind = "access") -> Account | None:
    """Whose token the request has; None without one where none is required.

    Raises Unauthenticated and CsrfFailed. A token that is worth nothing is refused even where none is required.
    """
    _check_header()
    # Which cookie counts: where any does, that of the access token as long as it is good.
    refresh = kind == "refresh" or (kind == "any" and not _is_access(request.cookies.get(ACCESS_COOKIE, "")))
    try:
        verified = verify_jwt_in_request(optional=not required, refresh=refresh, verify_type=kind != "any")
    except CSRFError as error:
        raise CsrfFailed(
            f"{error}; with cookies, send the cookie csrf_access_token back in the header {CSRF_HEADER}"
        ) from error
    except NoAuthorizationError as error:
        raise Unauthenticated(f"this address needs an account: {_HOW}") from error
    except ExpiredSignatureError as error:
        raise Unauthenticated("the token has expired; POST /api/v1/auth/refresh gives a new one") from error
    except (JWTExtendedException, PyJWTError, ValueError, TypeError, KeyError) as error:
        raise Unauthenticated(f"the token is not one of this service, or not of this kind: {_HOW}") from error
    if verified is None:
        return None
    account = _told(told_by, verified[1], used=kind == "refresh")
    g.user_id = str(account.id)
    return account


def _check_header() -> None:
    """A header that is there and is not `Bearer`, in whatever case, and one token: who sent it is not nobody."""
    sent = request.headers.get("Authorization", "").split()
    if not sent:
        return
    if len(sent) != 2 or sent[0].lower() != "bearer" or "," in sent[1]:
        raise Unauthenticated(f"the Authorization header is not that of a token: {_HOW}")
    request.environ["HTTP_AUTHORIZATION"] = f"Bearer {sent[1]}"


def signed_by_us(app: Flask, authorization: str, cookies: str) -> bool:
    """Whether a request has an access token that is ours and has not expired; whether it still counts is not asked."""
    named = (one.strip().partition("=") for one in cookies.split(";"))
    found = [*authorization.split()[1:2], *(value for name, _, value in named if name == ACCESS_COOKIE)]
    with app.app_context():
        return any(_is_access(token) for token in found)


def _is_access(token: str) -> bool:
    with contextlib.suppress(JWTExtendedException, PyJWTError, ValueError, TypeError, KeyError):
        return bool(decode_token(token)["type"] == "access")
    return False


def _told(told_by: ToldBy, claims: dict[str, Any], *, used: bool) -> Account:
    named = tuple(claims.get(name) for name in ("sub", _GENERATION, "jti", _SESSION))
    user_id, generation, token_id, session_id = named
    if not (isinstance(user_id, str) and isinstance(generation, int) and token_id and session_id and _is_id(user_id)):
        raise Unauthenticated(f"the token is not one of this service: {_HOW}")
    account = told_by(user_id, generation, str(token_id), str(session_id), used)
    return replace(account, auth_time=claims.get(_AUTH_TIME))


def _is_id(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(text)) == text
    return False


def issue(
    user: UserAnswer,
    generation: int,
    session_id: str | None = None,
    *,
    refresh_id: str | None = None,
    auth_time: int | None = None,
) -> tuple[TokensAnswer, str, str]:
    """The answer to a log-in, and both tokens. session_id and refresh_id: of the log-in that goes on, and of the token
    that is next in it; None for a new one. auth_time: at which an issuer saw who it is, which the access token alone
    tells: what is refreshed is of no new log-in."""
    claims = {_SESSION: session_id or uuid.uuid4().hex, _GENERATION: generation}
    access = create_access_token(str(user.id), additional_claims={**claims, _AUTH_TIME: auth_time})
    refresh = create_refresh_token(str(user.id), additional_claims={**claims, "jti": refresh_id or uuid.uuid4().hex})
    told = TokensAnswer(
        success=True, user=user, access_token=access, refresh_token=refresh, token_type="Bearer",  # noqa: S106 # nosec B106 - a word of the standard
        expires_in=int(ACCESS_FOR.total_seconds()),
    )  # fmt: skip
    return told, access, refresh


def in_cookies(response: Callable[[TokensAnswer], Response], issued: tuple[TokensAnswer, str, str]) -> Response:
    """The same with the tokens where no script reads them."""
    told, access, refresh = issued
    made = response(
        TokensAnswer(
            success=True, user=told.user, csrf_token=get_csrf_token(access), token_type="Bearer",  # noqa: S106 # nosec B106 - a word of the standard
            expires_in=told.expires_in,
        )
    )  # fmt: skip
    set_access_cookies(made, access)
    set_refresh_cookies(made, refresh)
    if request.is_secure:  # as it came to us, or to a proxy of ours
        cookies = made.headers.getlist("Set-Cookie")
        made.headers.setlist("Set-Cookie", [one if "; Secure" in one else f"{one}; Secure" for one in cookies])
    return made


def without_cookies(response: Response) -> Response:
    """Take the cookies of a log-in away."""
    unset_jwt_cookies(response)
    return response


def sent_in_cookies() -> bool:
    """Whether the token that was verified came in a cookie."""
    return get_jwt_request_location() == "cookies"
