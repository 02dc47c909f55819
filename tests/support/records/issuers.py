"""An issuer of OpenID Connect on this machine, as strict as a real one, that can be made to cheat."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT_ID, CLIENT_SECRET = "medidiagnose", secrets.token_urlsafe(24)


@dataclass
class Issuer:
    """claims: of whoever logs in, and what is to be wrong with the token. signed: with the own key, another, or the
    secret that both know. session_since: when it saw who it is, in seconds since 1970, unless it is told to look anew.
    calls_itself and leaves_out: of what it tells of itself. requests: of the authorization endpoint."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "person-1"})
    signed: str = "own"
    session_since: int | None = None
    calls_itself: str | None = None
    leaves_out: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        paths = {"/authorize": self._authorize, "/token": self._token, "/jwks": self._keys}
        about = "/.well-known/openid-configuration"
        paths |= {about: self._about, f"/realm{about}": self._about}
        return paths.get(request.path, _nothing)(request)(environ, start_response)

    def _about(self, _request: Request) -> Response:
        here = self.url
        told = {
            "issuer": self.calls_itself or here, "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token", "jwks_uri": f"{here}/jwks",
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
        }  # fmt: skip
        return _json({name: value for name, value in told.items() if name != self.leaves_out})

    def _keys(self, _request: Request) -> Response:
        return _json({"keys": [self._key.as_dict(private=False)]})

    def _authorize(self, request: Request) -> Response:
        asked, code = request.args.to_dict(), secrets.token_urlsafe(8)
        self.requests.append(asked)
        self._codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"], "session_state": "x"})
        return Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{query}"})

    def _token(self, request: Request) -> Response:
        asked = self._codes.pop(request.form["code"], {})
        digest = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked.get("code_challenge")
        known = request.authorization and (request.authorization.username, request.authorization.password) == (
            CLIENT_ID, CLIENT_SECRET
        )  # fmt: skip
        if not (proven and known and request.form["redirect_uri"] == asked["redirect_uri"]):
            return _json({"error": "invalid_grant"}, 400)
        now = int(time.time())
        seen = now if asked.get("prompt") == "login" else self.session_since
        claims = {
            "iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"], "auth_time": seen,
        }  # fmt: skip
        told = {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer"}
        if self.signed != "nothing":
            told["id_token"] = self._sign({name: v for name, v in (claims | self.claims).items() if v is not None})
        return _json(told)

    def _sign(self, claims: dict[str, Any]) -> str:
        if self.signed == "none":
            parts = ({"alg": "none"}, claims)
            return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
        if self.signed == "secret":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET))
        key = self._key if self.signed == "own" else RSAKey.generate_key(2048)
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def _nothing(_request: Request) -> Response:
    return Response(status=404)


def _json(told: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(told), status=status, mimetype="application/json")


@contextmanager
def issuer_on_this_machine() -> Iterator[Issuer]:
    """It answers until this ends."""
    issuer = Issuer()
    server = make_server("127.0.0.1", 0, issuer, threaded=True)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
