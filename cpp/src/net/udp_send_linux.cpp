#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "udp_socket_state.h"

namespace sealroom::net {
namespace {

// The kernel's own bounds: UDP_MAX_SEGMENTS and, below 65,507 with room to spare, one IP datagram.
constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxOffloadBytes = 65'000;

// After an ICMP error the kernel reports it once, in place of the next call's own result, and
// nothing was sent: that is about an earlier datagram, so the call is made again.
bool is_stale_error(int error) {
  return error == EINTR || error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

bool is_offload_refusal(int error) {
  return error == EINVAL || error == EIO || error == EOPNOTSUPP || error == EMSGSIZE;
}

// Several datagrams of one size in one call. Zero or errno.
int send_offloaded(int fd, ByteView data, std::uint16_t segment_size) {
  iovec vector{const_cast<std::uint8_t*>(data.data()), data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof segment_size)> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof segment_size);
  std::memcpy(CMSG_DATA(header), &segment_size, sizeof segment_size);
  for (int attempt = 0;; ++attempt) {
    if (::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (attempt > 0 || !is_stale_error(errno)) return errno;
  }
}

// At most kMaxSegments datagrams through sendmmsg.
void send_separately(UdpSocket::State& socket, ByteView data, std::size_t segment_size) {
  std::array<iovec, kMaxSegments> vectors;
  std::array<mmsghdr, kMaxSegments> messages;
  std::size_t count = 0;
  for (; !data.empty(); ++count) {
    const std::size_t size = std::min(segment_size, data.size());
    vectors[count] = {const_cast<std::uint8_t*>(data.data()), size};
    messages[count] = {};
    messages[count].msg_hdr.msg_iov = &vectors[count];
    messages[count].msg_hdr.msg_iovlen = 1;
    data = data.subspan(size);
  }
  bool retried = false;
  for (std::size_t next = 0; next < count;) {
    const int sent = ::sendmmsg(socket.fd, &messages[next], static_cast<unsigned>(count - next),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      std::size_t bytes = 0;
      for (const std::size_t end = next + static_cast<std::size_t>(sent); next < end; ++next) {
        bytes += vectors[next].iov_len;
      }
      socket.count_sent(static_cast<std::size_t>(sent), bytes);
      retried = false;
    } else if (!retried && is_stale_error(errno)) {
      retried = true;
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      socket.send_errors.fetch_add(count - next, std::memory_order_relaxed);
      return;
    } else {
      socket.send_errors.fetch_add(1, std::memory_order_relaxed);
      ++next;
      retried = false;
    }
  }
}

}  // namespace

void send_segments(UdpSocket::State& socket, ByteView data, std::size_t segment_size) {
  const std::size_t segments =
      std::clamp<std::size_t>(kMaxOffloadBytes / segment_size, 1, kMaxSegments);
  while (!data.empty()) {
    const ByteView part = data.first(std::min(data.size(), segments * segment_size));
    data = data.subspan(part.size());
    const std::size_t datagrams = (part.size() + segment_size - 1) / segment_size;
    if (datagrams == 1 || !socket.segmentation_offload.load(std::memory_order_relaxed)) {
      send_separately(socket, part, segment_size);
      continue;
    }
    const int error = send_offloaded(socket.fd, part, static_cast<std::uint16_t>(segment_size));
    if (error == 0) {
      socket.count_sent(datagrams, part.size());
    } else if (is_offload_refusal(error)) {
      // No checksum offload on the device, an IPsec route, segments above the path's MTU.
      socket.segmentation_offload.store(false, std::memory_order_relaxed);
      send_separately(socket, part, segment_size);
    } else {
      socket.send_errors.fetch_add(datagrams, std::memory_order_relaxed);
    }
  }
}

void enable_offloads(UdpSocket::State& socket) {
  int segment_size = 0;
  socklen_t size = sizeof segment_size;
  socket.segmentation_offload =
      ::getsockopt(socket.fd, SOL_UDP, UDP_SEGMENT, &segment_size, &size) == 0;
  const int on = 1;
  // Refused by kernels before 5.0 (GRO); the receive path copes with either answer.
  (void)::setsockopt(socket.fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  (void)::setsockopt(socket.fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

}  // namespace sealroom::net
