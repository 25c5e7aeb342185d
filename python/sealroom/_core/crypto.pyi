"""Which library does the arithmetic."""

def available_backends() -> list[str]:
    """Names of the crypto back ends of this build and CPU."""

def backend_version(name: str) -> str:
    """The version text of a back end's library."""

def default_backend() -> str:
    """The back end used where none is named: $SEALROOM_CRYPTO, else the fastest."""
