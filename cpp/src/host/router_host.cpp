#include "sealroom/host/router_host.h"

#include <algorithm>
#include <utility>

namespace sealroom::host {
namespace {

// Datagrams gather per subscriber so that a frame leaves in few large sends; more than a frame's
// worth would only add delay and memory.
constexpr std::size_t kMaxAtOnce = 64;

}  // namespace

RouterHost::RouterHost(net::IoThread& io_thread, crypto::Backend backend, sfu::RouterLimits limits)
    : io_thread_(io_thread), router_(backend, limits), timer_(io_thread.add_timer(*this)) {}

RouterHost::~RouterHost() { io_thread_.remove_timer(timer_); }

Result<std::unique_ptr<RouterTransport>> RouterHost::create_transport(
    const rtp::ExtensionMap& extensions) {
  const std::lock_guard lock(mutex_);
  const auto id = router_.add_transport();
  if (!id) return id.error();
  (void)router_.set_extensions(id.value(), extensions);
  try {
    RouterTransport*& place = transports_[id.value().value];
    auto transport = std::make_unique<RouterTransport>(*this, id.value());
    place = transport.get();
    return transport;
  } catch (...) {  // it takes a descriptor and memory: out of them, the router is as it was
    transports_.erase(id.value().value);
    router_.remove_transport(id.value());
    throw;
  }
}

void RouterHost::remove(sfu::TransportId id) {
  const std::lock_guard lock(mutex_);
  transports_.erase(id.value);
  router_.remove_transport(id);
  finish(net::IoThread::now());
}

void RouterHost::receive(sfu::TransportId from, std::span<const MutableByteView> datagrams,
                         TimePoint now) {
  while (!datagrams.empty()) {
    const auto part = datagrams.first(std::min(datagrams.size(), kMaxAtOnce));
    datagrams = datagrams.subspan(part.size());
    const std::lock_guard lock(mutex_);  // anew for each part: nobody waits for a whole pass
    router_.handle_datagrams(from, part, now);
    if (datagrams.empty()) {
      finish(now);
    } else {
      flush();
    }
  }
}

void RouterHost::handle_timer(TimePoint now) {
  const std::lock_guard lock(mutex_);
  armed_at_ = kNever;
  finish(now);
}

void RouterHost::finish(TimePoint now) {
  if (router_.next_timeout() <= now) router_.handle_timeout(now);
  flush();
  const TimePoint next = router_.next_timeout();
  if (next == armed_at_) return;
  armed_at_ = next;
  io_thread_.arm(timer_, next);
}

void RouterHost::flush() {
  sfu::Transmit transmit;
  while (router_.poll_transmit(transmit)) {
    const auto found = transports_.find(transmit.transport.value);
    if (found != transports_.end()) found->second->port_.send(transmit.data, transmit.segment_size);
  }
}

RouterTransport::RouterTransport(RouterHost& host, sfu::TransportId id)
    : host_(host), id_(id), port_(host.io_thread_, *this, notifier_) {}

RouterTransport::~RouterTransport() { close(); }

Result<void> RouterTransport::set_keys(srtp::Profile profile, ByteView send, ByteView receive) {
  return host_.with_router(
      [&](sfu::Router& router) { return router.set_keys(id_, profile, send, receive); });
}

Result<void> RouterTransport::set_extensions(const rtp::ExtensionMap& extensions) {
  return host_.with_router(
      [&](sfu::Router& router) { return router.set_extensions(id_, extensions); });
}

Result<void> RouterTransport::attach_socket(int file_descriptor) {
  const std::lock_guard lock(attach_mutex_);
  Result<void> attached = port_.attach(file_descriptor);
  if (!closed_) return attached;
  port_.detach();  // which closes the descriptor, as its ownership was handed over
  return Error::not_ready;
}

void RouterTransport::close() {
  const std::lock_guard lock(attach_mutex_);
  if (std::exchange(closed_, true)) return;
  port_.detach();
  host_.remove(id_);
}

void RouterTransport::receive_datagram(ByteView datagram) {
  Bytes copy(datagram.begin(), datagram.end());
  const MutableByteView view(copy);
  handle_media({&view, 1}, net::IoThread::now());
}

void RouterTransport::handle_media(std::span<const MutableByteView> datagrams, TimePoint now) {
  host_.receive(id_, datagrams, now);
}

}  // namespace sealroom::host
