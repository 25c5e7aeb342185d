#pragma once

#include <memory>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"

namespace sealroom::net {

struct SocketCounters {
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t send_errors = 0;  ///< datagrams the kernel refused (full buffer, unreachable)
  std::uint64_t kernel_receive_drops = 0;  ///< SO_RXQ_OVFL
};

/// A connected UDP socket with segmentation offload where the kernel has it: UDP_SEGMENT on the way
/// out, UDP_GRO on the way in, sendmmsg and recvmmsg otherwise, plain calls elsewhere. One thread
/// may send while another receives; `counters` may be called by any.
class UdpSocket {
 public:
  /// Takes ownership of a connected descriptor (closing it on failure too), makes it non-blocking
  /// and sizes its buffers (4 MiB asked for). Errors: invalid_argument if it is no connected
  /// datagram socket, system_error.
  static Result<UdpSocket> adopt(int file_descriptor);
  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  ~UdpSocket();

  [[nodiscard]] int file_descriptor() const;

  /// Sends `data` as datagrams of `segment_size` bytes, the last one shorter where it does not
  /// divide. A datagram the kernel refuses is counted and given up: media is late rather than
  /// queued. Once the kernel or the route refuses segmentation offload it stays off.
  void send(ByteView data, std::size_t segment_size);

  [[nodiscard]] SocketCounters counters() const;
  [[nodiscard]] bool uses_segmentation_offload() const;
  void disable_segmentation_offload();

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
  [[nodiscard]] std::span<const MutableByteView> datagrams() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::net
