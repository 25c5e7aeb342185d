"""The last guard of the logs."""

import logging

import pytest

from sealroom.bridge.logs import get_logger, where


def test_named_and_binary_secrets_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    get_logger().warning("event", api_key="canary", sdp="canary", blob=b"canary", user="alice")
    assert "canary" not in caplog.text
    assert "user='alice'" in caplog.text
    assert caplog.records[0].name == "sealroom.bridge"


def test_exceptions_are_logged_by_type_and_place_only() -> None:
    def fail() -> None:
        raise ValueError("canary")

    try:
        fail()
    except ValueError as error:
        text = where(error)
    assert text.startswith("ValueError at test_bridge_logs.py:")
    assert ":fail" in text
    assert "canary" not in text
    assert where(ValueError("canary")) == "ValueError at unknown"
