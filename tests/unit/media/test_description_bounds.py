import gc

import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.sdp import SsrcDescription

from sealroom.media.description_bounds import MAX_ATTRIBUTE_LINES, MAX_SECTION_LINES
from sealroom.media.errors import NegotiationError
from sealroom.media.session_description import parse_description

SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
MAX_CODECS = 127  # besides the one that each m-line has here


def section(mid, *lines):
    return (
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-mux\r\na=sendonly\r\n"
        f"a=mid:{mid}\r\na=rtpmap:96 VP8/90000\r\na=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\n"
        "a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n"
    ) + "".join(f"{line}\r\n" for line in lines)


def alive(*kinds):
    return sum(isinstance(one, kinds) for one in gc.get_objects())


def test_feedback_for_all_codecs_makes_no_object_for_each_of_them():
    codecs = [f"a=rtpmap:{number} a/1" for number in range(MAX_CODECS)]
    feedback = ["a=rtcp-fb:* nack"] * (MAX_SECTION_LINES - MAX_CODECS - 20)
    kinds = RTCRtcpFeedback, RTCRtpCodecParameters
    before = alive(*kinds)
    parsed = parse_description(SESSION + section("0", *codecs, *feedback))
    assert len(parsed.sections[0].codecs) == MAX_CODECS + 1
    assert alive(*kinds) - before <= MAX_CODECS + 1


def test_of_many_ssrcs_the_first_is_taken_and_no_other_is_looked_at(monkeypatch):
    made = []
    monkeypatch.setattr("aiortc.sdp.SsrcDescription", lambda **own: made.append(own) or described())

    def described():
        return SsrcDescription(**made[-1])

    sources = [f"a=ssrc:{number} cname:a" for number in range(7, 407)]
    parsed = parse_description(SESSION + section("0", *sources))
    assert parsed.sections[0].ssrc == 7
    assert made == [{"ssrc": 7}]


@pytest.mark.parametrize("attribute", ["rtpmap", "fmtp", "extmap", "fingerprint", "candidate"])
def test_an_m_line_has_no_more_lines_of_one_attribute_than_there_are_payload_types(attribute):
    value = {
        "rtpmap": "1 a/1",
        "fmtp": "96 x=1",
        "extmap": "1 urn:x",
        "fingerprint": "sha-256 AA",
        "candidate": "1 1 tcp 1 10.0.0.1 1 typ host",
    }[attribute]
    has = section("0").count(f"a={attribute}:")
    lines = [f"a={attribute}:{value}"] * (MAX_ATTRIBUTE_LINES - has)
    parse_description(SESSION + section("0", *lines))
    with pytest.raises(NegotiationError, match=f"at most {MAX_ATTRIBUTE_LINES} a={attribute}"):
        parse_description(SESSION + section("0", *lines, lines[0]))


def test_lines_above_the_first_m_line_are_bounded_as_well():
    fingerprints = "a=fingerprint:sha-256 AA\r\n" * (MAX_ATTRIBUTE_LINES + 1)
    with pytest.raises(NegotiationError, match="a=fingerprint"):
        parse_description(SESSION + fingerprints + section("0"))
