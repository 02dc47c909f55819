"""Accounts: what is asked and answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.common import Answer

Role = Literal["user", "clinician", "admin"]
ROLES: tuple[Role, ...] = ("user", "clinician", "admin")
READERS: tuple[Role, ...] = ("clinician", "admin")  # of what is shared
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}[A-Za-z0-9]$")]
EMAIL = re.compile(r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$")
Email = Annotated[str, Field(pattern=EMAIL.pattern, max_length=254)]
NewPassword = Annotated[str, Field(min_length=8, max_length=128)]
TEXT = r"^[^\x00]*$"  # no database keeps the character of number nought
GivenPassword = Annotated[str, Field(min_length=1, max_length=128)]


@dataclass(frozen=True)
class Account:
    """Who asks, as a token tells it. session_id: of the log-in that the token comes from. auth_time: seconds since 1970
    at which an issuer saw who it is, where it said so and the token is of the log-in itself."""

    id: UUID
    username: str
    role: Role
    token_id: str
    session_id: str
    generation: int
    keep_answers: bool
    auth_time: int | None = None


class Body(BaseModel):
    """Base of JSON that is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RegisterBody(Body):
    """A new account; its role is always `user`."""

    username: Username
    email: Email
    password: NewPassword


class LoginBody(Body):
    username: str = Field(min_length=1, max_length=254, pattern=TEXT, description="the name, or the address")
    password: GivenPassword
    cookies: bool = Field(False, description="tokens in HttpOnly cookies instead of the answer, for a page")


class PasswordBody(Body):
    password: GivenPassword
    new_password: NewPassword


class NewPasswordBody(Body):
    """What an operator gives an account."""

    password: NewPassword


class ConfirmBody(Body):
    password: GivenPassword | None = Field(
        None, description="of an account that has one; else the issuer must have seen who asks within five minutes"
    )


class IssuerQuery(BaseModel):
    """How to be sent to the issuer."""

    reauthenticate: bool = Field(False, description="have the issuer ask who it is, though it knows")


class SettingsBody(Body):
    """What an account chooses."""

    keep_answers: bool


class UserAnswer(Answer):
    id: UUID
    username: str
    email: str
    role: Role
    created_at: datetime
    keep_answers: bool = Field(description="whether answers of the open addresses are kept without ?keep=true")


class MeAnswer(Answer):
    """An account."""

    success: Literal[True]
    user: UserAnswer
    files_bytes: int = Field(description="of all files that are kept")
    quota_bytes: int = Field(description="that they may have together")


class TokensAnswer(Answer):
    """A log-in. With `cookies` the tokens are in HttpOnly cookies, and `csrf_token` goes into the header X-CSRF-TOKEN
    of every POST and DELETE; it is in the cookie csrf_access_token too."""

    success: Literal[True]
    user: UserAnswer
    access_token: str | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of the standard
    expires_in: int = Field(description="seconds that the access token is good for")


class DoneAnswer(Answer):
    """It was done."""

    success: Literal[True]


class ExportAnswer(Answer):
    """All that is kept of an account: of its predictions a page, the newest first, and with the first page all else."""

    success: Literal[True]
    user: UserAnswer
    files: tuple[dict[str, Any], ...]
    predictions: tuple[dict[str, Any], ...]
    feedback: tuple[dict[str, Any], ...]
    batches: tuple[dict[str, Any], ...] = Field(description="with the names of files that were to be kept")
    audit: tuple[dict[str, Any], ...] = Field(description="the last thousand entries of what the account did")
    next_before: int | None = Field(description="`before` of the next page of predictions; null after the last")
