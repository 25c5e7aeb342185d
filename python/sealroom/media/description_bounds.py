"""What of a peer's session description aiortc gets to parse: so much, and no line nobody reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aiortc import sdp

from sealroom.media.errors import NegotiationError

MAX_DESCRIPTION_LENGTH = 1 << 20
MAX_SECTIONS = 1024
MAX_SECTION_LINES = 512
MAX_ATTRIBUTE_LINES = 128
"""Lines of one attribute in a section: payload types, which `a=rtpmap` and `a=fmtp` describe, have
seven bits (RFC 3550 section 5.1)."""

# aiortc appends each a=rtcp-fb:* to each codec: 60,000 objects of one m-line within these bounds.
_UNREAD = frozenset({"rtcp", "rtcp-fb", "sctpmap", "ssrc-group"})


def bounded_description(text: str) -> tuple[str, list[list[str]]]:
    """Returns a description without the lines that are not read, and the lines of its m-lines.

    Raises NegotiationError if it is beyond the bounds above.
    """
    if len(text) > MAX_DESCRIPTION_LENGTH:
        raise NegotiationError("the session description is too long")
    session, groups = sdp.grouplines(text)
    if not 1 <= len(groups) <= MAX_SECTIONS:
        raise NegotiationError(f"a session description has 1 to {MAX_SECTIONS} m-lines")
    session, *groups = map(_bounded, [session, *groups])
    return "\r\n".join(line for lines in (session, *groups) for line in lines), groups


def _bounded(lines: Sequence[str]) -> list[str]:
    if len(lines) > MAX_SECTION_LINES:
        raise NegotiationError(f"a section has at most {MAX_SECTION_LINES} lines")
    kept = []
    seen = Counter[str]()
    for line in lines:
        attribute = line[2:].partition(":")[0] if line.startswith("a=") else ""
        seen[attribute] += 1
        # aiortc searches all SSRCs for each a=ssrc; only the first SSRC is of interest.
        if attribute in _UNREAD or (attribute == "ssrc" and seen["ssrc"] > 1):
            continue
        if seen[attribute] > MAX_ATTRIBUTE_LINES:
            raise NegotiationError(f"a section has at most {MAX_ATTRIBUTE_LINES} a={attribute}")
        kept.append(line)
    return kept
