#pragma once

#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"

namespace sealroom::net {

/// Which of the kernel's accelerations a socket may use where they are there, and the sizes to ask
/// for. $SEALROOM_IO_DISABLE, a list such as "gso,gro,mmsg", switches off what a network driver
/// gets wrong.
struct SocketOptions {
  bool segmentation_offload = true;  ///< gso: UDP_SEGMENT, Linux 4.18
  bool receive_offload = true;       ///< gro: UDP_GRO, Linux 5.0
  bool message_batches = true;       ///< mmsg: sendmmsg and recvmmsg
  /// Bytes. A key frame for many subscribers leaves in one burst, which the default of about 200
  /// KiB drops.
  std::size_t receive_buffer = std::size_t{4} << 20;
  std::size_t send_buffer = std::size_t{4} << 20;

  static SocketOptions from_environment();
};

/// What a socket got of its options.
struct SocketProperties {
  bool segmentation_offload = false;  ///< now: see UdpSocket::send
  bool receive_offload = false;
  bool message_batches = false;
  /// As asked for, and as the kernel says, in the same unit (without its own doubling). Less than
  /// asked for is net.core.rmem_max or wmem_max at work; more, in neither.
  std::size_t receive_buffer_asked = 0;
  std::size_t receive_buffer = 0;
  std::size_t send_buffer_asked = 0;
  std::size_t send_buffer = 0;
};

/// What this machine's kernel offers, asked once.
struct IoCapabilities {
  bool segmentation_offload = false;
  bool receive_offload = false;
  bool message_batches = false;
};
[[nodiscard]] const IoCapabilities& io_capabilities();

struct SocketCounters {
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t send_errors = 0;       ///< datagrams the kernel refused
  std::uint64_t send_buffer_full = 0;  ///< of these: EAGAIN, ENOBUFS
  std::uint64_t send_too_large = 0;    ///< of these: EMSGSIZE, above the path's MTU or 65,507
  /// Calls whose segmentation the kernel refused, so that their datagrams left one by one.
  std::uint64_t segmentation_refusals = 0;
  std::uint64_t kernel_receive_drops = 0;  ///< SO_RXQ_OVFL
};

/// A connected UDP socket with segmentation offload where the kernel has it: UDP_SEGMENT on the way
/// out, UDP_GRO on the way in, sendmmsg and recvmmsg otherwise, plain calls elsewhere. One thread
/// may send while another receives; `counters` may be called by any.
class UdpSocket {
 public:
  /// Takes ownership of a connected descriptor (closing it on failure too), makes it non-blocking
  /// and sizes its buffers. Errors: invalid_argument if it is no connected datagram socket,
  /// system_error.
  static Result<UdpSocket> adopt(int file_descriptor, const SocketOptions& options = {});
  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  ~UdpSocket();

  [[nodiscard]] int file_descriptor() const;

  /// Sends `data` as datagrams of `segment_size` bytes, the last one shorter where it does not
  /// divide. A datagram the kernel refuses is counted and given up: media is late rather than
  /// queued. Segmentation offload that the kernel or the route refuses stays off, unless the
  /// segments are larger than every path carries: then it is not used for them.
  void send(ByteView data, std::size_t segment_size);

  [[nodiscard]] SocketCounters counters() const;
  [[nodiscard]] SocketProperties properties() const;

  struct State;  ///< private to the layer

 private:
  friend class ReceiveBatch;
  explicit UdpSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Buffers for one receive pass, shared by all sockets of an I/O thread.
class ReceiveBatch {
 public:
  ReceiveBatch();
  ~ReceiveBatch();

  /// Reads what is there, up to the batch's capacity, without blocking. The views stay valid until
  /// the next call. False if the socket had nothing more. An ICMP error pending on the socket (port
  /// unreachable) is cleared and skipped.
  bool receive(UdpSocket& socket);
  [[nodiscard]] std::span<MutableByteView> datagrams();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::net
