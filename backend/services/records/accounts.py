"""Accounts: made, told by their tokens, changed and taken away with all that is theirs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import (
    AlreadyExists,
    Forbidden,
    QuotaExceeded,
    ReauthenticationNeeded,
    Unauthenticated,
    WrongPassword,
)
from backend.schemas.accounts import Account, MeAnswer, RegisterBody, Role, UserAnswer
from backend.services.records.passwords import Passwords
from backend.storage.audit import Deed, append
from backend.storage.batch_tables import Batch, BatchItem
from backend.storage.database import Database, insert
from backend.storage.files import FileStore
from backend.storage.tables import Prediction, RevokedToken, StoredFile, User

LONGEST_TOKEN = timedelta(days=31)  # a refresh token, and a day
USED_AGAIN_WITHIN = timedelta(seconds=10)  # a refresh token, by whoever lost the answer to its first use
_RECORD_BYTES, _LEAST_RECORDS = 4096, 1000  # of the quota there is a record for each so many, and so many always
_FILES_A_RECORD = 2  # a picture and its heatmap
_BATCHES_AT_ONCE = 100  # rows that are read
_REVOKED = "this token was revoked; log in again"
_SKEW_S = 60  # between two clocks
_WRONG = "no account has this name and password"


class AccountBook:
    """Accounts by name, by id and by token."""

    def __init__(self, database: Database, files: FileStore, passwords: Passwords, quota_bytes: int) -> None:
        self._database = database
        self._files = files
        self._passwords = passwords
        self._quota_bytes = quota_bytes

    def create(self, body: RegisterBody, role: Role = "user", actor: str = "", request_id: str = "") -> UserAnswer:
        """A new account. actor: the operator; else it is made by whoever it will belong to.

        Raises AlreadyExists where its name or address is taken.
        """
        user = User(
            id=uuid.uuid4(), username=body.username, username_key=body.username.lower(), email=body.email,
            email_key=body.email.lower(), password_hash=self._passwords.hashed(body.password), role=role,
            generation=0, keep_answers=False, created_at=datetime.now(UTC),
        )  # fmt: skip
        try:
            with self._database.writing() as session:
                session.add(user)
                session.flush()
                append(session, Deed(actor or str(user.id), "register", str(user.id), request_id))
        except IntegrityError as error:
            raise AlreadyExists("an account has this username or e-mail address; choose another") from error
        return user_answer(user)

    def log_in(self, name: str, password: str, request_id: str) -> tuple[UserAnswer, int]:
        """The account and the generation of its tokens. Raises WrongPassword and TooManyAttempts."""
        name_hash, key = self._passwords.name_hash(name), name.strip().lower()
        with self._database.reading() as session:
            self._passwords.check_free(session, name_hash)
            user = session.scalars(select(User).where(or_(User.username_key == key, User.email_key == key))).first()
        fits = self._passwords.fits(user.password_hash if user else "", password)
        with self._database.writing() as session:
            if fits and user:
                self._passwords.succeeded(session, name_hash)
                append(session, Deed(str(user.id), "login", str(user.id), request_id))
            else:
                self._passwords.failed(session, name_hash)
                append(session, Deed("", "login_failed", name_hash, request_id))
        if not (fits and user):
            raise WrongPassword(_WRONG)
        return user_answer(user), user.generation

    def told_by(
        self, user_id: str, generation: int, token_id: str, session_id: str, *, used: bool = False
    ) -> Account:  # fmt: skip
        """Who a token is of, whose signature was verified. used: also by one that was used up, which `refresh` judges.

        Raises Unauthenticated where it counts no more.
        """
        ended = [session_id] if used else [token_id, session_id]
        with self._database.reading() as session:
            user = session.get(User, uuid.UUID(user_id))
            revoked = session.scalars(select(RevokedToken.token_id).where(RevokedToken.token_id.in_(ended))).first()
        if user is None or revoked or user.generation != generation:
            raise Unauthenticated(_REVOKED)
        role: Role = user.role  # type: ignore[assignment]
        return Account(user.id, user.username, role, token_id, session_id, generation, user.keep_answers)

    def log_out(self, account: Account, request_id: str) -> None:
        """All tokens of the log-in count no more. Raises Unauthenticated where another request has just done so."""
        with self._database.writing() as session:
            if not _revoke(session, account.session_id):
                raise Unauthenticated(_REVOKED)
            append(session, Deed(str(account.id), "logout", str(account.id), request_id))

    def refresh(self, account: Account, request_id: str) -> tuple[UserAnswer, str]:
        """Use a refresh token up: whose it is, and the id of the one that follows it.

        Used again at once, as by who lost the answer or has a second window open, it has the same follower, as long as
        that was not used. Any other second use is of a copy: the whole log-in ends. Raises Unauthenticated.
        """
        following, deed = hashlib.sha256(account.token_id.encode()).hexdigest()[:32], "refresh"
        with self._database.writing() as session:
            user = _user(session, account)
            if not _revoke(session, account.token_id):
                used = session.get_one(RevokedToken, account.token_id)
                late = datetime.now(UTC) - (used.expires_at - LONGEST_TOKEN) > USED_AGAIN_WITHIN
                copied = late or session.get(RevokedToken, following) is not None
                deed = "refresh_reused" if copied else "refresh_again"
                if copied:
                    _revoke(session, account.session_id)
            append(session, Deed(str(account.id), deed, str(account.id), request_id))
        if deed == "refresh_reused":
            raise Unauthenticated("this refresh token was used before, so that its whole log-in is ended; log in again")
        return user_answer(user), following

    def me(self, account: Account) -> MeAnswer:
        """The account and how much it keeps."""
        with self._database.reading() as session:
            user, used = _user(session, account), kept(session, account.id).size_bytes
        return MeAnswer(success=True, user=user_answer(user), files_bytes=used, quota_bytes=self._quota_bytes)

    def choose(self, account: Account, keep_answers: bool, request_id: str) -> MeAnswer:
        """The account's settings."""
        with self._database.writing() as session:
            hold(session, account).keep_answers = keep_answers
            append(session, Deed(str(account.id), "settings", str(account.id), request_id))
        return self.me(account)

    def change_password(self, account: Account, password: str, new_password: str, request_id: str) -> None:
        """All tokens up to now count no more. Raises Forbidden where there is none, WrongPassword, TooManyAttempts."""
        if not self._has_password(account):
            raise Forbidden("this account logs in at the issuer and has no password here; change it there")
        self._check_password(account, password, request_id)
        password_hash = self._passwords.hashed(new_password)
        with self._database.writing() as session:
            user = hold(session, account)
            user.password_hash, user.generation = password_hash, user.generation + 1
            append(session, Deed(str(account.id), "password", str(account.id), request_id))

    def delete(self, account: Account, password: str | None, request_id: str) -> None:
        """With all that is its: records, files, feedback. The audit log keeps its number, which tells no name.

        password: None where a log-in at the issuer of just now confirms it.
        Raises ReauthenticationNeeded, WrongPassword and TooManyAttempts.
        """
        has_password = self._has_password(account)
        if has_password and password is not None:
            self._check_password(account, password, request_id)
        elif not _is_fresh(account.auth_time):
            if has_password:
                raise WrongPassword("the body has no password; it confirms that the account is to go")
            raise ReauthenticationNeeded(
                "this account has no password to confirm this with: log in anew by "
                f"/api/v1/auth/oidc/login?reauthenticate=true and ask within {ReauthenticationNeeded.within_s} s"
            )
        with self._database.writing() as session:
            hold(session, account)
            gone = take_away(session, account.id, str(account.id), request_id)
        self._database.scrub()
        self._files.remove(gone)

    def _has_password(self, account: Account) -> bool:
        with self._database.reading() as session:
            return bool(_user(session, account).password_hash)

    def _check_password(self, account: Account, password: str, request_id: str) -> None:
        """A stolen token alone changes no password and deletes nothing."""
        user, _ = self.log_in(account.username, password, request_id)
        if user.id != account.id:
            raise Forbidden("the name of this account belongs to another by now")


def _revoke(session: Session, token_id: str) -> bool:
    """A token, or with its session's id all tokens of a log-in, counts no more. Returns whether it did until now."""
    now = datetime.now(UTC)
    session.execute(delete(RevokedToken).where(RevokedToken.expires_at < now))
    made = insert(session, RevokedToken).values(token_id=token_id, expires_at=now + LONGEST_TOKEN)
    fresh = made.on_conflict_do_nothing(index_elements=["token_id"]).returning(RevokedToken.token_id)
    return session.scalars(fresh).first() is not None


def _is_fresh(auth_time: int | None) -> bool:
    """Whether an issuer saw who it is just now. Its clock may be ahead of ours."""
    age_s = datetime.now(UTC).timestamp() - (auth_time or 0)
    return -_SKEW_S <= age_s <= ReauthenticationNeeded.within_s


def hold(session: Session, account: Account) -> User:
    """The account, which others who hold it wait for until the transaction ends. Raises Unauthenticated."""
    return _user(session, account, lock=True)


def _user(session: Session, account: Account, *, lock: bool = False) -> User:
    user = session.get(User, account.id, with_for_update=lock)
    if user is None:
        raise Unauthenticated("this account is no more")
    return user


def take_away(session: Session, user_id: uuid.UUID, actor: str, request_id: str = "") -> list[uuid.UUID]:
    """An account that is held: what is just being kept is among its files, or is not kept any more. Returns those; they
    go once this is kept. actor: the account, or the operator."""
    gone = list(session.scalars(select(StoredFile.id).where(StoredFile.user_id == user_id)))
    session.execute(delete(User).where(User.id == user_id))
    append(session, Deed(actor, "account_delete", str(user_id), request_id))
    return gone


class Room(NamedTuple):
    """What an account has, or wants."""

    files: int
    size_bytes: int
    records: int


def kept(session: Session, user_id: uuid.UUID) -> Room:
    """All three are read off indexes."""
    size = func.coalesce(func.sum(StoredFile.size_bytes), 0)
    records = select(func.count()).where(Prediction.user_id == user_id).scalar_subquery()
    told = select(func.count(), size, records).select_from(StoredFile).where(StoredFile.user_id == user_id)
    return Room(*map(int, session.execute(told).one()))


def check_quota(session: Session, account: Account, more: Room, quota_bytes: int) -> None:
    """Raises QuotaExceeded where so much more passes it. Of an account that is held, nothing can pass it."""
    has = kept(session, account.id)
    if has.size_bytes + more.size_bytes > quota_bytes:
        raise QuotaExceeded(
            f"the files of this account have {has.size_bytes} bytes; {more.size_bytes} more pass its quota of "
            f"{quota_bytes}: delete records that are not needed any more"
        )
    most = max(_LEAST_RECORDS, quota_bytes // _RECORD_BYTES)
    most_files = _FILES_A_RECORD * most  # the smallest takes a block of the disk
    if has.files + more.files > most_files:
        raise QuotaExceeded(
            f"this account has {has.files} of its {most_files} files: delete records that are not needed any more"
        )
    if has.records + more.records > most:
        raise QuotaExceeded(
            f"this account has {has.records} of its {most} records: delete some that are not needed any more"
        )


def user_answer(user: User) -> UserAnswer:
    """As it is told."""
    return UserAnswer.model_validate(user, from_attributes=True)


def batches_of(session: Session, account_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """What was sent with each batch of an account; `names`: of its files by their positions, where they are kept."""
    mine = select(Batch).where(Batch.user_id == account_id).order_by(Batch.created_at)
    for one in session.scalars(mine.execution_options(yield_per=_BATCHES_AT_ONCE)):
        named = select(BatchItem.position, BatchItem.name).where(
            BatchItem.batch_id == one.id, BatchItem.name.is_not(None)
        )
        yield {
            "batch_id": str(one.id), "batch_name": one.name, "task": one.task, "fields": one.fields, "total": one.total,
            "created_at": one.created_at.isoformat(),
            "finished_at": one.finished_at.isoformat() if one.finished_at else None,
            "names": {str(position): name for position, name in session.execute(named)},
        }  # fmt: skip
