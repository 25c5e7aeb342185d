#include "sealroom/net/udp_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "udp_socket_state.h"

namespace sealroom::net {
namespace {

constexpr int kBufferSize = 4 << 20;

// A key frame for many subscribers leaves in one burst, so the default of about 200 KiB drops. The
// FORCE options lift the system-wide cap for privileged processes; others get what the cap allows.
void size_buffer(int fd, int option, [[maybe_unused]] int force_option) {
#if defined(__linux__)
  if (::setsockopt(fd, SOL_SOCKET, force_option, &kBufferSize, sizeof kBufferSize) == 0) return;
#endif
  (void)::setsockopt(fd, SOL_SOCKET, option, &kBufferSize, sizeof kBufferSize);
}

Result<void> check_and_prepare(int fd) {
  int type = 0;
  socklen_t type_size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_DGRAM) {
    return Error::invalid_argument;
  }
  sockaddr_storage peer{};
  socklen_t peer_size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) {
    return Error::invalid_argument;
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return Error::system_error;
#if defined(__linux__)
  size_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
  size_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
#else
  size_buffer(fd, SO_RCVBUF, 0);
  size_buffer(fd, SO_SNDBUF, 0);
#endif
  return {};
}

}  // namespace

UdpSocket::State::~State() { ::close(fd); }

UdpSocket::UdpSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

Result<UdpSocket> UdpSocket::adopt(int file_descriptor) {
  if (file_descriptor < 0) return Error::invalid_argument;
  auto state = std::make_unique<State>(file_descriptor);
  if (const Result<void> ready = check_and_prepare(file_descriptor); !ready) return ready.error();
  enable_offloads(*state);
  return UdpSocket(std::move(state));
}

int UdpSocket::file_descriptor() const { return state_->fd; }

void UdpSocket::send(ByteView data, std::size_t segment_size) {
  if (data.empty() || segment_size == 0) return;
  send_segments(*state_, data, std::min(segment_size, data.size()));
}

SocketCounters UdpSocket::counters() const {
  SocketCounters counters;
  counters.datagrams_received = state_->datagrams_received.load(std::memory_order_relaxed);
  counters.bytes_received = state_->bytes_received.load(std::memory_order_relaxed);
  counters.datagrams_sent = state_->datagrams_sent.load(std::memory_order_relaxed);
  counters.bytes_sent = state_->bytes_sent.load(std::memory_order_relaxed);
  counters.send_errors = state_->send_errors.load(std::memory_order_relaxed);
  counters.kernel_receive_drops = state_->kernel_receive_drops.load(std::memory_order_relaxed);
  return counters;
}

bool UdpSocket::uses_segmentation_offload() const {
  return state_->segmentation_offload.load(std::memory_order_relaxed);
}

void UdpSocket::disable_segmentation_offload() {
  state_->segmentation_offload.store(false, std::memory_order_relaxed);
}

}  // namespace sealroom::net
