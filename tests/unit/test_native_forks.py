"""A child of fork inherits objects of the core, but no I/O thread: neither process may suffer."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import os, socket, sys, time
from sealroom import errors
from sealroom._core import net
from sealroom._core.session import MediaSession
from sealroom._core.sfu import Router

def connected():
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in ends:
        end.bind(("127.0.0.1", 0))
    ends[0].connect(ends[1].getsockname())
    ends[1].connect(ends[0].getsockname())
    return ends

def receives(session, peer):
    before = session.transport_statistics().datagrams_received
    peer.send(bytes(20))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if session.transport_statistics().datagrams_received > before:
            return True
        time.sleep(0.01)
    return False

def end_of(child):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "it hung"

def refused(call):
    try:
        call()
    except errors.NotReadyError as error:
        assert "fork" in str(error)
        return
    raise AssertionError("not refused")

session = MediaSession()
router = Router()
transport = router.create_transport(extensions={})
ours, peer = connected()
session.attach_socket(ours.detach())
assert receives(session, peer)
child = os.fork()
"""

IN_THE_CHILD = {
    "ends": "sys.exit(0)",
    "closes_what_it_inherited": """
session.close(); transport.close()
del session, transport, router
sys.exit(0)
""",
    "uses_what_it_inherited": """
refused(session.transport_statistics)
refused(lambda: session.attach_socket(connected()[0].detach()))
refused(lambda: router.create_transport(extensions={}))
refused(lambda: transport.take_control())
refused(lambda: session.add_sender(ssrc=1, payload_type=96, codec="vp8", mid="m"))
sys.exit(0)
""",
    "makes_its_own": """
own = MediaSession()
mine, other = connected()
own.attach_socket(mine.detach())
sys.exit(0 if receives(own, other) else 1)
""",
}


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", IN_THE_CHILD)
def test_a_child_of_fork_leaves_its_parent_be_and_works_by_itself(what: str) -> None:
    body = IN_THE_CHILD[what].strip().replace("\n", "\n    ")
    run(
        f"{PRELUDE}if child == 0:\n    {body}\n"
        "assert end_of(child) == 0\n"
        "assert receives(session, peer)\n"
    )


def test_an_io_thread_of_the_parent_is_refused_in_the_child_and_does_not_end_it_badly() -> None:
    run(
        f"io_threads = []\n{PRELUDE.replace('session = MediaSession()', IO_THREAD)}"
        "if child == 0:\n"
        "    refused(lambda: MediaSession(io_thread=io_threads[0]))\n"
        "    refused(lambda: Router(io_thread=io_threads[0]))\n"
        "    sys.exit(0)\n"
        "assert end_of(child) == 0\n"
        "assert receives(session, peer)\n"
    )


IO_THREAD = "io_threads.append(net.IoThread()); session = MediaSession(io_thread=io_threads[0])"
