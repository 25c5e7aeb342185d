"""The command line against a Bridge, and what it says when something is wrong."""

from __future__ import annotations

import io
import json
import re
import stat
import sys
from pathlib import Path

import pytest
from cli_support import Command, as_user

from sealroom.bridge import BridgeConfig
from sealroom.cli import missing_module_message
from sealroom.identity import Identity

ID = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["bridge"],
        ["identity"],
        ["identity", "new"],
        ["identity", "show"],
        ["context"],
        ["context", "create"],
        ["context", "list"],
        ["context", "show"],
        ["context", "update"],
        ["context", "users"],
        ["context", "add-user"],
        ["context", "rooms"],
        ["context", "delete"],
        ["admin"],
        ["admin", "room"],
        ["admin", "room", "list"],
        ["admin", "room", "show"],
        ["admin", "room", "close"],
        ["admin", "room", "reopen"],
        ["admin", "room", "delete"],
        ["admin", "participant"],
        ["admin", "participant", "list"],
        ["admin", "participant", "kick"],
        ["user"],
        ["user", "show"],
        ["user", "set-identity"],
        ["user", "set-acl"],
        ["user", "remove"],
        ["key"],
        ["key", "create"],
        ["key", "list"],
        ["key", "revoke"],
        ["statistics"],
        ["audit"],
        ["audit", "list"],
        ["audit", "prune"],
        ["room"],
        ["room", "create"],
        ["room", "list"],
        ["room", "show"],
        ["room", "participants"],
        ["room", "streams"],
        ["room", "kick"],
        ["room", "send"],
        ["room", "events"],
        ["identity", "compare"],
        ["room", "update"],
        ["room", "close"],
        ["room", "reopen"],
        ["room", "delete"],
        ["publish"],
        ["watch"],
    ],
)
def test_every_command_explains_itself(run: Command, command: list[str]) -> None:
    ran = run(*command, "--help")
    assert ran.code == 0
    assert "Usage: sealroom" in ran.out
    # A sentence for the command, and no option or command without one.
    assert re.search(r"[A-Z][^│╭]{15,}\.", ran.out)
    for line in re.findall(r"│ +(?:--?\w[\w-]*|[a-z][\w-]+) .*│", ran.out):
        assert re.search(r"[a-z]{2,} [a-z]", line), line


def test_an_identity_file_is_private_and_is_not_overwritten(run: Command, tmp_path: Path) -> None:
    made = run("identity", "new", "alice.id")
    assert made.code == 0
    assert stat.S_IMODE((tmp_path / "alice.id").stat().st_mode) == 0o600
    assert made.out.strip() == Identity.load(tmp_path / "alice.id").public.fingerprint_text
    before = (tmp_path / "alice.id").read_bytes()
    again = run("identity", "new", "alice.id")
    assert again.code == 1
    assert "exists already" in again.err
    assert (tmp_path / "alice.id").read_bytes() == before


def test_an_identity_is_shown_without_its_passphrase(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_PASSPHRASE", "correct horse")
    made = run("identity", "new", "alice.id", "--passphrase")
    monkeypatch.delenv("SEALROOM_PASSPHRASE")
    shown = run("identity", "show", "alice.id")
    assert shown.out == made.out
    public = run("identity", "show", "alice.id", "--public").out.strip()
    identity = Identity.load(tmp_path / "alice.id", "correct horse")
    assert public == identity.public.encode()
    (tmp_path / "alice.pub").write_text(public + "\n")
    assert run("identity", "show", "alice.pub").out == made.out


def test_a_protected_identity_without_its_passphrase_is_one_clear_line(
    run: Command, context: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_PASSPHRASE", "correct horse")
    assert run("identity", "new", "carol.id", "--passphrase").code == 0
    assert run("context", "add-user", context, "carol", "carol.id").code == 0
    assert run("room", "list", *as_user("carol")).code == 0
    monkeypatch.delenv("SEALROOM_PASSPHRASE")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ran = run("room", "list", *as_user("carol"))
    assert ran.code == 1
    assert "SEALROOM_PASSPHRASE" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_a_room_is_made_listed_and_deleted(run: Command, context: str) -> None:
    made = run("room", "create", "--title", "Weekly [bold]plans[/bold]", "--member", "bob")
    assert made.code == 0
    room = made.out.strip()
    assert ID.fullmatch(room)
    for listing in (run("room", "list"), run("room", "list", *as_user("bob"))):
        assert room in listing.out
        assert "Weekly [bold]plans[/bold]" in listing.out
    assert room not in run("room", "list", *as_user("mallory")).out
    assert run("room", "delete", room, *as_user("bob")).code == 1
    assert run("room", "delete", room).code == 0
    assert room not in run("room", "list").out


def test_a_room_is_changed_closed_and_reopened(run: Command, context: str) -> None:
    room = run("room", "create", "--title", "first", "--member", "bob").out.strip()
    changed = run("room", "update", room, "--title", "second", "--add-manager", "mallory")
    assert (changed.code, "version 2, key 1" in changed.err) == (0, True)
    assert "second" in run("room", "list", *as_user("mallory")).out
    removed = run("room", "update", room, "--remove", "bob")
    assert "version 3, key 2" in removed.err
    assert room not in run("room", "list", *as_user("bob")).out
    assert "key 3" in run("room", "update", room, "--new-key").err
    assert run("room", "update", room, "--title", "x", *as_user("bob")).code == 1
    assert run("room", "close", room, *as_user("mallory")).code == 0
    assert "closed" in run("room", "list").out
    assert run("room", "close", room).code == 1
    assert run("room", "reopen", room).code == 0
    assert "open" in run("room", "list").out


def test_contexts_and_users_are_listed(run: Command, context: str) -> None:
    listing = run("context", "list")
    assert context in listing.out
    assert "Team" in listing.out
    users = run("context", "users", context).out
    fingerprint = run("identity", "show", "bob.id").out.strip()
    assert re.search(rf"bob +{fingerprint}", users)


def test_keys_are_made_listed_used_and_revoked(
    run: Command, context: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("key", "create", "reader", "--scope", "contexts:read", "--days", "1")
    key = made.out.strip()
    assert key.startswith("sealroom-key-")
    key_id = re.search(r"[0-9a-f]{32}", made.err)
    assert key_id is not None
    listing = run("key", "list").out
    assert re.search(rf"{key_id[0]} +reader +contexts:read +\d+-\d+-\d+ .*never", listing)
    assert key not in listing
    assert run("context", "list", "--admin-key", key).code == 0
    refused = run("context", "create", "x", "--admin-key", key)
    assert (refused.code, "contexts:write" in refused.err) == (1, True)
    assert run("key", "revoke", key_id[0]).code == 0
    assert "revoked" in run("key", "list").out
    assert run("context", "list", "--admin-key", key).code == 1


def test_the_audit_log_is_listed_and_filtered(run: Command, context: str) -> None:
    room = run("room", "create").out.strip()
    assert run("room", "close", room).code == 0
    listing = run("audit", "list", "--context", context).out
    assert re.search(rf"user alice +room.closed +room {room} +ok", listing)
    assert re.search(r"key [0-9a-f]{32} +admin.user_add +user mallory +ok", listing)
    only = run("audit", "list", "--action", "room.created", "--limit", "1").out
    assert "room.created" in only
    assert "room.closed" not in only
    assert "room" not in run("audit", "list", "--until", "2000-01-01").out
    reader = run("key", "create", "reader", "--scope", "contexts:read").out.strip()
    assert run("audit", "list", "--admin-key", reader).code == 1


def test_users_are_shown_restricted_given_a_new_key_and_removed(run: Command, context: str) -> None:
    fingerprint = run("identity", "show", "bob.id").out.strip()
    shown = run("user", "show", context, "bob").out
    assert shown.splitlines() == [f"fingerprint: {fingerprint}", "sessions: 0", "access: allow all"]
    assert run("user", "set-acl", context, "bob", "--line", "allow read").code == 0
    assert "access: allow read" in run("user", "show", context, "bob").out
    assert run("room", "create", *as_user("bob")).code == 1
    assert run("user", "set-acl", context, "bob").code == 0
    assert run("room", "create", *as_user("bob")).code == 0
    new = run("identity", "new", "new.id").out.strip()
    assert run("user", "set-identity", context, "bob", "new.id").out.strip() == new
    assert run("room", "list", *as_user("bob")).code == 1
    assert run("room", "list", "--user", "bob", "--identity", "new.id").code == 0
    assert run("user", "remove", context, "bob").code == 0
    assert run("room", "list", "--user", "bob", "--identity", "new.id").code == 1


def test_an_administrator_sees_rooms_and_figures_and_deletes_a_context(
    run: Command, context: str
) -> None:
    room = run("room", "create", "--title", "secret", "--member", "bob").out.strip()
    listing = run("context", "rooms", context).out
    assert re.search(rf"{room} +created +alice +2 +0", listing)
    assert "secret" not in listing
    figures = json.loads(run("statistics", "--context", context).out)
    assert (figures["users"], figures["rooms"]["created"]) == (3, 1)
    assert json.loads(run("statistics", "--room", room).out)["members"] == 2
    assert json.loads(run("statistics").out)["live_rooms"] == 0
    assert run("context", "delete", context).code == 0
    assert context not in run("context", "list").out
    assert run("room", "list").code == 1


def test_titles_cannot_steer_the_terminal(run: Command, context: str) -> None:
    assert run("room", "create", "--title", "x\x1b]0;owned\x07y\x1b[2J").code == 0
    shown = run("room", "list").out
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown


def test_an_outsider_is_told_no_in_one_line(run: Command, context: str) -> None:
    room = run("room", "create", "--member", "bob").out.strip()
    for command in (["watch", room], ["publish", "test", room], ["room", "delete", room]):
        ran = run(*command, *as_user("mallory"))
        assert ran.code == 1
        assert re.fullmatch(r"Error: .*does not exist or you may not.* Remedy: .*\.\n", ran.err)


def test_watching_where_nobody_publishes_fails_and_says_so(
    run: Command, context: str, tmp_path: Path
) -> None:
    room = run("room", "create").out.strip()
    ran = run("watch", room, "--seconds", "0.5", "--save", "out.mkv")
    assert ran.code == 1
    assert "nothing arrived" in ran.err
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["room", "list", "--user", "alice", "--identity", "bob.id"], "log-in was refused"),
        (["room", "list", "--user", "nobody"], "log-in was refused"),
        (["room", "create", "--member", "zoe"], "not in the context: zoe"),
        (["context", "list", "--admin-key", "wrong"], "does not know this API key"),
        (["context", "list", "--url", "ws://127.0.0.1:1"], "sealroom bridge"),
        (["room", "list", "--url", "ws://127.0.0.1:1"], "sealroom bridge"),
        (["room", "list", "--url", "nonsense"], "ws://host:port"),
        (["room", "list", "--identity", "none.id"], "sealroom identity new none.id"),
        (["context", "add-user", "CONTEXT", "alice", "alice.id"], "already"),
        (["context", "add-user", "0" * 32, "x", "alice.id"], "context"),
        (["context", "add-user", "CONTEXT", "x", "sealroom:abc"], "wrong length"),
        (["context", "add-user", "CONTEXT", "x", "nofile"], "neither a public identity"),
        (["key", "create", "x", "--scope", "rooms"], "--scope rooms is unknown"),
        (["key", "revoke", "unknown"], "key_id"),
        (["user", "show", "CONTEXT", "zoe"], "user_id"),
        (["user", "set-acl", "CONTEXT", "bob", "--line", "allow flying"], "acl.line[1]"),
        (["context", "rooms", "unknown"], "context_id"),
        (["context", "delete", "unknown"], "context_id"),
        (["statistics", "--room", "unknown"], "room_id"),
        (["statistics", "--room", "r", "--context", "c"], "do not go together"),
        (["bridge", "--turn-url", "turn:127.0.0.1"], "--turn-secret-file"),
        (["publish", "no-such-file.mp4", "0" * 32], "there is no file no-such-file.mp4"),
        (["publish", "alice.id", "0" * 32], "not a media file"),
        (["watch", "0" * 32, "--save", "out.mp4"], ".mkv"),
        (["watch", "0" * 32, "--save", "nowhere/out.mkv"], "mkdir"),
    ],
)
def test_a_failure_is_one_line_that_says_what_to_do(
    run: Command, context: str, arguments: list[str], told: str
) -> None:
    ran = run(*(context if one == "CONTEXT" else one for one in arguments))
    assert ran.code == 1, ran
    assert told in ran.err
    assert ran.err.startswith("Error: ")
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert ran.out == ""


def test_a_missing_option_is_named_with_its_variable(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SEALROOM_IDENTITY", "SEALROOM_USER", "SEALROOM_CONTEXT", "SEALROOM_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "SEALROOM_IDENTITY" in run("room", "list").err
    assert "SEALROOM_USER" in run("room", "list", "--identity", "x").err
    assert "SEALROOM_ADMIN_KEY" in run("context", "list").err


@pytest.mark.parametrize(
    "arguments", [["watch"], ["nonsense"], ["demo", "--seconds", "0"], ["bridge", "--port", "x"]]
)
def test_wrong_use_ends_with_2(run: Command, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err


def test_a_changed_key_is_refused(run: Command, context: str, tmp_path: Path) -> None:
    room = run("room", "create", "--member", "bob").out.strip()
    assert room in run("room", "list", *as_user("bob")).out
    known = next((tmp_path / "data").rglob("known_users.json"))
    alice = Identity.load("alice.id").public.fingerprint.hex()
    assert alice in known.read_text()
    known.write_text(known.read_text().replace(alice, "00" * 32))
    ran = run("room", "list", *as_user("bob"))
    assert ran.code == 1
    assert "does not verify" in ran.err


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("typer", "sealroom[cli]"),
        ("rich.console", "sealroom[cli]"),
        ("starlette.applications", "sealroom[bridge]"),
        ("sqlalchemy", "sealroom[bridge]"),
        ("sealroom._core", "install sealroom again"),
    ],
)
def test_a_missing_extra_is_named(module: str, remedy: str) -> None:
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert remedy in missing_module_message(error)


def test_without_the_bridge_extra_its_command_names_it_and_others_work(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("sealroom.bridge")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    ran = run("bridge")
    assert ran.code == 2
    assert "pip install 'sealroom[bridge]'" in ran.err
    assert run("identity", "new", "alice.id").code == 0


def test_what_a_bridge_is_told_is_what_it_does(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[BridgeConfig] = []
    monkeypatch.setattr("sealroom.bridge.server.run", lambda config, **_: told.append(config))
    assert run("bridge").code == 0
    monkeypatch.setenv("SEALROOM_FORWARDED_ALLOW_IPS", "10.0.0.0/8 ::1")
    options = ("--audit-days", "2", "--audit-entries", "500", "--public-url", "wss://one.example")
    assert run("bridge", *options).code == 0
    plain, other = told
    assert plain.forwarded_allow_ips == ()
    assert (plain.audit_max_age, plain.audit_max_entries) == (
        BridgeConfig().audit_max_age,
        BridgeConfig().audit_max_entries,
    )
    assert list(other.forwarded_allow_ips) == ["10.0.0.0/8", "::1"]
    assert (other.audit_max_age, other.audit_max_entries) == (172_800.0, 500)
    assert other.public_url == "wss://one.example"
    assert run("bridge", "--audit-days", "0").code == 2
