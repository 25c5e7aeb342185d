"""Checks, once at import, that the private names of aiortc and aioice we rely on still exist.

A release that moved its SRTP set-up would otherwise connect and carry no media, without any error.
Instance attributes cannot be looked up on a class, so the code objects that use them are asked.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from types import CodeType
from typing import Any

from aioice import ice
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import (
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCSctpTransport,
    rtcdtlstransport,
    sdp,
)


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:  # comprehensions have code objects of their own before 3.12
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _uses(function: Callable[..., Any], *names: str) -> list[str]:
    used = _names(function.__code__)
    return [f"{function.__qualname__} using {name}" for name in names if name not in used]


def missing_hooks() -> list[str]:
    """Returns what the installed aiortc and aioice lack, in words; empty when all is well."""
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in (
            (
                RTCDtlsTransport,
                (
                    "_setup_srtp",
                    "_set_role",
                    "_set_state",
                    "_send_rtp",
                    "_recv_next",
                    "_write_ssl",
                    "_register_data_receiver",
                    "_unregister_data_receiver",
                    "_send_data",
                ),
            ),
            (
                Connection,
                (
                    "get_component_candidates",
                    "data_received",
                    "check_complete",
                    "check_incoming",
                    "protocol_lost",
                    "query_consent",
                    "build_request",
                ),
            ),
            (StunProtocol, ("datagram_received", "request")),
            (
                RTCSctpTransport,
                (
                    "_abort",
                    "_data_channel_receive",
                    "_data_channel_send",
                    "_flight_size_increase",
                    "_handle_data",
                    "_receive",
                    "_receive_data_chunk",
                    "_receive_forward_tsn_chunk",
                    "_receive_sack_chunk",
                    "_send_chunk",
                    "_set_state",
                    "_t3_expired",
                    "_transmit",
                ),
            ),
            (ice, ("CONSENT_INTERVAL", "CONSENT_FAILURES", "get_host_addresses")),
            (CandidatePair, ("remote_addr", "local_candidate")),
            (rtcdtlstransport, ("State", "SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM")),
            (sdp, ("SessionDescription", "MediaDescription", "grouplines", "candidate_from_sdp")),
        )
        for name in names
        if not hasattr(owner, name)
    ]
    if missing:
        return missing
    return (
        _uses(RTCDtlsTransport._setup_srtp, "_ssl", "_role", "_srtp_profiles")
        + _uses(RTCDtlsTransport.start, "_setup_srtp", "_role")
        + _uses(RTCDtlsTransport._recv_next, "_recv")
        + _uses(RTCDtlsTransport._write_ssl, "_send")
        + _uses(RTCDtlsTransport._recv_next, "_data_receiver", "_handle_data")
        + _uses(RTCSctpTransport._init, "_local_verification_tag")
        + _uses(RTCSctpTransport._receive_chunk, "_remote_verification_tag")
        + _uses(RTCSctpTransport._t3_start, "_t3_handle", "_t3_expired")
        + _uses(RTCSctpTransport._data_channel_send, "_data_channel_queue")
        + _uses(RTCSctpTransport._transmit, "_cwnd", "_outbound_queue", "_sent_queue")
        + _uses(RTCSctpTransport._receive_data_chunk, "_advertised_rwnd")
        + _uses(RTCSctpTransport._flight_size_increase, "_book_size")
        + _uses(RTCSctpTransport._mark_received, "_last_received_tsn", "_sack_misordered")
        + _uses(RTCSctpTransport._get_inbound_stream, "_inbound_streams")
        + _uses(RTCIceGatherer.__init__, "_connection")
        + _uses(RTCIceTransport.__init__, "_connection")
        + _uses(Connection.sendto, "_nominated")
        + _uses(Connection.check_complete, "_nominated")
        + _uses(Connection.connect, "query_consent", "_query_consent_task")
        + _uses(Connection.gather_candidates, "get_component_candidates")
        + _uses(Connection.get_component_candidates, "StunProtocol")
        + _uses(Connection.request_received, "check_incoming")
        + _uses(StunProtocol.datagram_received, "data_received", "request_received")
        + _uses(StunProtocol.connection_lost, "protocol_lost")
    )


def require_hooks() -> None:
    """Raises ImportError, naming the versions, if a needed private name is gone."""
    missing = missing_hooks()
    if missing:
        raise ImportError(
            f"sealroom cannot carry media over aiortc {version('aiortc')} with aioice "
            f"{version('aioice')}: {', '.join(missing)} not found; install aiortc>=1.16,<1.17 "
            "and aioice>=0.13,<0.14"
        )
