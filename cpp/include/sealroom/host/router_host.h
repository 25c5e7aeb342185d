#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "sealroom/net/packet_port.h"
#include "sealroom/sfu/router.h"

namespace sealroom::host {

class RouterTransport;

/// A Router with a clock and a lock: packets are read, forwarded and sent on the I/O thread.
/// Thread-safe. Lock order: this class's mutex, then a port's; the I/O thread holds neither while
/// it calls in. Its transports must be destroyed before it.
class RouterHost final : private net::TimerHandler {
 public:
  RouterHost(net::IoThread& io_thread, crypto::Backend backend, sfu::RouterLimits limits = {});
  ~RouterHost() override;
  RouterHost(const RouterHost&) = delete;
  RouterHost& operator=(const RouterHost&) = delete;

  /// Throws std::system_error when the process is out of descriptors.
  Result<std::unique_ptr<RouterTransport>> create_transport(const rtp::ExtensionMap& extensions);

  /// Runs `function(router)` under the lock, then does what is due and sends what came of it.
  template <class Function>
  auto with_router(Function&& function) {
    const std::lock_guard lock(mutex_);
    auto result = function(router_);
    finish(net::IoThread::now());
    return result;
  }

 private:
  friend class RouterTransport;

  void handle_timer(TimePoint now) override;
  void receive(sfu::TransportId from, std::span<const MutableByteView> datagrams, TimePoint now);
  void finish(TimePoint now);
  void flush();
  void remove(sfu::TransportId id);

  net::IoThread& io_thread_;
  std::mutex mutex_;  ///< guards what follows
  sfu::Router router_;
  std::unordered_map<std::uint64_t, RouterTransport*> transports_;
  TimePoint armed_at_ = kNever;
  net::IoThread::Id timer_;
};

/// One transport of a RouterHost with its port. Thread-safe; `close` and the destructor wait for
/// the I/O thread to be out of it.
class RouterTransport final : private net::MediaSink {
 public:
  RouterTransport(RouterHost& host, sfu::TransportId id);  ///< by RouterHost::create_transport
  ~RouterTransport() override;
  RouterTransport(const RouterTransport&) = delete;
  RouterTransport& operator=(const RouterTransport&) = delete;

  [[nodiscard]] sfu::TransportId id() const { return id_; }
  [[nodiscard]] bool is_of(const RouterHost& host) const { return &host_ == &host; }
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
  void clear_event() { notifier_.clear(); }
  [[nodiscard]] net::PortCounters port_counters() const { return port_.counters(); }
  /// Takes the transport with its producers and consumers out of the router. Idempotent.
  void close();

 private:
  friend class RouterHost;
  void handle_media(std::span<const MutableByteView> datagrams, TimePoint now) override;

  RouterHost& host_;
  const sfu::TransportId id_;
  net::EventNotifier notifier_;
  net::PacketPort port_;
  std::mutex attach_mutex_;  ///< attach_socket against close; never taken on the I/O thread
  bool closed_ = false;
};

}  // namespace sealroom::host
