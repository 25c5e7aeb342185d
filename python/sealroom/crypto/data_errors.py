"""What may be wrong with a message of a data track, a class each; none is handed out as data."""

from __future__ import annotations

from sealroom.crypto.errors import VerificationError


class DataMessageError(VerificationError):
    """Base: a message of a data track that is refused."""

    code = "data_message"


class DataMalformedError(DataMessageError):
    """It does not have the shape of a message: its length, or its version."""

    code = "data_malformed"


class DataTooBigError(DataMalformedError):
    """It is longer than a message can be."""

    code = "data_too_big"


class DataForgedError(DataMessageError):
    """It does not authenticate: altered, or sealed by another publisher or for another track."""

    code = "data_forged"


class DataEpochError(DataMessageError):
    """It is of an epoch that is not in use here, or older than the message before it."""

    code = "data_epoch"

    def __init__(self, epoch: int, why: str) -> None:
        super().__init__(f"a data message of epoch {epoch}: {why}")
        self.epoch = epoch


class DataReplayError(DataMessageError):
    """It came before."""

    code = "data_replayed"


class DataReorderedError(DataMessageError):
    """It comes after a later one; the gap it left has been told already."""

    code = "data_reordered"


class DataGapError(DataMessageError):
    """Messages are missing: `count` of them, the first one `first`. What follows can be read.

    Whoever carries the messages withheld them, or cut this subscriber and took it on again.
    """

    code = "data_gap"

    def __init__(self, first: int, count: int) -> None:
        super().__init__(f"{count} data messages from {first} on are missing")
        self.first, self.count = first, count


class DataOverflowError(DataGapError):
    """Messages came faster than the application read them, and its queue was full."""

    code = "data_overflow"
