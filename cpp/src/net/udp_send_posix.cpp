#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "udp_socket_state.h"

namespace sealroom::net {

void send_segments(UdpSocket::State& socket, ByteView data, std::size_t segment_size) {
  while (!data.empty()) {
    const ByteView datagram = data.first(std::min(segment_size, data.size()));
    data = data.subspan(datagram.size());
    // An ICMP error about an earlier datagram is reported once, in place of this call's result.
    bool sent = false;
    for (int attempt = 0; attempt < 2 && !sent; ++attempt) {
      sent = ::send(socket.fd, datagram.data(), datagram.size(), 0) >= 0;
      if (!sent && errno != EINTR && errno != ECONNREFUSED) break;
    }
    if (sent) {
      socket.count_sent(1, datagram.size());
    } else {
      socket.count_refused(1, errno);
    }
  }
}

void enable_offloads(UdpSocket::State&, const SocketOptions&) {}

}  // namespace sealroom::net
