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

// What every IPv6 path carries, and nearly every IPv4 path: its least MTU less the headers.
constexpr std::size_t kAlwaysCarried = 1280 - 40 - 8;

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

// Datagram by datagram, for kernels (or sandboxes) without sendmmsg.
void send_one_by_one(UdpSocket::State& socket, ByteView data, std::size_t segment_size) {
  while (!data.empty()) {
    const ByteView datagram = data.first(std::min(segment_size, data.size()));
    data = data.subspan(datagram.size());
    int error = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const ssize_t sent =
          ::send(socket.fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      error = sent >= 0 ? 0 : errno;
      if (!is_stale_error(error)) break;
    }
    if (error == 0) {
      socket.count_sent(1, datagram.size());
    } else {
      socket.count_refused(1, error);
    }
  }
}

// At most kMaxSegments datagrams through sendmmsg.
void send_separately(UdpSocket::State& socket, ByteView data, std::size_t segment_size) {
  if (!socket.properties.message_batches) return send_one_by_one(socket, data, segment_size);
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
      socket.count_refused(count - next, errno);
      return;
    } else {
      socket.count_refused(1, errno);
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
      // No checksum offload on the device, an IPsec route; or segments above the path's MTU, as a
      // peer whose packets are forwarded may choose them, which says nothing about others.
      socket.segmentation_refusals.fetch_add(1, std::memory_order_relaxed);
      if (segment_size <= kAlwaysCarried) {
        socket.segmentation_offload.store(false, std::memory_order_relaxed);
      }
      send_separately(socket, part, segment_size);
    } else {
      socket.count_refused(datagrams, error);
    }
  }
}

void enable_offloads(UdpSocket::State& socket, const SocketOptions& options) {
  SocketProperties& properties = socket.properties;
  properties.message_batches = options.message_batches;
  int segment_size = 0;
  socklen_t size = sizeof segment_size;
  properties.segmentation_offload =
      options.segmentation_offload &&
      ::getsockopt(socket.fd, SOL_UDP, UDP_SEGMENT, &segment_size, &size) == 0;
  socket.segmentation_offload = properties.segmentation_offload;
  const int on = 1;
  const int gro = options.receive_offload ? 1 : 0;  // the one who opened it may have switched it on
  properties.receive_offload =
      ::setsockopt(socket.fd, SOL_UDP, UDP_GRO, &gro, sizeof gro) == 0 && options.receive_offload;
  (void)::setsockopt(socket.fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

}  // namespace sealroom::net
