#pragma once

#include <atomic>
#include <cerrno>

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

  void count_refused(std::size_t datagrams, int error) {
    send_errors.fetch_add(datagrams, std::memory_order_relaxed);
    if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
      send_buffer_full.fetch_add(datagrams, std::memory_order_relaxed);
    } else if (error == EMSGSIZE) {
      send_too_large.fetch_add(datagrams, std::memory_order_relaxed);
    }
  }

  int fd;
  SocketProperties properties;  ///< constant after adopt, but for the next
  std::atomic<bool> segmentation_offload{false};
  std::atomic<std::uint64_t> datagrams_received{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> datagrams_sent{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> send_errors{0};
  std::atomic<std::uint64_t> send_buffer_full{0};
  std::atomic<std::uint64_t> send_too_large{0};
  std::atomic<std::uint64_t> segmentation_refusals{0};
  std::atomic<std::uint64_t> kernel_receive_drops{0};
  std::uint32_t last_drop_count = 0;  ///< receiving thread only; the kernel's counter wraps
};

/// Where the platforms differ: udp_{send,receive}_{linux,posix}.cpp.
/// Switches on what the options allow and the kernel has, and notes it in socket.properties.
void enable_offloads(UdpSocket::State& socket, const SocketOptions& options);
void send_segments(UdpSocket::State& socket, ByteView data, std::size_t segment_size);

}  // namespace sealroom::net
