#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "sealroom/net/pacer.h"
#include "sealroom/net/packet_port.h"
#include "sealroom/session/media_session.h"

namespace sealroom::host {

/// A MediaSession with a socket, a clock and a lock: datagrams are read and answered on the I/O
/// thread, frames are sent from the caller's thread, events wait to be fetched and are announced by
/// a descriptor. Thread-safe. Lock order: this class's mutex, then the port's; the I/O thread holds
/// neither while it calls in.
class SessionHost final : private net::MediaSink, private net::TimerHandler {
 public:
  SessionHost(net::IoThread& io_thread, session::SessionConfig config);
  ~SessionHost() override;
  SessionHost(const SessionHost&) = delete;
  SessionHost& operator=(const SessionHost&) = delete;

  /// Master key and salt of each direction, once, and not after close (invalid_argument).
  Result<void> set_keys(srtp::Profile profile, ByteView send, ByteView receive);
  Result<void> set_extensions(const rtp::ExtensionMap& extensions);

  /// not_ready after close.
  Result<void> attach_socket(int file_descriptor);
  void detach_socket() { port_.detach(); }
  [[nodiscard]] bool is_attached() const { return port_.is_attached(); }
  /// An SRTP or SRTCP datagram that came by other means than the socket; copied.
  void receive_datagram(ByteView datagram);
  std::vector<Bytes> take_control() { return port_.take_control(); }
  std::vector<Bytes> take_outgoing() { return port_.take_outgoing(); }
  [[nodiscard]] int event_descriptor() const { return notifier_.file_descriptor(); }
  /// Clears the descriptor, then fetches at most `max_events`; if more wait, the descriptor is set
  /// again.
  std::vector<session::Event> take_events(std::size_t max_events);
  /// Stops timers and socket; later frames are refused with not_ready. Idempotent.
  void close();

  /// Spreads what is sent over time, at most `rate` bit/s with short bursts (net::Pacer). 0 stops
  /// pacing and sends what is queued, as does the beginning: no pacing.
  void set_pacing_rate(std::uint64_t rate);
  [[nodiscard]] net::PacerStatistics pacer_statistics();

  Result<void> send_frame(session::SenderId id, const session::OutgoingFrame& frame);

  /// Runs `function(session, now)` under the lock, then sends and announces what came of it.
  template <class Function>
  auto with_session(Function&& function) {
    const std::lock_guard lock(mutex_);
    const TimePoint now = net::IoThread::now();
    auto result = function(session_, now);
    finish(now);
    return result;
  }

  [[nodiscard]] net::PortCounters port_counters() const { return port_.counters(); }

 private:
  void handle_media(std::span<const MutableByteView> datagrams, TimePoint now) override;
  void handle_timer(TimePoint now) override;
  void finish(TimePoint now);
  void transmit(TimePoint now);
  [[nodiscard]] net::PacerStatistics pacer_statistics_locked() const;

  net::IoThread& io_thread_;
  std::mutex mutex_;
  session::MediaSession session_;
  net::EventNotifier notifier_;
  net::PacketPort port_;
  std::optional<net::Pacer> pacer_;
  net::PacerStatistics earlier_pacers_;  ///< counters of those taken off again
  net::IoThread::Id timer_;
  TimePoint armed_at_ = kNever;
  std::mutex attach_mutex_;  ///< attach_socket against close; never taken on the I/O thread
  bool closed_ = false;      ///< written under both mutexes
};

}  // namespace sealroom::host
