"""The I/O thread: the only part of the core that makes system calls."""

class IoThread:
    """A thread that reads the sockets and fires the timers of many sessions and routers."""
    def __init__(self) -> None: ...

def default_io_thread() -> IoThread:
    """The I/O thread used where none is named; started on first use."""
