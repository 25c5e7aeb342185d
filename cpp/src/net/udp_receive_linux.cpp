#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "udp_socket_state.h"

namespace sealroom::net {
namespace {

constexpr std::size_t kMessages = 16;
// Each message may be a coalesced run of up to 64 KiB. The odd stride keeps single datagrams, which
// all start a buffer, from competing for the same cache sets.
constexpr std::size_t kMessageSize = 65'536;
constexpr std::size_t kStride = kMessageSize + 192;
// Ours take 48 bytes. The rest is for what the one who opened the socket may have switched on, such
// as SO_TIMESTAMP: where a run's segment size finds no room, the run cannot be cut.
constexpr std::size_t kControlSize = 256;

template <class T>
bool read_value(cmsghdr& header, T& value) {
  if (header.cmsg_len < CMSG_LEN(sizeof value)) return false;
  std::memcpy(&value, CMSG_DATA(&header), sizeof value);
  return true;
}

struct Ancillary {
  std::size_t segment_size = 0;  ///< 0: not coalesced
  std::uint32_t drop_count = 0;
};

Ancillary read_ancillary(msghdr& message) {
  Ancillary result;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
      int size = 0;
      if (read_value(*header, size) && size > 0)
        result.segment_size = static_cast<std::size_t>(size);
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_RXQ_OVFL) {
      (void)read_value(*header, result.drop_count);
    }
  }
  return result;
}

}  // namespace

struct ReceiveBatch::State {
  struct alignas(cmsghdr) Control {
    std::array<char, kControlSize> bytes;
  };

  State() : storage(new std::uint8_t[kMessages * kStride]) {
    views.reserve(kMessages * 64);
    for (std::size_t i = 0; i < kMessages; ++i) {
      vectors[i] = {storage.get() + i * kStride, kMessageSize};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = controls[i].bytes.data();
    }
  }

  std::unique_ptr<std::uint8_t[]> storage;  ///< left untouched, so unused pages cost nothing
  std::array<iovec, kMessages> vectors{};
  std::array<mmsghdr, kMessages> messages{};
  std::array<Control, kMessages> controls{};
  std::vector<MutableByteView> views;
};

namespace {

// As recvmmsg, also where it is not to be used.
int receive_messages(const UdpSocket::State& socket, std::span<mmsghdr> messages) {
  if (socket.properties.message_batches) {
    return ::recvmmsg(socket.fd, messages.data(), static_cast<unsigned>(messages.size()),
                      MSG_DONTWAIT, nullptr);
  }
  int count = 0;
  for (mmsghdr& message : messages) {
    const ssize_t size = ::recvmsg(socket.fd, &message.msg_hdr, MSG_DONTWAIT);
    if (size < 0) return count > 0 ? count : -1;
    message.msg_len = static_cast<unsigned>(size);
    ++count;
  }
  return count;
}

}  // namespace

ReceiveBatch::ReceiveBatch() : state_(std::make_unique<State>()) {}
ReceiveBatch::~ReceiveBatch() = default;

bool ReceiveBatch::receive(UdpSocket& socket) {
  State& batch = *state_;
  UdpSocket::State& counted = *socket.state_;
  batch.views.clear();
  for (mmsghdr& message : batch.messages) {
    message.msg_hdr.msg_controllen = kControlSize;
    message.msg_hdr.msg_flags = 0;
  }
  const int received = receive_messages(counted, batch.messages);
  // Reading takes a pending ICMP error off the socket, so whatever is not "empty" is tried again.
  if (received < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF;

  std::size_t bytes = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    const Ancillary ancillary = read_ancillary(batch.messages[i].msg_hdr);
    if (ancillary.drop_count != 0) {
      counted.kernel_receive_drops.fetch_add(
          static_cast<std::uint32_t>(ancillary.drop_count - counted.last_drop_count),
          std::memory_order_relaxed);
      counted.last_drop_count = ancillary.drop_count;
    }
    if ((batch.messages[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) continue;
    MutableByteView run{batch.storage.get() + i * kStride, batch.messages[i].msg_len};
    bytes += run.size();
    const std::size_t segment =
        ancillary.segment_size == 0 ? std::max<std::size_t>(run.size(), 1) : ancillary.segment_size;
    while (!run.empty()) {
      batch.views.push_back(run.first(std::min(segment, run.size())));
      run = run.subspan(batch.views.back().size());
    }
  }
  counted.datagrams_received.fetch_add(batch.views.size(), std::memory_order_relaxed);
  counted.bytes_received.fetch_add(bytes, std::memory_order_relaxed);
  return static_cast<std::size_t>(received) == kMessages;
}

std::span<MutableByteView> ReceiveBatch::datagrams() { return state_->views; }

}  // namespace sealroom::net
