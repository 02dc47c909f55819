"""What an operator does at a terminal: `python -m backend.admin COMMAND`, with the settings of the service.

create-user, list-users, set-role, set-password, unlock-user, delete-user, verify-audit, cleanup, export-feedback,
backup, restore, migrate.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.config import Config, ConfigError
from backend.errors import RecordsUnavailable
from backend.schemas.accounts import ROLES, NewPasswordBody, RegisterBody
from backend.services.monitoring.dataset import FeedbackDataset
from backend.services.operating import accounts as operating
from backend.services.records.accounts import AccountBook
from backend.services.records.passwords import Passwords
from backend.services.records.retention import expire, sweep
from backend.storage.archive import backup, restore
from backend.storage.audit import OPERATOR, verify
from backend.storage.database import HEAD, Database, database_url
from backend.storage.files import FileStore
from backend.storage.objects import open_file_store
from backend.storage.secret_key import HASHING, derived, secret_of
from ml_model.errors import MediDiagnoseError
from ml_model.tasks.registry import load_tasks

FAILED, UNUSABLE = 1, 2


@dataclass(frozen=True)
class Desk:
    """What an operator has to do with: no model is loaded for it."""

    database: Database
    files: FileStore
    accounts: AccountBook
    passwords: Passwords
    tasks_dir: Path
    retention_days: int


def create_user(desk: Desk, given: argparse.Namespace) -> int:
    """The password is asked for at a terminal, else it is the first line of what is piped in."""
    password = _password()
    try:
        body = RegisterBody(username=given.username, email=given.email, password=password)
    except ValidationError as error:
        return _refused(error)
    user = desk.accounts.create(body, given.role, actor=OPERATOR)
    print(f"{user.role} {user.username} has the id {user.id}")
    return 0


def set_password(desk: Desk, given: argparse.Namespace) -> int:
    """The password comes as that of a new account."""
    try:
        body = NewPasswordBody(password=_password())
    except ValidationError as error:
        return _refused(error)
    user = operating.set_password(desk.database, desk.passwords, given.username, body.password)
    print(f"{user.username} has another password; every log-in up to now is ended")
    return 0


def _password() -> str:
    return getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _refused(error: ValidationError) -> int:
    fields = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors(include_input=False)}
    print("; ".join(f"{name}: {told}" for name, told in fields.items()), file=sys.stderr)
    return UNUSABLE


def unlock_user(desk: Desk, given: argparse.Namespace) -> int:
    """After failed log-ins."""
    user, waited = operating.unlock(desk.database, desk.passwords, given.username)
    print(f"{user.username} {'may log in again' if waited else 'did not have to wait'}")
    return 0


def delete_user(desk: Desk, given: argparse.Namespace) -> int:
    """With all that is its."""
    user, files = operating.delete(desk.database, desk.files, given.username)
    print(f"{user.username} is deleted, with all records and {files} files")
    return 0


def list_users(desk: Desk, _given: argparse.Namespace) -> int:
    """A line an account, with tabs between."""
    print("name", "role", "address", "id", "made", "logs in by", "bytes of files", "waits", sep="\t")
    for one in operating.listed(desk.database, desk.passwords):
        user = one.user
        ways, waits = " ".join(one.logs_in_by), "yes" if one.waits else "no"
        made = user.created_at.isoformat(timespec="seconds")
        print(user.username, user.role, user.email, user.id, made, ways, one.files_bytes, waits, sep="\t")
    return 0


def set_role(desk: Desk, given: argparse.Namespace) -> int:
    """Of an account that there is."""
    user = operating.set_role(desk.database, given.username, given.role)
    print(f"{user.username} is {user.role}")
    return 0


def verify_audit(desk: Desk, _given: argparse.Namespace) -> int:
    """The head goes where it cannot be changed with the database: it tells a log that was written anew."""
    with desk.database.reading() as session:
        found = verify(session)
    if found.fault:
        print(f"BROKEN after {found.entries} good entries: {found.fault}")
        return FAILED
    print(f"{found.entries} entries, unbroken; head {found.head}")
    return 0


def cleanup(desk: Desk, _given: argparse.Namespace) -> int:
    """What is older than the operator keeps it, and files that no record names, as a crash leaves them."""
    if desk.retention_days:
        expired = expire(desk.database, desk.files, datetime.now(UTC) - timedelta(desk.retention_days))
        print(
            f"{expired.records} records, {expired.batches} batches and {expired.files} files of more than "
            f"{desk.retention_days} days removed"
        )
    print(f"{sweep(desk.database, desk.files)} files removed")
    desk.database.scrub()
    return 0


def back_up(desk: Desk, given: argparse.Namespace) -> int:
    """All records and files, while the service runs."""
    told = backup(desk.database, desk.files, given.file)
    print(f"{told.rows} rows and {told.files} files written to {given.file}")
    return 0


def bring_back(desk: Desk, given: argparse.Namespace) -> int:
    """What a backup holds, while the service does not run."""
    told = restore(desk.database, desk.files, given.file, replace=given.replace)
    print(f"{told.rows} rows and {told.files} files restored from {given.file}")
    return 0


def export_feedback(desk: Desk, given: argparse.Namespace) -> int:
    """The folder stands for a public data set of the task, whose labels it has."""
    tasks = {task.id: task for task in load_tasks(desk.tasks_dir)}
    folder, count = FeedbackDataset(desk.database, desk.files, tasks).written(given.task, given.folder)
    print(f"{count} pictures in {folder}")
    return 0


def _opened(config: Config) -> Desk:
    if not config.database_url:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    database, files = Database(database_url(config)), open_file_store(config)
    database.migrate()
    passwords = Passwords(derived(secret_of(config), HASHING), cheap=config.cheap_passwords)
    accounts = AccountBook(database, files, passwords, config.quota_bytes)
    return Desk(database, files, accounts, passwords, config.tasks_dir, config.retention_days)


def _add_accounts(commands: Any) -> None:
    made = commands.add_parser("create-user", help="an account; its password comes from the terminal or a pipe")
    made.add_argument("username")
    made.add_argument("email")
    made.add_argument("--role", choices=ROLES, default="user")
    made.set_defaults(run=create_user)
    told = "the name, or the address"
    changed = commands.add_parser("set-role", help="what an account may do")
    changed.add_argument("username", help=told)
    changed.add_argument("role", choices=ROLES)
    changed.set_defaults(run=set_role)
    for name, run, does in (
        ("set-password", set_password, "another password, from the terminal or a pipe; every log-in is ended"),
        ("unlock-user", unlock_user, "forget failed log-ins, after which a name has to wait"),
        ("delete-user", delete_user, "an account with all its records and files"),
    ):
        command = commands.add_parser(name, help=does)
        command.add_argument("username", help=told)
        command.set_defaults(run=run)
    commands.add_parser("list-users", help="all accounts, a line each").set_defaults(run=list_users)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backend.admin", description="Records, from a terminal.")
    commands: Any = parser.add_subparsers(dest="command", required=True)
    _add_accounts(commands)
    commands.add_parser("verify-audit", help="look through the chain of the audit log").set_defaults(run=verify_audit)
    exported = commands.add_parser("export-feedback", help="pictures with feedback, as a data set that recipes read")
    exported.add_argument("task")
    exported.add_argument("folder", type=Path, help="in which a folder is made")
    exported.set_defaults(run=export_feedback)
    kept = commands.add_parser("backup", help="write all records and files to one file")
    kept.add_argument("file", type=Path)
    kept.set_defaults(run=back_up)
    brought = commands.add_parser("restore", help="bring back what a backup holds; stop the service first")
    brought.add_argument("file", type=Path)
    brought.add_argument("--replace", action="store_true", help="take away what there is now")
    brought.set_defaults(run=bring_back)
    swept = commands.add_parser("cleanup", help="remove what is older than RETENTION_DAYS, and files of no record")
    swept.set_defaults(run=cleanup)
    moved = commands.add_parser("migrate", help="bring the tables to a form; the service does so by itself, upwards")
    moved.add_argument("target", nargs="?", default=HEAD, help="a revision, head (default) or base")
    moved.set_defaults(run=None)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 done, 1 the audit log is broken, 2 it could not be done."""
    given = _parsed(arguments)
    try:
        config = Config.from_env()
        if given.run is None:
            Database(database_url(config)).migrate(given.target)
            return 0
        desk = _opened(config)
        try:
            status: int = given.run(desk, given)
        finally:
            desk.database.close()
    except (ConfigError, RecordsUnavailable, MediDiagnoseError, OSError) as error:
        print(f"not done: {' '.join(str(error).split())}", file=sys.stderr)
        return UNUSABLE
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
