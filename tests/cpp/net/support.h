#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "sealroom/net/udp_socket.h"

namespace sealroom::net::test {

/// 127.0.0.1 or ::1.
struct Address {
  explicit Address(int family, std::uint16_t port = 0) {
    if (family == AF_INET6) {
      auto& address = reinterpret_cast<sockaddr_in6&>(storage);
      address.sin6_family = AF_INET6;
      address.sin6_addr = in6addr_loopback;
      address.sin6_port = htons(port);
      size = sizeof address;
    } else {
      auto& address = reinterpret_cast<sockaddr_in&>(storage);
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(port);
      size = sizeof address;
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = 0;
};

inline int bound_socket(std::uint16_t port = 0, int family = AF_INET) {
  const int fd = ::socket(family, SOCK_DGRAM, 0);
  const Address address(family, port);
  EXPECT_EQ(::bind(fd, address.get(), address.size), 0);
  return fd;
}

inline std::uint16_t port_of(int fd) {
  sockaddr_in6 address{};  // both families keep the port in the same place
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin6_port);
}

inline void connect_to(int fd, std::uint16_t port, int family = AF_INET) {
  const Address address(family, port);
  EXPECT_EQ(::connect(fd, address.get(), address.size), 0);
}

/// Two descriptors connected to each other over loopback.
inline std::pair<int, int> connected_pair(int family = AF_INET) {
  const int a = bound_socket(0, family);
  const int b = bound_socket(0, family);
  connect_to(a, port_of(b), family);
  connect_to(b, port_of(a), family);
  return {a, b};
}

inline bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
  const Address address(AF_INET6);
  const bool bound = fd >= 0 && ::bind(fd, address.get(), address.size) == 0;
  ::close(fd);
  return bound;
}

inline UdpSocket adopt(int fd, const SocketOptions& options = {}) {
  Result<UdpSocket> socket = UdpSocket::adopt(fd, options);
  if (!socket) std::abort();
  return std::move(socket).value();
}

/// `count` datagrams of `size` bytes and one of `last` (0: none), all different.
inline Bytes datagram_run(std::size_t count, std::size_t size, std::size_t last) {
  Bytes run(count * size + last);
  for (std::size_t i = 0; i < run.size(); ++i) {
    run[i] = static_cast<std::uint8_t>(i / size * 31 + i % size * 7 + 128);
  }
  return run;
}

inline std::vector<Bytes> split(ByteView run, std::size_t size) {
  std::vector<Bytes> result;
  while (!run.empty()) {
    const ByteView datagram = run.first(std::min(size, run.size()));
    result.emplace_back(datagram.begin(), datagram.end());
    run = run.subspan(datagram.size());
  }
  return result;
}

inline bool wait_readable(int fd, int milliseconds = 5000) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) > 0;
}

/// Polls a condition of another thread for at most five seconds.
template <class Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// Everything that arrives until `count` datagrams are there or nothing comes for a second.
inline std::vector<Bytes> receive_all(UdpSocket& socket, std::size_t count) {
  ReceiveBatch batch;
  std::vector<Bytes> result;
  while (result.size() < count && wait_readable(socket.file_descriptor(), 1000)) {
    batch.receive(socket);
    for (const MutableByteView datagram : batch.datagrams()) {
      result.emplace_back(datagram.begin(), datagram.end());
    }
  }
  return result;
}

}  // namespace sealroom::net::test
