#pragma once

#include <atomic>

#include "sealroom/net/udp_socket.h"

namespace sealroom::net {

/// Counters are atomic because the sending and the receiving thread and an observer meet in them.
struct UdpSocket::State {
  explicit State(int file_descriptor) : fd(file_descriptor) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void count_sent(std::size_t datagrams, std::size_t bytes) {
    datagrams_sent.fetch_add(datagrams, std::memory_order_relaxed);
    bytes_sent.fetch_add(bytes, std::memory_order_relaxed);
  }

  int fd;
  std::atomic<bool> segmentation_offload{false};
  std::atomic<std::uint64_t> datagrams_received{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> datagrams_sent{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> send_errors{0};
  std::atomic<std::uint64_t> kernel_receive_drops{0};
  std::uint32_t last_drop_count = 0;  ///< receiving thread only; the kernel's counter wraps
};

/// Where the platforms differ: udp_{send,receive}_{linux,posix}.cpp.
void enable_offloads(UdpSocket::State& socket);
void send_segments(UdpSocket::State& socket, ByteView data, std::size_t segment_size);

}  // namespace sealroom::net
