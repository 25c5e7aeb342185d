#include "sealroom/net/udp_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <string_view>

#include "udp_socket_state.h"

namespace sealroom::net {
namespace {

// The FORCE option lifts the system-wide cap for privileged processes; others get what the cap
// allows. Returns what the kernel then says it is.
std::size_t size_buffer(int fd, int option, [[maybe_unused]] int force_option, std::size_t asked) {
  // Half of what an int holds, as Linux doubles it.
  const int wanted = static_cast<int>(std::min<std::size_t>(asked, INT_MAX / 2));
#if defined(__linux__)
  if (::setsockopt(fd, SOL_SOCKET, force_option, &wanted, sizeof wanted) != 0)
#endif
    (void)::setsockopt(fd, SOL_SOCKET, option, &wanted, sizeof wanted);
  int got = 0;
  socklen_t size = sizeof got;
  if (::getsockopt(fd, SOL_SOCKET, option, &got, &size) != 0 || got < 0) return 0;
#if defined(__linux__)
  got /= 2;  // socket(7): doubled for the kernel's own bookkeeping
#endif
  return static_cast<std::size_t>(got);
}

void size_buffers(UdpSocket::State& socket, const SocketOptions& options) {
#if defined(__linux__)
  constexpr int kForceReceive = SO_RCVBUFFORCE;
  constexpr int kForceSend = SO_SNDBUFFORCE;
#else
  constexpr int kForceReceive = 0;
  constexpr int kForceSend = 0;
#endif
  SocketProperties& properties = socket.properties;
  properties.receive_buffer_asked = options.receive_buffer;
  properties.receive_buffer =
      size_buffer(socket.fd, SO_RCVBUF, kForceReceive, options.receive_buffer);
  properties.send_buffer_asked = options.send_buffer;
  properties.send_buffer = size_buffer(socket.fd, SO_SNDBUF, kForceSend, options.send_buffer);
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
#if defined(__linux__)
  // Whoever opened it may have asked for an error queue. Nobody reads it here, and one ICMP error
  // in it would keep the socket "ready" for good.
  const int off = 0;
  (void)::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &off, sizeof off);
  (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &off, sizeof off);
#endif
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return Error::system_error;
  return {};
}

}  // namespace

SocketOptions SocketOptions::from_environment() {
  SocketOptions options;
  const char* const disabled = std::getenv("SEALROOM_IO_DISABLE");
  if (disabled == nullptr) return options;
  std::string_view rest = disabled;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view name = rest.substr(0, end);
    if (name == "gso") options.segmentation_offload = false;
    if (name == "gro") options.receive_offload = false;
    if (name == "mmsg") options.message_batches = false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return options;
}

const IoCapabilities& io_capabilities() {
  static const IoCapabilities capabilities = [] {
    IoCapabilities result;
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return result;
    UdpSocket::State probe(fd);
    enable_offloads(probe, {});
    result.segmentation_offload = probe.properties.segmentation_offload;
    result.receive_offload = probe.properties.receive_offload;
    result.message_batches = probe.properties.message_batches;
    return result;
  }();
  return capabilities;
}

UdpSocket::State::~State() { ::close(fd); }

UdpSocket::UdpSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

Result<UdpSocket> UdpSocket::adopt(int file_descriptor, const SocketOptions& options) {
  if (file_descriptor < 0) return Error::invalid_argument;
  auto state = std::make_unique<State>(file_descriptor);
  if (const Result<void> ready = check_and_prepare(file_descriptor); !ready) return ready.error();
  size_buffers(*state, options);
  enable_offloads(*state, options);
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
  counters.send_buffer_full = state_->send_buffer_full.load(std::memory_order_relaxed);
  counters.send_too_large = state_->send_too_large.load(std::memory_order_relaxed);
  counters.segmentation_refusals = state_->segmentation_refusals.load(std::memory_order_relaxed);
  counters.kernel_receive_drops = state_->kernel_receive_drops.load(std::memory_order_relaxed);
  return counters;
}

SocketProperties UdpSocket::properties() const {
  SocketProperties properties = state_->properties;
  properties.segmentation_offload = state_->segmentation_offload.load(std::memory_order_relaxed);
  return properties;
}

}  // namespace sealroom::net
