#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/net/demux.h"
#include "sealroom/net/event_notifier.h"
#include "sealroom/net/io_thread.h"
#include "sealroom/net/udp_socket.h"

namespace sealroom::net {

/// Where a port delivers SRTP and SRTCP. Called on the I/O thread without any lock of the port.
class MediaSink {
 public:
  virtual ~MediaSink() = default;
  /// The media of one pass, one datagram or more in order of arrival, each in memory of its own,
  /// which the sink may change.
  virtual void handle_media(std::span<const MutableByteView> datagrams, TimePoint now) = 0;
};

struct PortCounters {
  SocketCounters socket;
  std::optional<SocketProperties> properties;  ///< of the socket attached now
  std::uint64_t control_received = 0;
  std::uint64_t control_dropped = 0;   ///< the control queue was full, or no protocol of RFC 7983
  std::uint64_t outgoing_dropped = 0;  ///< the outgoing queue was full (no socket attached)
};

/// One 5-tuple shared with the ICE and DTLS of another library. Attached to a socket, media goes
/// straight between kernel and sink and everything else (STUN, DTLS) waits in a bounded queue for
/// that library. Without a socket the owner feeds media in and takes datagrams out. Thread-safe.
///
/// Lock order: the sink's mutex first, then the port's, which is a leaf: the sink may call `send`
/// holding its own mutex, and the port holds none while it calls the sink. `attach`, `detach` and
/// the destructor wait for a delivery that is under way, so they must not be called holding a mutex
/// that the sink takes in handle_media.
class PacketPort final : private DatagramHandler {
 public:
  static constexpr std::size_t kMaxControlDatagrams = 256;
  static constexpr std::size_t kMaxControlBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxOutgoingDatagrams = 2048;

  PacketPort(IoThread& io_thread, MediaSink& sink, EventNotifier& notifier);
  ~PacketPort() override;

  /// Takes ownership of a connected descriptor (closing it on failure too), replacing the one
  /// before.
  Result<void> attach(int file_descriptor,
                      const SocketOptions& options = SocketOptions::from_environment());
  void detach();
  [[nodiscard]] bool is_attached() const;

  /// As UdpSocket::send, or into the outgoing queue (dropping the oldest) with a signal to the
  /// notifier.
  void send(ByteView data, std::size_t segment_size);

  std::vector<Bytes> take_control();   ///< datagrams that are not media, oldest first
  std::vector<Bytes> take_outgoing();  ///< datagrams to send by other means, oldest first
  [[nodiscard]] PortCounters counters() const;

 private:
  void handle_datagrams(std::span<MutableByteView> datagrams, TimePoint now) override;
  void queue_control(ByteView datagram, DatagramKind kind);

  IoThread& io_thread_;
  MediaSink& sink_;
  EventNotifier& notifier_;
  mutable std::mutex mutex_;  ///< guards what follows
  std::unique_ptr<UdpSocket> socket_;
  IoThread::Id registration_ = 0;  ///< of socket_
  std::deque<Bytes> control_;
  std::size_t control_bytes_ = 0;
  std::deque<Bytes> outgoing_;
  PortCounters counters_;  ///< of sockets, those before the present one
};

}  // namespace sealroom::net
