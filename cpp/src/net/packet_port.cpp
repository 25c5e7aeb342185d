#include "sealroom/net/packet_port.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sealroom/net/demux.h"

namespace sealroom::net {
namespace {

void add(SocketCounters& sum, const SocketCounters& part) {
  sum.datagrams_received += part.datagrams_received;
  sum.bytes_received += part.bytes_received;
  sum.datagrams_sent += part.datagrams_sent;
  sum.bytes_sent += part.bytes_sent;
  sum.send_errors += part.send_errors;
  sum.send_buffer_full += part.send_buffer_full;
  sum.send_too_large += part.send_too_large;
  sum.segmentation_refusals += part.segmentation_refusals;
  sum.kernel_receive_drops += part.kernel_receive_drops;
}

std::vector<Bytes> take_all(std::deque<Bytes>& queue) {
  std::vector<Bytes> result(std::make_move_iterator(queue.begin()),
                            std::make_move_iterator(queue.end()));
  queue.clear();
  return result;
}

}  // namespace

PacketPort::PacketPort(IoThread& io_thread, MediaSink& sink, EventNotifier& notifier)
    : io_thread_(io_thread), sink_(sink), notifier_(notifier) {}

PacketPort::~PacketPort() { detach(); }

Result<void> PacketPort::attach(int file_descriptor, const SocketOptions& options) {
  Result<UdpSocket> adopted = UdpSocket::adopt(file_descriptor, options);
  if (!adopted) return adopted.error();
  auto socket = std::make_unique<UdpSocket>(std::move(adopted).value());

  std::unique_lock lock(mutex_);
  while (socket_ != nullptr) {  // again if another thread attaches one in between
    lock.unlock();
    detach();
    lock.lock();
  }
  const Result<IoThread::Id> registration = io_thread_.add_socket(*socket, *this);
  if (!registration) return registration.error();
  registration_ = registration.value();
  socket_ = std::move(socket);
  return {};
}

void PacketPort::detach() {
  std::unique_ptr<UdpSocket> socket;
  IoThread::Id registration = 0;
  {
    const std::lock_guard lock(mutex_);
    if (socket_ == nullptr) return;
    socket = std::move(socket_);
    registration = registration_;
  }
  // Without the lock, as the handler that this waits for may be about to take it.
  io_thread_.remove_socket(registration);
  const std::lock_guard lock(mutex_);
  add(counters_.socket, socket->counters());
}

bool PacketPort::is_attached() const {
  const std::lock_guard lock(mutex_);
  return socket_ != nullptr;
}

void PacketPort::send(ByteView data, std::size_t segment_size) {
  if (data.empty() || segment_size == 0) return;
  {
    const std::lock_guard lock(mutex_);
    if (socket_ != nullptr) {
      socket_->send(data, segment_size);
      return;
    }
    while (!data.empty()) {
      const ByteView datagram = data.first(std::min(segment_size, data.size()));
      data = data.subspan(datagram.size());
      if (outgoing_.size() == kMaxOutgoingDatagrams) {
        outgoing_.pop_front();
        ++counters_.outgoing_dropped;
      }
      outgoing_.emplace_back(datagram.begin(), datagram.end());
    }
  }
  notifier_.signal();
}

std::vector<Bytes> PacketPort::take_control() {
  const std::lock_guard lock(mutex_);
  control_bytes_ = 0;
  return take_all(control_);
}

std::vector<Bytes> PacketPort::take_outgoing() {
  const std::lock_guard lock(mutex_);
  return take_all(outgoing_);
}

PortCounters PacketPort::counters() const {
  const std::lock_guard lock(mutex_);
  PortCounters result = counters_;
  if (socket_ != nullptr) {
    add(result.socket, socket_->counters());
    result.properties = socket_->properties();
  }
  return result;
}

void PacketPort::handle_datagrams(std::span<MutableByteView> datagrams, TimePoint now) {
  std::size_t media = 0;  // moved to the front, in order
  for (const MutableByteView datagram : datagrams) {
    const DatagramKind kind = classify(datagram);
    if (kind == DatagramKind::rtp_or_rtcp) {
      datagrams[media++] = datagram;
    } else {
      queue_control(datagram, kind);
    }
  }
  if (media > 0) sink_.handle_media(datagrams.first(media), now);
}

void PacketPort::queue_control(ByteView datagram, DatagramKind kind) {
  {
    const std::lock_guard lock(mutex_);
    ++counters_.control_received;
    // The newest is dropped, not the oldest: a handshake is repaired by retransmission from its
    // start.
    if (kind == DatagramKind::unknown || control_.size() == kMaxControlDatagrams ||
        control_bytes_ + datagram.size() > kMaxControlBytes) {
      ++counters_.control_dropped;
      return;
    }
    control_bytes_ += datagram.size();
    control_.emplace_back(datagram.begin(), datagram.end());
  }
  notifier_.signal();
}

}  // namespace sealroom::net
