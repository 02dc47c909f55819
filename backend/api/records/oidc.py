"""Log-in at an issuer of OpenID Connect that the operator named: authorization code with PKCE, state and nonce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import Response, current_app, g, redirect
from flask_openapi3 import APIBlueprint

from backend.api.records.accounts import TAG
from backend.api.records.identity import in_cookies, issue
from backend.api.records.reports import public_url
from backend.config import Config
from backend.endpoint import SERVICES, strict
from backend.errors import IssuerUnavailable, Unauthenticated
from backend.schemas.accounts import IssuerQuery, TokensAnswer
from backend.services.container import Services

if TYPE_CHECKING:
    from authlib.integrations.flask_client import FlaskOAuth2App

CLIENT = "medidiagnose-issuer"  # the application's extension that holds it
CALLBACK = "/api/v1/auth/oidc/callback"
# What an issuer may sign with: never nothing, and never a secret that both know.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_NEEDED = {"authorization_endpoint", "token_endpoint", "jwks_uri"}  # of what an issuer tells of itself
_WITHIN_S = 5
_MOST_SECONDS = 2**53  # since 1970, whatever an issuer says
_FAILED = "the log-in at the issuer failed"
api = APIBlueprint("oidc", __name__, url_prefix="/api/v1/auth/oidc", abp_tags=[TAG])


def _client(services: Services) -> FlaskOAuth2App:
    """Made at the first log-in: who has accounts of their own needs none of it. Raises IssuerUnavailable."""
    from requests import RequestException

    client: FlaskOAuth2App = current_app.extensions.get(CLIENT) or _new_client(services.config)
    try:
        found = client.load_server_metadata()
    except (RequestException, ValueError, TypeError) as error:
        raise IssuerUnavailable("the issuer cannot be reached; try again in a moment") from error
    if found.get("issuer") != services.config.oidc_issuer:
        raise IssuerUnavailable("what is there in the issuer's place calls itself by another name: see OIDC_ISSUER")
    if not found.keys() >= _NEEDED:
        raise IssuerUnavailable("the issuer does not say where to log in; try again in a moment")
    found["id_token_signing_alg_values_supported"] = ALGORITHMS
    current_app.extensions[CLIENT] = client  # it asks the issuer once: what was wrong is asked for anew
    return client


def _new_client(config: Config) -> FlaskOAuth2App:
    from authlib.integrations.flask_client import OAuth

    issuers: Any = OAuth(cast(Any, current_app)._get_current_object())
    made: FlaskOAuth2App = issuers.register(
        "issuer",
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret or None,
        # An issuer may call itself by a name with a slash at its end, which is not part of this address.
        server_metadata_url=f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email", "code_challenge_method": "S256", "default_timeout": _WITHIN_S,
        },
    )  # fmt: skip
    return made


@api.get("/login", summary="Log in at the issuer", responses={302: None})
@strict
def login(services: Services, query: IssuerQuery) -> Response:
    """For a browser: it is sent to the issuer, and from there to the callback. What a password confirms elsewhere, a
    log-in with `reauthenticate` confirms for five minutes."""
    again = {"prompt": "login", "max_age": "0"} if query.reauthenticate else {}
    sent = _client(services).authorize_redirect(f"{public_url(services)}{CALLBACK}", **again)
    return cast(Response, sent)


@api.get("/callback", summary="Back from the issuer", responses={303: None})
def callback() -> Response:
    """Takes whatever an issuer adds beside `code` and `state`. The account is told by issuer and subject, and made at
    the first log-in, always as a `user`. Its tokens are in cookies, as of POST /auth/login with `cookies`."""
    services: Services = current_app.extensions[SERVICES]
    records = services.records.open()
    claims = _told(services)
    user, generation = records.identities.log_in(
        services.config.oidc_issuer, claims, makes=services.config.registration, request_id=g.request_id
    )

    def to_the_page(_told: TokensAnswer) -> Response:
        return cast(Response, redirect(f"{services.config.public_url}/", 303))

    return in_cookies(to_the_page, issue(user, generation, auth_time=_auth_time(claims)))


def _auth_time(claims: dict[str, Any]) -> int | None:
    """When the issuer saw who it is, in seconds since 1970; which need not be now, as it may have known."""
    told = claims.get("auth_time")
    return int(told) if isinstance(told, int | float) and 0 < told < _MOST_SECONDS else None


def _told(services: Services) -> dict[str, Any]:
    """The claims of a token that is the issuer's, for us, of this log-in. Raises Unauthenticated, IssuerUnavailable."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    client, config = _client(services), services.config
    claims = {
        "iss": {"essential": True, "value": config.oidc_issuer},
        "aud": {"essential": True, "value": config.oidc_client_id},
        "sub": {"essential": True},
    }
    try:
        token = client.authorize_access_token(claims_options=claims)
    except RequestException as error:
        raise IssuerUnavailable("the issuer cannot be reached; log in again in a moment") from error
    except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError) as error:
        # What the issuer or its impostor said is not passed on: of ours, the kind of fault alone.
        raise Unauthenticated(f"{_FAILED} ({type(error).__name__}); begin again at /api/v1/auth/oidc/login") from error
    if not isinstance(token.get("userinfo"), dict):
        raise Unauthenticated(f"{_FAILED}: it sent no identity; begin again at /api/v1/auth/oidc/login")
    return dict(token["userinfo"])
