"""Python's garbage collector runs in the middle of a refused call, and with it anybody's code."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import faulthandler, gc, sys, threading
faulthandler.dump_traceback_later(20, exit=True)
from sealroom import errors, privmx, rtp, sframe, srtp

KEY, MASTER, KEY_ID = bytes(32), bytes(28), "0" * 32
PROFILE = srtp.Profile.AEAD_AES_128_GCM
LAYOUT = sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=8)

def frame_receiver():
    receiver = sframe.Receiver(suite=5)
    receiver.add_key(1, KEY)
    receiver.add_ratchet(256, KEY)
    return receiver

def key_store():
    keys = privmx.KeyStore()
    keys.add(KEY_ID, KEY)
    return keys

def packet_receiver():
    packet = rtp.serialize_rtp(b"x", payload_type=96, sequence_number=1, timestamp=0, ssrc=7)
    receiver = srtp.Receiver(profile=PROFILE, master=MASTER)
    receiver.unprotect_rtp(srtp.Sender(profile=PROFILE, master=MASTER).protect_rtp(packet))
    return receiver
"""

# Finds garbage at every place of the call where the collector may start.
PROGRAM = """
made = {make}
inside = 0

class Handle:
    def __init__(self):
        self.me = self
    def __del__(self):
        global inside
        inside += sys._getframe(1).f_code.co_name == "refused"
        {touch}

def refused():
    {call}

for allocations in range(-3, 20):
    gc.disable()
    gc.collect()
    Handle()
    gc.set_threshold(max(1, gc.get_count()[0] + allocations))
    gc.enable()
    try:
        refused()
        sys.exit("not refused")
    except errors.SealroomError:
        pass
gc.disable()
print("inside" if inside else "never inside")
"""

# What is made, the call that is refused, and what the finaliser does with the same object.
CALLS = {
    "sframe.Sender.ratchet": (
        "sframe.Sender(suite=5, key_id=1, base_key=KEY)",
        "made.ratchet()",
        "made.next_counter",
    ),
    "sframe.Receiver.add_key": ("frame_receiver()", "made.add_key(1, KEY)", "made.key_ids"),
    "sframe.Receiver.add_ratchet": (
        "frame_receiver()",
        "made.add_ratchet(256, KEY)",
        "made.has_key(7)",
    ),
    "sframe.Receiver.add_mls_epoch": (
        "frame_receiver()",
        "made.add_mls_epoch(LAYOUT, sender=0, epoch=1, base_key=KEY)",
        "made.remove_key(7)",
    ),
    "sframe.Receiver.ratchet_position": (
        "frame_receiver()",
        "made.ratchet_position(7)",
        "made.key_ids",
    ),
    "privmx.KeyStore.add": ("key_store()", "made.add(KEY_ID, KEY)", "len(made)"),
    "srtp.Sender.set_key": (
        "srtp.Sender(profile=PROFILE, master=MASTER)",
        "made.set_key(MASTER)",
        "made.key_usage()",
    ),
    "srtp.Receiver.set_key": ("packet_receiver()", "made.set_key(MASTER)", "made.key_count"),
    "srtp.Receiver.remove_key": ("packet_receiver()", 'made.remove_key(b"x")', "made.key_count"),
    "srtp.Receiver.key_usage": ("packet_receiver()", 'made.key_usage(b"x")', "made.key_count"),
    "srtp.Receiver.roll_over_counter": (
        "packet_receiver()",
        "made.roll_over_counter(5)",
        "made.stream_count",
    ),
    "srtp.Receiver.set_roll_over_counter": (
        "packet_receiver()",
        "made.set_roll_over_counter(7, 1)",
        "made.stream_count",
    ),
}


def run(program: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("name", CALLS)
def test_a_finaliser_may_call_the_object_whose_call_is_being_refused(name: str) -> None:
    make, call, touch = CALLS[name]
    assert run(PROGRAM.format(make=make, call=call, touch=touch)) == "inside"


def test_a_finaliser_may_wait_for_another_thread_that_calls_the_object() -> None:
    touch = "t = threading.Thread(target=lambda: made.key_ids); t.start(); t.join()"
    program = PROGRAM.format(make="frame_receiver()", call="made.add_key(1, KEY)", touch=touch)
    assert run(program) == "inside"
