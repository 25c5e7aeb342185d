"""The m-lines of one connection and their state through offers and answers (RFC 8829)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sealroom.media.data_channels import DataChannels
from sealroom.media.description_bounds import MAX_SECTIONS
from sealroom.media.errors import NegotiationError
from sealroom.media.sections import (
    KIND_OF_CODEC,
    CodecName,
    DataSection,
    Direction,
    MediaKind,
    MediaSection,
    intersect,
    receives,
    reverse,
    sends,
)
from sealroom.media.session_description import (
    MAX_MSID_LENGTH,
    OFFERED_EXTENSIONS,
    RemoteDescription,
    RemoteSection,
    check_token,
    default_payload_type,
)

Line = MediaSection | DataSection | RemoteSection
"""A `RemoteSection` is a line of the peer's that this side rejects."""


class MediaLines:
    """The lines in their order, sections that wait for one, and the header extensions agreed."""

    def __init__(self) -> None:
        self.lines: list[Line] = []  # by m-line index
        self.data: DataChannels | None = None
        self.tag: str | None = None
        """Mid of the line that the first answer made the bundle's first (RFC 8843 section 7.2).

        An offer of this side never rejects it, stopped or not, and never gives it away: Chromium
        would end the transport of all lines with it.
        """
        self._waiting: list[MediaSection] = []  # added, not yet in a description
        self._used_mids: set[str] = set()
        self._offered_stops: set[str] = set()  # mids that the newest offer ends
        self._extensions: dict[str, int] | None = None

    @property
    def sections(self) -> list[MediaSection]:
        """All sections, stopped ones too; those not yet in a description come last."""
        return [s for s in self.lines if isinstance(s, MediaSection)] + self._waiting

    @property
    def data_mid(self) -> str | None:
        """The mid of the data channels' m-line, None while there is none."""
        return next((one.mid for one in self.lines if isinstance(one, DataSection)), None)

    @property
    def extensions(self) -> dict[str, int]:
        """RTP header extension ids by name; those this side offers until something is agreed."""
        return dict(OFFERED_EXTENSIONS if self._extensions is None else self._extensions)

    @property
    def is_empty(self) -> bool:
        """True while there is nothing to offer."""
        return not self.lines and not self._waiting and self.data is None

    @property
    def is_in_use(self) -> bool:
        """True while a line was not ended, at either end."""
        return any(
            not getattr(line, "stopped", isinstance(line, RemoteSection)) for line in self.lines
        )

    def add(
        self,
        *,
        kind: MediaKind,
        codec: CodecName,
        direction: Direction,
        ssrc: int | None,
        stream_id: str,
        track_id: str,
    ) -> MediaSection:
        """Adds a section that waits for the next description. Raises NegotiationError."""
        if KIND_OF_CODEC.get(codec) != kind:
            raise NegotiationError(f"{codec} is not a codec for {kind}")
        if sends(direction) and ssrc is None:
            raise NegotiationError("a sending section needs an ssrc")
        if sum(not s.stopped for s in self.sections) >= MAX_SECTIONS:
            raise NegotiationError(f"at most {MAX_SECTIONS} m-lines")
        section = MediaSection(
            mid=self._new_mid(),
            kind=kind,
            codec=codec,
            payload_type=default_payload_type(codec),
            direction=direction,
            local_ssrc=ssrc,
            stream_id=check_token(stream_id, "stream id", MAX_MSID_LENGTH),
            track_id=check_token(track_id, "track id", MAX_MSID_LENGTH),
        )
        self._waiting.append(section)
        return section

    def stop(self, section: MediaSection) -> None:
        """Ends a section; one that waits is forgotten."""
        section.stopped = True
        section.direction = section.current_direction = "inactive"
        if section in self._waiting:
            self._waiting.remove(section)

    def place_waiting(self) -> None:
        """Gives each waiting section, and the data channels, a line for an offer of this side."""
        for section in self._waiting:
            self._place(section)
        self._waiting.clear()
        if self.data is not None and self.data_mid is None:
            self.lines.append(DataSection(self._new_mid()))

    def note_offered(self) -> None:
        """Remembers which lines the offer that is sent now ends."""
        self._offered_stops = {one.mid for one in self.sections if one.stopped}

    def apply_answer(self, answer: RemoteDescription) -> None:
        """Takes the answer to an offer of just these lines."""
        for index, theirs in enumerate(answer.sections):
            section = self.lines[index]
            if isinstance(section, DataSection):
                self.lines[index] = self._agree_on_data(section, theirs)
            if not isinstance(section, MediaSection):
                continue
            if theirs.rejected or section.codec not in theirs.payload_types:
                section.stopped = True
            _apply(section, theirs)
            # One that was stopped while the offer was under way is still in use for the peer.
            section.is_stop_negotiated = section.stopped and (
                theirs.rejected or section.mid in self._offered_stops
            )
        self._settle_tag()

    def check_offer(self, offer: RemoteDescription) -> None:
        """Raises NegotiationError if an offer of the peer does not go on from these lines."""
        if len(offer.sections) < len(self.lines):
            raise NegotiationError("the offer lacks m-lines of the description before")
        for index, mine in enumerate(self.lines):
            if offer.sections[index].mid == mine.mid or isinstance(mine, RemoteSection):
                continue
            if not getattr(mine, "stopped", False):
                raise NegotiationError(f"m-line {index} changed its mid while in use")

    def apply_offer(self, offer: RemoteDescription, codecs: Mapping[str, CodecName]) -> None:
        """Takes an offer of the peer that was checked; `codecs` by mid, else the first offered."""
        for index, theirs in enumerate(offer.sections):
            self._used_mids.add(theirs.mid)
            self._accept_line(index, theirs, codecs.get(theirs.mid))

    def settle_directions(self, offer: RemoteDescription) -> None:
        """Agrees on directions, for the answer to the offer that was applied."""
        for line, offered in zip(self.lines, offer.sections, strict=True):
            if isinstance(line, MediaSection) and not line.stopped:
                line.current_direction = intersect(line.direction, reverse(offered.direction))
        self._settle_tag()

    def learn_extensions(self, remote: RemoteDescription) -> bool:
        """Takes the header extension ids of the peer's description; True if there are new ones."""
        ids: dict[str, int] = dict(self._extensions or {})
        for theirs in remote.sections:
            if theirs.rejected:
                continue
            for name, number in theirs.extensions.items():
                if number not in ids.values():
                    ids.setdefault(name, number)
        if ids == self._extensions:
            return False
        self._extensions = ids
        return True

    def _settle_tag(self) -> None:
        if self.tag is None:
            self.tag = next((one.mid for one in self.lines if _is_accepted(one)), None)

    def _new_mid(self) -> str:
        number = len(self._used_mids)
        while str(number) in self._used_mids:
            number += 1
        self._used_mids.add(str(number))
        return str(number)

    def _place(self, section: MediaSection) -> None:
        # A stopped line may be recycled once the peer has seen it stopped (RFC 8829 section 5.2.2).
        for index, line in enumerate(self.lines):
            if line.mid != self.tag and (
                isinstance(line, RemoteSection)
                or (isinstance(line, MediaSection) and line.is_stop_negotiated)
            ):
                self.lines[index] = section
                return
        self.lines.append(section)

    def _accept_line(self, index: int, theirs: RemoteSection, codec: CodecName | None) -> None:
        mine = self.lines[index] if index < len(self.lines) else None
        line: Line
        is_new_data = (
            self.data is not None and self.data_mid is None and theirs.sctp_port is not None
        )
        if isinstance(mine, DataSection) or is_new_data:
            known = mine if isinstance(mine, DataSection) else DataSection(theirs.mid)
            line = self._agree_on_data(known, theirs)
        else:
            line = self._media_line(mine, theirs, codec)
        if index < len(self.lines):
            self.lines[index] = line
        else:
            self.lines.append(line)

    def _media_line(
        self, mine: Line | None, theirs: RemoteSection, codec: CodecName | None
    ) -> MediaSection | RemoteSection:
        old = mine if isinstance(mine, MediaSection) else None
        if old is not None and (old.mid != theirs.mid or old.stopped):
            old = None  # the peer gives the line to a new section
        codec = old.codec if old is not None else codec or next(iter(theirs.payload_types), None)
        if theirs.rejected or codec is None or codec not in theirs.payload_types:
            if isinstance(mine, MediaSection):
                mine.stopped = True
                mine.direction = mine.current_direction = "inactive"
            return theirs
        section = old or self._section_for(theirs, codec)
        _apply(section, theirs)
        return section

    def _agree_on_data(
        self, mine: DataSection, theirs: RemoteSection
    ) -> DataSection | RemoteSection:
        assert self.data is not None
        if theirs.rejected or theirs.sctp_port is None:
            self.data.refused()
            return theirs
        self.data.begin(theirs.sctp_port, theirs.max_message_size)
        return mine

    def _section_for(self, theirs: RemoteSection, codec: CodecName) -> MediaSection:
        for section in self._waiting:
            if section.codec in theirs.payload_types and receives(theirs.direction):
                self._waiting.remove(section)
                section.mid = theirs.mid
                return section
        return MediaSection(
            mid=theirs.mid,
            kind=cast(MediaKind, theirs.kind),
            codec=codec,
            payload_type=theirs.payload_types[codec],
            direction="recvonly",
        )


def _is_accepted(line: Line) -> bool:
    if isinstance(line, MediaSection):
        return not line.stopped
    return isinstance(line, DataSection)


def _apply(section: MediaSection, theirs: RemoteSection) -> None:
    section.is_negotiated = True
    if section.stopped:
        section.direction = section.current_direction = "inactive"
        return
    section.payload_type = theirs.payload_types.get(section.codec, section.payload_type)
    section.current_direction = intersect(section.direction, reverse(theirs.direction))
    section.remote_ssrc = theirs.ssrc if sends(theirs.direction) else None
    section.remote_stream_id = theirs.stream_id
    section.remote_track_id = theirs.track_id
    if not sends(section.direction):
        section.stream_id, section.track_id = theirs.stream_id, theirs.track_id
