#include "sealroom/host/session_host.h"

#include <algorithm>
#include <utility>

namespace sealroom::host {
namespace {

// Datagrams handled under one lock: who sends a frame meanwhile does not wait for a whole pass,
// which may bring a thousand.
constexpr std::size_t kMaxAtOnce = 64;

}  // namespace

SessionHost::SessionHost(net::IoThread& io_thread, session::SessionConfig config)
    : io_thread_(io_thread),
      session_(std::move(config)),
      port_(io_thread, *this, notifier_),
      timer_(io_thread.add_timer(*this)) {}

SessionHost::~SessionHost() { close(); }

void SessionHost::close() {
  const std::lock_guard attach_lock(attach_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  // Without the lock: both wait until the I/O thread is out of this object.
  io_thread_.remove_timer(timer_);
  port_.detach();
}

Result<void> SessionHost::set_keys(srtp::Profile profile, ByteView send, ByteView receive) {
  return with_session([&](session::MediaSession& media, TimePoint) {
    if (closed_) return Result<void>(Error::invalid_argument);
    return media.set_keys(profile, send, receive);
  });
}

Result<void> SessionHost::attach_socket(int file_descriptor) {
  const std::lock_guard lock(attach_mutex_);
  Result<void> attached = port_.attach(file_descriptor);
  if (!closed_) return attached;
  port_.detach();  // which closes the descriptor, as its ownership was handed over
  return Error::not_ready;
}

Result<void> SessionHost::set_extensions(const rtp::ExtensionMap& extensions) {
  return with_session([&](session::MediaSession& media, TimePoint) {
    media.set_extensions(extensions);
    return Result<void>();
  });
}

Result<void> SessionHost::send_frame(session::SenderId id, const session::OutgoingFrame& frame) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Error::not_ready;
  const TimePoint now = net::IoThread::now();
  const auto result = session_.send_frame(id, frame, now, net::IoThread::ntp_now());
  finish(now);
  return result;
}

void SessionHost::receive_datagram(ByteView datagram) {
  Bytes copy(datagram.begin(), datagram.end());
  const MutableByteView view(copy);
  handle_media({&view, 1}, net::IoThread::now());
}

void SessionHost::handle_media(std::span<const MutableByteView> datagrams, TimePoint now) {
  while (datagrams.size() > kMaxAtOnce) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    session_.handle_datagrams(datagrams.first(kMaxAtOnce), now, net::IoThread::ntp_now());
    datagrams = datagrams.subspan(kMaxAtOnce);
  }
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  session_.handle_datagrams(datagrams, now, net::IoThread::ntp_now());
  session_.flush_feedback(now);
  finish(now);
}

void SessionHost::handle_timer(TimePoint now) {
  const std::lock_guard lock(mutex_);
  armed_at_ = kNever;
  if (closed_) return;
  if (session_.next_timeout() <= now) session_.handle_timeout(now, net::IoThread::ntp_now());
  finish(now);
}

void SessionHost::set_pacing_rate(std::uint64_t rate) {
  const std::lock_guard lock(mutex_);
  if (rate != 0 && pacer_) {
    pacer_->set_rate(rate);
  } else if (rate != 0) {
    net::PacerConfig config;
    config.rate = rate;
    pacer_.emplace(config);
  } else if (pacer_) {
    DatagramBatch::Run run;
    while (!closed_ && pacer_->take(run)) port_.send(run.data, run.segment_size);
    earlier_pacers_ = pacer_statistics_locked();
    pacer_.reset();
  }
  finish(net::IoThread::now());
}

net::PacerStatistics SessionHost::pacer_statistics() {
  const std::lock_guard lock(mutex_);
  return pacer_statistics_locked();
}

net::PacerStatistics SessionHost::pacer_statistics_locked() const {
  net::PacerStatistics all = earlier_pacers_;
  all.queued_bytes = 0;
  if (!pacer_) return all;
  const net::PacerStatistics now = pacer_->statistics();
  all.datagrams_delayed += now.datagrams_delayed;
  all.datagrams_overdue += now.datagrams_overdue;
  all.datagrams_overflow += now.datagrams_overflow;
  all.queued_bytes = now.queued_bytes;
  return all;
}

void SessionHost::transmit(TimePoint now) {
  DatagramBatch::Run run;
  if (!pacer_) {
    while (session_.poll_transmit(run)) port_.send(run.data, run.segment_size);
    return;
  }
  DatagramBatch::Run paced;
  while (session_.poll_transmit(run)) {
    while (!run.data.empty()) {
      run.data = run.data.subspan(pacer_->push(run, now));
      if (run.data.empty()) break;
      while (pacer_->poll(paced, now)) port_.send(paced.data, paced.segment_size);
    }
  }
  while (pacer_->poll(paced, now)) port_.send(paced.data, paced.segment_size);
}

void SessionHost::finish(TimePoint now) {
  if (closed_) return;
  transmit(now);
  if (session_.has_event(now)) notifier_.signal();
  TimePoint next = session_.next_timeout();
  if (pacer_) next = std::min(next, pacer_->next_timeout());
  if (next != armed_at_) {
    armed_at_ = next;
    io_thread_.arm(timer_, next);
  }
}

std::vector<session::Event> SessionHost::take_events(std::size_t max_events) {
  notifier_.clear();
  std::vector<session::Event> events;
  const std::lock_guard lock(mutex_);
  const TimePoint now = net::IoThread::now();
  session::Event event;
  while (events.size() < max_events && session_.poll_event(event, now)) {
    events.push_back(std::move(event));
  }
  if (session_.has_event(now)) notifier_.signal();
  return events;
}

}  // namespace sealroom::host
