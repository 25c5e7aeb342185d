"""A peer of test_rtcp_gstreamer.py: VP8 through GStreamer's rtpbin, over loopback UDP.

A program of its own, because GStreamer's bindings belong to the system's Python. It reads a job, a
line of JSON, from standard input, then commands ("key_frame", "bye"), and ends with it. It writes a
line of JSON for whatever happens: {"ready": true}, {"frame": digest}, {"bye": ssrc}, and
{"source": {...}}, five times a second what rtpbin knows of the SSRC "tell" of the job.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import threading
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstVideo  # noqa: E402

CAPS = (
    "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,"
    "rtcp-fb-nack=(boolean)true,rtcp-fb-nack-pli=(boolean)true"
)
RTX_MAP = "application/x-rtp-pt-map,96=(uint)97"


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def make(kind: str, **properties: Any) -> Any:
    element = Gst.ElementFactory.make(kind)
    for name, value in properties.items():
        element.set_property(name.replace("_", "-"), value)
    return element


def plain_values(structure: Any) -> dict[str, Any]:
    values = {}
    for i in range(structure.n_fields()):
        name = structure.nth_field_name(i)
        try:
            value = structure.get_value(name)
        except TypeError:  # the bindings know no such type
            continue
        if isinstance(value, bool | int | str):
            values[name] = value
    return values


class Peer:
    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.pipeline = Gst.Pipeline()
        self.bin = self.add(make("rtpbin", rtp_profile=3, latency=4000, do_retransmission=True))
        self.bin.connect("on-bye-ssrc", lambda _bin, _session, ssrc: say(bye=ssrc))
        self.bin.connect("request-pt-map", self.caps_of)
        self.watched: Any = None  # key frames are asked for there
        source = self.add(make("udpsrc", address="127.0.0.1", port=job["rtcp_in"]))
        source.set_property("caps", Gst.Caps.from_string("application/x-rtcp"))
        if job["mode"] == "send":
            self.build_sender()
        else:
            self.build_receiver()
        source.link_pads("src", self.bin, "recv_rtcp_sink_0")
        self.bin.link_pads("send_rtcp_src_0", self.sink(job["rtcp_out"]), "sink")

    def add(self, element: Any) -> Any:
        self.pipeline.add(element)
        return element

    def sink(self, port: int) -> Any:
        element = make("udpsink", host="127.0.0.1", port=port, sync=False)
        element.set_property("async", False)
        return self.add(element)

    def caps_of(self, _bin: Any, _session: int, payload_type: int) -> Any:
        if payload_type == 97:
            return Gst.Caps.from_string(
                "application/x-rtp,media=video,encoding-name=RTX,clock-rate=90000,payload=97,apt=96"
            )
        return Gst.Caps.from_string(CAPS)

    def aux(self, kind: str, first_pad: str, last_pad: str) -> Any:
        """What rtpbin asks for where retransmissions have a stream of their own (RFC 4588)."""
        element = make(kind)
        payload_types = Gst.Structure.from_string(RTX_MAP)[0]
        element.set_property("payload-type-map", payload_types)
        if kind == "rtprtxsend":
            ssrcs = f"application/x-rtp-ssrc-map,{self.job['ssrc']}=(uint){self.job['rtx_ssrc']}"
            element.set_property("ssrc-map", Gst.Structure.from_string(ssrcs)[0])
        holder = Gst.Bin()
        holder.add(element)
        for name, pad in ((first_pad, "sink"), (last_pad, "src")):
            holder.add_pad(Gst.GhostPad.new(name, element.get_static_pad(pad)))
        return holder

    def build_sender(self) -> None:
        if self.job["rtx"]:
            self.bin.connect(
                "request-aux-sender", lambda *_: self.aux("rtprtxsend", "sink_0", "src_0")
            )
        size = Gst.Caps.from_string("video/x-raw,width=320,height=240,framerate=30/1")
        chain = [
            make("videotestsrc", is_live=True, pattern=1),
            make("capsfilter", caps=size),
            make("vp8enc", deadline=1, keyframe_max_dist=100_000, target_bitrate=1_000_000),
            make("rtpvp8pay", ssrc=self.job["ssrc"], pt=96, mtu=800),
        ]
        if not self.job["rtx"]:
            chain.append(make("rtprtxqueue"))
        chain.append(make("capsfilter", caps=Gst.Caps.from_string(CAPS)))
        for element in chain:
            self.add(element)
        for left, right in itertools.pairwise(chain):
            left.link(right)
        chain[-1].link_pads("src", self.bin, "send_rtp_sink_0")
        self.bin.link_pads("send_rtp_src_0", self.sink(self.job["rtp_out"]), "sink")

    def build_receiver(self) -> None:
        if self.job["rtx"]:
            self.bin.connect(
                "request-aux-receiver", lambda *_: self.aux("rtprtxreceive", "sink_0", "src_0")
            )
        source = self.add(make("udpsrc", address="127.0.0.1", port=self.job["rtp_in"]))
        source.set_property("caps", Gst.Caps.from_string(CAPS))
        source.link_pads("src", self.bin, "recv_rtp_sink_0")
        self.bin.connect("pad-added", self.on_pad)

    def on_pad(self, _bin: Any, pad: Any) -> None:
        if not pad.get_name().startswith("recv_rtp_src_"):
            return
        payload = self.add(make("rtpvp8depay"))
        frames = self.add(make("appsink", emit_signals=True, sync=False, drop=False))
        frames.connect("new-sample", self.on_frame)
        self.watched = frames.get_static_pad("sink")
        payload.link(frames)
        pad.link(payload.get_static_pad("sink"))
        for element in (payload, frames):
            element.sync_state_with_parent()

    def on_frame(self, sink: Any) -> Any:
        buffer = sink.emit("pull-sample").get_buffer()
        say(frame=hashlib.sha256(buffer.extract_dup(0, buffer.get_size())).hexdigest())
        return Gst.FlowReturn.OK

    def tell_source(self) -> bool:
        session = self.bin.emit("get-internal-session", 0)
        source = session.emit("get-source-by-ssrc", self.job["tell"])
        if source is not None:
            description = source.get_property("sdes")
            cname = description.get_string("cname") if description.has_field("cname") else None
            say(source=plain_values(source.get_property("stats")) | {"cname": cname})
        return True

    def obey(self, command: str) -> None:
        if command == "key_frame" and self.watched is not None:
            self.watched.push_event(
                GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 1)
            )
        elif command == "bye":
            self.bin.get_static_pad("send_rtp_sink_0").send_event(Gst.Event.new_eos())


def main() -> None:
    Gst.init(None)
    peer = Peer(json.loads(sys.stdin.readline()))
    loop = GLib.MainLoop()
    bus = peer.pipeline.get_bus()
    bus.add_signal_watch()

    def failed(_bus: Any, message: Any) -> None:
        sys.stderr.write(f"{message.parse_error()}\n")
        loop.quit()

    def read_commands() -> None:
        for line in sys.stdin:
            GLib.idle_add(peer.obey, line.strip())
        GLib.idle_add(loop.quit)

    bus.connect("message::error", failed)
    peer.pipeline.set_state(Gst.State.PLAYING)
    GLib.timeout_add(200, peer.tell_source)
    threading.Thread(target=read_commands, daemon=True).start()
    say(ready=True)
    loop.run()
    peer.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
