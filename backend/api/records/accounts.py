"""Accounts and log-ins."""

from __future__ import annotations

from flask import Response, current_app, g
from flask_openapi3 import APIBlueprint, Tag

from backend.api.records.identity import in_cookies, issue, sent_in_cookies, without_cookies
from backend.endpoint import IDENTIFY, spooled, strict, to_json
from backend.errors import Forbidden
from backend.schemas.accounts import (
    Account,
    ConfirmBody,
    DoneAnswer,
    ExportAnswer,
    LoginBody,
    MeAnswer,
    PasswordBody,
    RegisterBody,
    SettingsBody,
    TokensAnswer,
)
from backend.schemas.records import BeforeQuery
from backend.services.container import Services

TAG = Tag(name="Accounts", description="JWT in the Authorization header, or in HttpOnly cookies")
api = APIBlueprint("accounts", __name__, url_prefix="/api/v1/auth", abp_tags=[TAG])


@api.post("/register", summary="Make an account", responses={201: MeAnswer})
@strict
def register(services: Services, body: RegisterBody) -> Response:
    """Its role is `user`; no other is to be had here."""
    if not services.config.registration:
        raise Forbidden("accounts are made by the operator here: python -m backend.admin create-user")
    user = services.records.open().accounts.create(body, request_id=g.request_id)
    told = MeAnswer(success=True, user=user, files_bytes=0, quota_bytes=services.config.quota_bytes)
    return to_json(told, 201)


@api.post("/login", summary="Log in", responses={200: TokensAnswer})
@strict
def login(services: Services, body: LoginBody) -> Response:
    """By name or e-mail address. After five failures in a row a name waits, each time twice as long."""
    accounts = services.records.open().accounts
    user, generation = accounts.log_in(body.username, body.password, g.request_id)
    issued = issue(user, generation)
    return in_cookies(to_json, issued) if body.cookies else to_json(issued[0])


@api.post("/refresh", summary="New tokens for a refresh token", responses={200: TokensAnswer})
@strict
def refresh(services: Services) -> Response:
    """The refresh token goes where the access token goes else; it is good for once. Sent again within ten seconds it
    has the same follower; any other second use ends the log-in, whoever was the first."""
    account: Account = current_app.extensions[IDENTIFY](kind="refresh")
    user, following = services.records.open().accounts.refresh(account, g.request_id)
    issued = issue(user, account.generation, account.session_id, refresh_id=following)
    return in_cookies(to_json, issued) if sent_in_cookies() else to_json(issued[0])


@api.post("/logout", summary="Log out", responses={200: DoneAnswer})
@strict
def logout(services: Services) -> Response:
    """Every token of this log-in counts no more: send any of them."""
    account: Account = current_app.extensions[IDENTIFY](kind="any")
    services.records.open().accounts.log_out(account, g.request_id)
    return without_cookies(to_json(DoneAnswer(success=True)))


@api.get("/me", summary="The own account", responses={200: MeAnswer})
@strict
def me(services: Services, account: Account) -> MeAnswer:
    """And how much of its quota it keeps."""
    return services.records.open().accounts.me(account)


@api.patch("/me", summary="Choose settings", responses={200: MeAnswer})
@strict
def choose(services: Services, account: Account, body: SettingsBody) -> MeAnswer:
    """Whether answers of the open addresses are kept without being asked each time."""
    return services.records.open().accounts.choose(account, body.keep_answers, g.request_id)


@api.post("/password", summary="Change the password", responses={200: DoneAnswer})
@strict
def password(services: Services, account: Account, body: PasswordBody) -> DoneAnswer:
    """Every token up to now counts no more."""
    accounts = services.records.open().accounts
    accounts.change_password(account, body.password, body.new_password, g.request_id)
    return DoneAnswer(success=True)


@api.get("/export", summary="All that is kept of the own account", responses={200: ExportAnswer})
@strict
def export(services: Services, account: Account, query: BeforeQuery) -> Response:
    """Predictions with their answers, 500 a page; with the first page all else. Files are at their addresses."""
    opened = services.records.open()
    return spooled(opened.exports.of(account, query.before, opened.spool, g.request_id), "application/json")


@api.delete("/me", summary="Delete the own account", responses={200: DoneAnswer})
@strict
def delete(services: Services, account: Account, body: ConfirmBody) -> Response:
    """With all its records and files. The password confirms it; where there is none, a log-in at the issuer of just now
    (GET /auth/oidc/login?reauthenticate=true)."""
    services.records.open().accounts.delete(account, body.password, g.request_id)
    return without_cookies(to_json(DoneAnswer(success=True)))
