#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "udp_socket_state.h"

namespace sealroom::net {
namespace {

constexpr std::size_t kMessages = 32;
constexpr std::size_t kMessageSize = 65'536;

}  // namespace

struct ReceiveBatch::State {
  State() : storage(new std::uint8_t[kMessages * kMessageSize]) {}

  std::unique_ptr<std::uint8_t[]> storage;  ///< left untouched, so unused pages cost nothing
  std::array<MutableByteView, kMessages> views;
  std::size_t count = 0;
};

ReceiveBatch::ReceiveBatch() : state_(std::make_unique<State>()) {}
ReceiveBatch::~ReceiveBatch() = default;

bool ReceiveBatch::receive(UdpSocket& socket) {
  State& batch = *state_;
  UdpSocket::State& counted = *socket.state_;
  batch.count = 0;
  std::size_t bytes = 0;
  bool more = true;
  while (more && batch.count < kMessages) {
    std::uint8_t* const buffer = batch.storage.get() + batch.count * kMessageSize;
    const ssize_t size = ::recv(counted.fd, buffer, kMessageSize, 0);
    if (size < 0) {
      // Reading takes a pending ICMP error off the socket, so another round may bring data.
      more = errno == EINTR || errno == ECONNREFUSED;
      if (!more || errno == ECONNREFUSED) break;
    } else if (size > 0) {
      batch.views[batch.count++] = {buffer, static_cast<std::size_t>(size)};
      bytes += static_cast<std::size_t>(size);
    }
  }
  counted.datagrams_received.fetch_add(batch.count, std::memory_order_relaxed);
  counted.bytes_received.fetch_add(bytes, std::memory_order_relaxed);
  return more;
}

std::span<MutableByteView> ReceiveBatch::datagrams() {
  return {state_->views.data(), state_->count};
}

}  // namespace sealroom::net
