"""Limits of the protocol, all enforced by the Bridge, and the close codes of its socket."""

from typing import Final

RPC_PATH: Final = "/v1/rpc"

KIB: Final = 1024
# One WebSocket message either way; 1000 sealed secrets need about 2 MiB
MAX_MESSAGE_BYTES: Final = 4096 * KIB
MAX_UNAUTHENTICATED_MESSAGE_BYTES: Final = 64 * KIB  # to the Bridge before log-in
MAX_PAGE_ITEMS: Final = 100
# A page ends early rather than outgrow this; go on with skip += len(page)
MAX_PAGE_BYTES: Final = 2048 * KIB
MAX_ID_LENGTH: Final = 64  # room, stream and track ids (an SDP msid holds 64, RFC 8830)
MAX_USER_ID_LENGTH: Final = 128
MAX_TITLE_LENGTH: Final = 256
MAX_URL_LENGTH: Final = 512  # public URL of a Bridge
# That are asked for what administrators want to know of all of them
MAX_BRIDGES: Final = 64
MAX_NAME_LENGTH: Final = 128
MAX_NOTE_LENGTH: Final = 256
MAX_IDENTITY_LENGTH: Final = 4096  # encoded public identity
MAX_METADATA_BYTES: Final = 64 * KIB  # public, and private before encryption
MAX_ENCRYPTED_METADATA_BYTES: Final = MAX_METADATA_BYTES + 256
MAX_RECORD_BYTES: Final = 512 * KIB
MAX_ANNOUNCEMENT_BYTES: Final = 16 * KIB
MAX_STREAM_METADATA_BYTES: Final = 4 * KIB  # before encryption
# Title, metadata and track names of a stream together, before encryption
MAX_STREAM_DETAILS_BYTES: Final = 8 * KIB
MAX_SEALED_DETAILS_BYTES: Final = MAX_STREAM_DETAILS_BYTES + 64
# All live streams of a room: `room.join` carries them in one message
MAX_ROOM_ANNOUNCEMENT_BYTES: Final = 1024 * KIB
MAX_SEALED_SECRET_BYTES: Final = 4 * KIB
MAX_SIGNATURE_BYTES: Final = 256
MAX_POLICY_EXPRESSION_LENGTH: Final = 64
MAX_POLICY_ENTRIES: Final = 32
MAX_ROOM_TYPE_LENGTH: Final = 64
MAX_ROOM_VERSIONS: Final = 10_000  # later a new room is needed: the history is verified from 1
# Of one update: the secret of an epoch for each member, older ones for those who are new
MAX_UPDATE_SECRETS: Final = 1500
MAX_DELETED_ROOMS: Final = 100  # in one call
MAX_FILTER_ENTRIES: Final = 8
# What lists can filter on: fields of the JSON object that the public metadata is, if it is one
MAX_PUBLIC_FIELDS: Final = 64
MAX_PUBLIC_FIELD_LENGTH: Final = 256  # name, and value as JSON
MAX_CUSTOM_EVENT_BYTES: Final = 16 * KIB  # before encryption
MAX_CHANNEL_LENGTH: Final = 64
# Of a data track: one message before encryption, and what encryption adds
MAX_DATA_MESSAGE_BYTES: Final = 16 * KIB
DATA_MESSAGE_OVERHEAD: Final = 33
MAX_STREAM_DATA_TRACKS: Final = 1
# Data waiting at the Bridge's media server for a subscriber, of a track and of all its tracks;
# beyond it the subscriber is cut from the track with `data.cut`
MAX_DATA_BACKLOG_BYTES: Final = 1024 * KIB
MAX_PARTICIPANT_DATA_BACKLOG_BYTES: Final = 4096 * KIB
# Data the media server takes a second: of a publisher; of a room, counted for each subscriber. What
# is above waits at the publisher. Defaults of `BridgeConfig.data_limits`
MAX_DATA_MESSAGES_PER_SECOND: Final = 1000
MAX_DATA_BYTES_PER_SECOND: Final = 1024 * KIB
MAX_ROOM_DATA_MESSAGES_PER_SECOND: Final = 20_000
MAX_ROOM_DATA_BYTES_PER_SECOND: Final = 32768 * KIB
DATA_BURST_SECONDS: Final = 0.5  # what may come at once; its bytes fit a subscriber's backlog
MAX_ACL_LENGTH: Final = 4096
MAX_ACL_LINES: Final = 100
MAX_API_KEYS: Final = 1000  # beyond it the oldest of those that are revoked or expired go
# Audit log: of one Bridge waiting to be written, beyond it counted only; addresses told apart among
# the failed log-ins of a minute; users named in one entry; ids
MAX_QUEUED_AUDIT_ENTRIES: Final = 4096
MAX_AUDIT_SOURCES: Final = 64
MAX_AUDIT_NAMES: Final = 20
MAX_AUDIT_TEXT_LENGTH: Final = 128
# Of what administrators may prune: who has a key cannot remove the traces of what it just did
MIN_PRUNED_AUDIT_AGE: Final = 86400.0
MAX_SDP_LENGTH: Final = 256 * KIB
MAX_CANDIDATE_LENGTH: Final = KIB
MAX_CONTEXT_USERS: Final = 10_000
MAX_CONTEXT_ROOMS: Final = 10_000
MAX_ROOM_MEMBERS: Final = 1000
MAX_ROOM_PARTICIPANTS: Final = 1000
MAX_ROOM_STREAMS: Final = 1000
MAX_JOINED_ROOMS: Final = 16  # per session
MAX_PARTICIPANT_STREAMS: Final = 16
MAX_STREAM_TRACKS: Final = 16
# Live tracks at a Bridge, whose media server carries 10,000: of a user in all rooms, and of a room.
# Defaults of `BridgeConfig.track_limits`
MAX_USER_TRACKS: Final = 512
MAX_ROOM_TRACKS: Final = 2500
# Tracks a stream has had and removed; beyond it the stream is published anew
MAX_REMOVED_TRACKS: Final = 1024
MAX_SUBSCRIBED_TRACKS: Final = 256  # per participant
MAX_EVENT_SUBSCRIPTIONS: Final = 64  # per session
MAX_EVENT_TYPES: Final = 64  # of one subscription
# Events of a session that can be sent again after a dropped socket; beyond any of the three the
# client is told to read again (`session.resync`). They fit the queue of a connection.
MAX_LOGGED_EVENTS: Final = 512
MAX_LOGGED_BYTES: Final = 2048 * KIB
MAX_LOGGED_SECONDS: Final = 120.0
# Sessions of one user without a socket; the one that has waited longest ends for a further one
MAX_PARKED_SESSIONS: Final = 8
MAX_EMPTY_ROOM_TTL: Final = 7 * 86400.0
# Bridge to one client; beyond it the socket is closed with CLOSE_SLOW_CONSUMER
MAX_QUEUED_MESSAGES: Final = 1024
MAX_QUEUED_BYTES: Final = 8192 * KIB
MAX_FAILED_LOGINS: Final = 5  # per socket; beyond it the socket is closed with CLOSE_FAILED_LOGINS
NONCE_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 32

# WebSocket close codes, besides 1000 (from the client: the end of its session as well) and 1012
# (the Bridge shuts down).
CLOSE_LOGGED_OUT: Final = 1000
CLOSE_SLOW_CONSUMER: Final = 4001  # the client does not read what it is sent
CLOSE_FAILED_LOGINS: Final = 4002
CLOSE_LOGIN_TIMEOUT: Final = 4003  # no log-in within the time the Bridge allows
CLOSE_BINARY_MESSAGE: Final = 4004  # the protocol has text messages only
CLOSE_BUSY: Final = 4005  # the Bridge has as many connections as it allows
CLOSE_USER_REMOVED: Final = 4006  # an administrator removed the user
CLOSE_TAKEN_OVER: Final = 4007  # the session goes on at another socket
CLOSE_RATE_LIMITED: Final = 4020  # too many connections of this address, or requests refused
CLOSE_MESSAGE_TOO_BIG: Final = 1009
