"""Rooms from the command line: as a member with an identity, as an administrator with a key."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import msgspec
import pytest
from cli_support import Command, as_user, command, living, publishing

from sealroom.bridge.live import LiveStream
from sealroom.protocol import StreamView


def test_a_member_sees_what_the_record_says(run: Command, context: str) -> None:
    room = run(
        *("room", "create", "--title", "Plans \x1b[2J", "--member", "bob", "--type", "lecture"),
        *("--public", '{"year": 2026, "kind": "talk"}', "--ttl", "60", "--policy", "record=user"),
    ).out.strip()
    shown = run("room", "show", room, *as_user("bob")).out
    lines = shown.splitlines()
    for line in (
        "title: Plans ?[2J",
        "state: created",
        "creator: alice",
        "type: lecture",
        "empty room closes after: 60 s",
        "manager: alice",
        "user: bob",
        "policy: record=user",
    ):
        assert line in lines
    numbers = {
        re.search(r"safety number: ([\d ]+)", run("room", "show", room, *as_user(user)).out)[1]  # type: ignore[index]
        for user in ("alice", "bob")
    }
    assert len(numbers) == 1
    found = json.loads(run("room", "show", room, "--json").out)
    assert found["title"] == "Plans \x1b[2J"
    assert (found["users"], found["managers"], found["version"]) == (["bob"], ["alice"], 1)
    assert found["safety_number"] in numbers
    assert "\x1b" not in run("room", "show", room, "--json").out


def test_rooms_are_found_by_type_and_public_fields(run: Command, context: str) -> None:
    talk = run("room", "create", "--type", "lecture", "--public", '{"year": 2026}').out.strip()
    other = run("room", "create", "--public", '{"year": "2026"}').out.strip()

    def found(*options: str) -> set[str]:
        return {one["room_id"] for one in json.loads(run("room", "list", "--json", *options).out)}

    assert found() == {talk, other}
    assert found("--type", "lecture") == {talk}
    assert found("--where", "year=2026") == {talk}
    assert found("--where", 'year="2026"') == {other}
    assert found("--where", "year=2027") == set()


def test_a_manager_changes_policy_metadata_and_roles(run: Command, context: str) -> None:
    room = run("room", "create", "--title", "a", "--manager", "bob").out.strip()
    update = ("--policy", "publish=manager", "--policy", "record=none", "--public", "news")
    assert run("room", "update", room, *update, "--ttl", "5", "--demote", "bob").code == 0
    found = json.loads(run("room", "show", room, "--json").out)
    assert {"publish": "manager", "record": "none"}.items() <= found["policy"].items()
    assert (found["users"], found["managers"]) == (["bob"], ["alice"])
    assert (found["title"], found["empty_room_ttl"], found["epoch"]) == ("a", 5.0, 1)
    assert run("room", "update", room, "--policy", "record=user").code == 0
    found = json.loads(run("room", "show", room, "--json").out)
    assert {"publish": "manager", "record": "user"}.items() <= found["policy"].items()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--demote", "mallory"], "no such member"),
        (["--remove", "zoe"], "no such member"),
        (["--add", "zoe"], "not in the context: zoe"),
        (["--add", "bob", "--remove", "bob"], "two different changes"),
        (["--policy", "record"], "write it as record=user"),
        (["--policy", "flying=user"], "There is no entry 'flying' in a policy"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(
    run: Command, context: str, options: list[str], told: str
) -> None:
    room = run("room", "create", "--member", "bob").out.strip()
    ran = run("room", "update", room, "--title", "x", *options)
    assert (ran.code, told in ran.err) == (1, True), ran
    assert len(ran.err.strip().splitlines()) == 1
    assert json.loads(run("room", "show", room, "--json").out)["version"] == 1


def test_several_rooms_are_deleted_each_by_itself(run: Command, context: str) -> None:
    mine = [run("room", "create", "--member", "bob").out.strip() for _ in range(2)]
    his = run("room", "create", "--member", "alice", *as_user("bob")).out.strip()
    ran = run("room", "delete", *mine, his)
    assert ran.code == 1
    assert f"room {his} is not deleted: ACCESS_DENIED" in ran.err
    assert [one["room_id"] for one in json.loads(run("room", "list", "--json").out)] == [his]


def test_who_is_in_a_room_is_listed_and_thrown_out(run: Command, context: str, bridge: str) -> None:
    room = run("room", "create", "--title", "t", "--member", "bob").out.strip()
    assert json.loads(run("room", "participants", room, "--json").out) == []
    assert json.loads(run("room", "streams", room, "--json").out) == []
    with living(publishing(bridge, context, "bob", room)):
        (there,) = json.loads(run("room", "participants", room, "--json").out)
        assert (there["user_id"], len(there["stream_ids"])) == ("bob", 1)
        participant = there["participant_id"]
        assert re.search(rf"{participant} +bob .* 1", run("room", "participants", room).out)
        (stream,) = json.loads(run("room", "streams", room, "--json").out)
        assert (stream["user_id"], stream["title"]) == ("bob", "Front row")
        assert [one["name"] for one in stream["tracks"]] == ["camera"]
        assert "video vp8 camera" in run("room", "streams", room).out
        # Looking joined nothing.
        assert len(json.loads(run("room", "participants", room, "--json").out)) == 1
        refused = run("room", "kick", room, participant, *as_user("bob"))
        assert (refused.code, "may not" in refused.err) == (1, True)
        assert run("room", "kick", room, participant).code == 0
        assert json.loads(run("room", "participants", room, "--json").out) == []
        again = run("room", "kick", room, participant)
        assert (again.code, "'sealroom room participants'" in again.err) == (1, True)


def test_a_stream_that_does_not_verify_is_left_out_and_told(
    run: Command, context: str, bridge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = run("room", "create", "--member", "bob", "--member", "mallory").out.strip()
    with (
        living(publishing(bridge, context, "bob", room)),
        living(publishing(bridge, context, "alice", room)),
    ):
        honest = LiveStream.view

        def view(stream: LiveStream) -> StreamView:
            """The Bridge says that bob's stream is mallory's."""
            found = honest(stream)
            lie = "mallory" if found.user_id == "bob" else found.user_id
            return msgspec.structs.replace(found, user_id=lie)

        monkeypatch.setattr(LiveStream, "view", view)
        ran = run("room", "streams", room, "--json")
        assert ran.code == 1
        assert [one["user_id"] for one in json.loads(ran.out)] == ["alice"]
        assert re.fullmatch(r"Error: stream \w+ does not verify and is left out: .*\n", ran.err)


def test_two_users_see_the_same_number(run: Command, context: str) -> None:
    number = run("identity", "compare", "bob").out.strip()
    assert re.fullmatch(r"[\d ]{20,}", number)
    assert run("identity", "compare", "alice", *as_user("bob")).out.strip() == number
    assert run("identity", "compare", "mallory").out.strip() != number
    refused = run("identity", "compare", "zoe")
    assert (refused.code, "not in the context: zoe" in refused.err) == (1, True)


def test_what_happens_is_told_a_line_for_each_event(
    run: Command, context: str, bridge: str, tmp_path: Path
) -> None:
    room = run("room", "create", "--title", "t", "--member", "bob").out.strip()
    login = ("--user", "alice", "--identity", "alice.id", "--room", room)
    with command("room", "events", *login, "--join", "--count", "5") as listening:
        listening.wait_for("Listening")
        with living(publishing(bridge, context, "bob", room)):
            sent = run("room", "send", room, "hello\x1b[2J", "--channel", "chat", *as_user("bob"))
            assert (sent.code, sent.err) == (0, "Sent.\n")
        assert listening.finish() == 0
    found = [json.loads(line) for line in listening.out.splitlines()]
    assert "\x1b" not in listening.out
    assert [one["event"] for one in found] == [
        "participant_joined",
        "stream_published",
        "participant_joined",
        "custom_event",
        "participant_left",
    ]
    assert {one["room_id"] for one in found} == {room}
    assert (found[1]["stream"]["user_id"], found[1]["stream"]["title"]) == ("bob", "Front row")
    custom = found[3]
    assert (custom["user_id"], custom["channel"]) == ("bob", "chat")
    assert base64.b64decode(custom["data"]) == b"hello\x1b[2J"


def test_what_happens_in_rooms_is_told_without_joining_them(
    run: Command, context: str, bridge: str
) -> None:
    with command("room", "events", "--count", "3", *as_user("bob")) as listening:
        listening.wait_for("Listening")
        room = run("room", "create", "--member", "bob").out.strip()
        assert run("room", "close", room).code == 0
        assert run("room", "delete", room).code == 0
        assert listening.finish() == 0
    names = [json.loads(line)["event"] for line in listening.out.splitlines()]
    assert names == ["room_created", "room_closed", "room_deleted"]


def test_an_administrator_looks_after_rooms_of_others(
    run: Command, context: str, bridge: str
) -> None:
    room = run("room", "create", "--title", "secret", "--member", "bob").out.strip()
    shown = run("admin", "room", "show", room)
    assert "secret" not in shown.out
    assert {"creator: alice", "manager: alice", "user: bob"} <= set(shown.out.splitlines())
    assert json.loads(run("admin", "room", "show", room, "--json").out)["context_id"] == context
    with living(publishing(bridge, context, "bob", room)):
        (there,) = json.loads(run("admin", "participant", "list", context, "--json").out)
        assert (there["room_id"], there["user_id"], there["streams"]) == (room, "bob", 1)
        listing = run("admin", "participant", "list", context, "--room", room).out
        assert re.search(rf"{there['participant_id']} +bob +{room} ", listing)
        kick = ("admin", "participant", "kick", room, there["participant_id"])
        assert run(*kick, "--note", "lunch").code == 0
        assert json.loads(run("admin", "participant", "list", context, "--json").out) == []
        again = run(*kick)
        assert (again.code, len(again.err.strip().splitlines())) == (1, 1)
    assert run("admin", "room", "close", room).code == 0
    assert room in run("admin", "room", "list", context, "--state", "closed").out
    assert room not in run("admin", "room", "list", context, "--state", "open").out
    assert run("admin", "room", "close", room).code == 1
    assert run("admin", "room", "reopen", room).code == 0
    assert run("admin", "room", "reopen", room).code == 1
    other = run("room", "create").out.strip()
    ran = run("admin", "room", "delete", room, "missing", other)
    assert (ran.code, "room missing is not deleted: ROOM_NOT_FOUND" in ran.err) == (1, True)
    assert json.loads(run("admin", "room", "list", context, "--json").out) == []


def test_a_contexts_title_and_policy_are_shown_and_changed(run: Command, context: str) -> None:
    assert run("context", "show", context).out.splitlines()[0] == "title: Team"
    change = ("--title", "Crew", "--policy", "record=none", "--policy", "publish=manager")
    assert run("context", "update", context, *change).code == 0
    found = json.loads(run("context", "show", context, "--json").out)
    assert found["title"] == "Crew"
    assert found["policy"] == {"record": "none", "publish": "manager"}
    assert run("context", "update", context, "--policy", "record=user").code == 0
    assert run("context", "update", context, "--drop", "publish").code == 0
    shown = run("context", "show", context).out.splitlines()
    assert shown[0] == "title: Crew"
    assert [one for one in shown if one.startswith("policy")] == ["policy: record=user"]
    room = run("room", "create").out.strip()  # takes it up
    assert "policy: record=user" in run("room", "show", room).out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["context", "update", "CONTEXT"], "--title"),
        (["context", "update", "CONTEXT", "--drop", "record"], "no entry of this context"),
        (["context", "update", "CONTEXT", "--policy", "flying=all"], "policy.flying"),
        (["context", "update", "unknown", "--title", "x"], "'sealroom context list'"),
        (["context", "show", "unknown"], "'sealroom context list'"),
        (["user", "show", "CONTEXT", "zoe"], "'sealroom context users'"),
        (["admin", "room", "show", "unknown"], "'sealroom admin room list'"),
        (["admin", "room", "list", "CONTEXT", "--state", "ajar"], "created, open, closed"),
        (["admin", "room", "close", "unknown"], "room_id"),
        (["admin", "participant", "list", "unknown"], "context_id"),
        (["admin", "participant", "kick", "unknown", "p"], "room_id"),
        (["admin", "room", "delete", *["r"] * 101], "100 at most"),
        (["room", "list", "--where", "year"], "write it as kind=lecture"),
        (["room", "show", "unknown"], "sealroom room list"),
        (["bridge", "--forwarded-allow-ips", "*", "--port", "0"], "forwarded_allow_ips"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    run: Command, context: str, arguments: list[str], told: str
) -> None:
    ran = run(*(context if one == "CONTEXT" else one for one in arguments))
    assert ran.code == 1, ran
    assert told in ran.err
    assert ran.err.startswith("Error: ")
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert ran.out == ""


def test_the_audit_log_is_pruned(run: Command, context: str) -> None:
    ran = run("audit", "prune", "--days", "1")
    assert (ran.code, ran.err) == (0, "0 entries are gone.\n")
    (entry,) = json.loads(run("audit", "list", "--action", "admin.audit_prune", "--json").out)
    assert entry["details"]["deleted"] == 0
    assert run("audit", "prune", "--days", "0.5").code == 2


def test_everything_that_is_listed_is_json_for_programs(run: Command, context: str) -> None:
    run("room", "create", "--title", "t")
    for listing in (
        ["context", "list"],
        ["context", "users", context],
        ["context", "rooms", context],
        ["key", "list"],
        ["audit", "list"],
        ["room", "list"],
    ):
        found = json.loads(run(*listing, "--json").out)
        assert isinstance(found, list)
        assert found, listing
    assert json.loads(run("user", "show", context, "bob", "--json").out)["user_id"] == "bob"
