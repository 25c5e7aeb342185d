"""The I/O thread: the only part of the core that makes system calls."""

class IoThread:
    """A thread that reads the sockets and fires the timers of many sessions and routers. Of no
    use in a child of fork: NotReadyError.
    """
    def __init__(self) -> None: ...

def default_io_thread() -> IoThread:
    """The I/O thread used where none is named; started on first use, in a child of fork anew."""

class SocketProperties:
    """What the attached socket got of what was asked for."""
    @property
    def is_buffer_cut(self) -> bool:
        """Whether the system's limits cut one of the buffers: bursts may be dropped."""
    @property
    def message_batches(self) -> bool:
        """sendmmsg and recvmmsg."""
    @property
    def receive_buffer(self) -> int:
        """Bytes, as the kernel says; less than asked for: raise net.core.rmem_max."""
    @property
    def receive_buffer_asked(self) -> int:
        """Bytes."""
    @property
    def receive_offload(self) -> bool:
        """UDP_GRO."""
    @property
    def segmentation_offload(self) -> bool:
        """Whether UDP_SEGMENT is used; a refusal of segments of usual size switches it off."""
    @property
    def send_buffer(self) -> int:
        """Bytes, as the kernel says; less than asked for: raise net.core.wmem_max."""
    @property
    def send_buffer_asked(self) -> int:
        """Bytes."""

class TransportStatistics:
    """Counters of one transport, over all its sockets."""
    @property
    def bytes_received(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def control_dropped(self) -> int:
        """Of these: of no known protocol, or more than 256 or 1 MiB waited."""
    @property
    def control_received(self) -> int:
        """Datagrams that are not media."""
    @property
    def datagrams_delayed(self) -> int:
        """By pacing."""
    @property
    def datagrams_overdue(self) -> int:
        """Sent beside the pacing rate, as they had waited for 250 ms."""
    @property
    def datagrams_overflow(self) -> int:
        """Sent beside the pacing rate, as more than 1 MiB waited."""
    @property
    def datagrams_received(self) -> int: ...
    @property
    def datagrams_sent(self) -> int: ...
    @property
    def kernel_receive_drops(self) -> int:
        """Datagrams that found the receive buffer full (SO_RXQ_OVFL)."""
    @property
    def outgoing_dropped(self) -> int:
        """Without a socket: the oldest of more than 2048 that waited."""
    @property
    def paced_bytes(self) -> int:
        """Waiting for the pacing rate now."""
    @property
    def segmentation_refusals(self) -> int:
        """Sends for which the kernel refused UDP_SEGMENT: their datagrams left one by one."""
    @property
    def send_buffer_full(self) -> int:
        """Of these: no room (EAGAIN, ENOBUFS)."""
    @property
    def send_errors(self) -> int:
        """Datagrams that the kernel refused."""
    @property
    def send_too_large(self) -> int:
        """Of these: above the MTU of the path (EMSGSIZE)."""
    @property
    def socket(self) -> SocketProperties | None:
        """Of the attached socket; None without one."""
