#include "sealroom/session/media_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sealroom/rtp/payload_type.h"
#include "sealroom/srtp/open_datagrams.h"

namespace sealroom::session {
namespace {

constexpr std::size_t kMaxMidSize = 16;
// Twice the packets that the jitter buffer waits among: what it asks for, and gets as the same
// packet where there is no RTX, must not be too old for SRTP.
constexpr std::size_t kReplayWindow = 2 * kMaxFrameSpan;

bool is_other_type(PayloadType type, PayloadType media) {
  return type != media && rtp::may_share_port_with_rtcp(type);
}

}  // namespace

MediaSession::MediaSession(SessionConfig config) : config_(std::move(config)) {}

Result<void> MediaSession::set_keys(srtp::Profile profile, ByteView send, ByteView receive) {
  if (has_keys()) return Error::invalid_argument;
  // Without RTX the packet itself is sent again, byte by byte from the history.
  auto sender = srtp::Sender::create(config_.backend, profile, send, {.allow_repeats = true});
  if (!sender) return sender.error();
  auto receiver =
      srtp::Receiver::create(config_.backend, profile, receive, {.replay_window = kReplayWindow});
  if (!receiver) return receiver.error();
  srtp_sender_ = std::move(sender).value();
  srtp_receiver_ = std::move(receiver).value();
  return {};
}

Result<SenderId> MediaSession::add_sender(SenderConfig config) {
  if (senders_.size() >= kMaxSenders ||
      spent_ssrcs_.size() + 2 * (senders_.size() + 1) > kMaxSentSsrcs) {
    return Error::limit_exceeded;
  }
  if (config.mid.size() > kMaxMidSize || !rtp::may_share_port_with_rtcp(config.payload_type)) {
    return Error::invalid_argument;
  }
  if (!can_send_as(config.ssrc)) return Error::invalid_argument;
  if (config.rtx && (config.rtx->ssrc == config.ssrc || !can_send_as(config.rtx->ssrc) ||
                     !is_other_type(config.rtx->payload_type, config.payload_type))) {
    return Error::invalid_argument;
  }
  if (config.red && (config.codec != rtp::Codec::opus || config.red->distance == 0 ||
                     config.red->distance > rtp::RedEncoder::kMaxDistance ||
                     !is_other_type(config.red->payload_type, config.payload_type))) {
    return Error::invalid_argument;
  }
  const SenderId id{next_id_++};
  senders_.try_emplace(id, config_.backend, std::move(config));
  return id;
}

Result<void> MediaSession::set_sender_key(SenderId id, sframe::CipherSuite suite, KeyId key_id,
                                          ByteView base_key) {
  const auto found = senders_.find(id);
  if (found == senders_.end()) return Error::invalid_argument;
  return found->second.set_key(suite, key_id, base_key);
}

Result<void> MediaSession::send_frame(SenderId id, const OutgoingFrame& frame, TimePoint now,
                                      NtpTime wall_clock) {
  const auto found = senders_.find(id);
  if (found == senders_.end()) return Error::invalid_argument;
  if (!has_keys()) return Error::not_ready;
  if (next_report_ == kNever) next_report_ = now + kReportInterval;
  return found->second.send(frame, config_.extensions, *srtp_sender_, batch_, now, wall_clock);
}

Result<void> MediaSession::remove_sender(SenderId id) {
  const auto found = senders_.find(id);
  if (found == senders_.end()) return Error::invalid_argument;
  const Ssrc ssrc = found->second.config().ssrc;
  const auto& rtx = found->second.config().rtx;
  const std::array<Ssrc, 2> streams{ssrc, rtx ? rtx->ssrc : Ssrc{}};
  const std::size_t count = rtx ? 2 : 1;
  if (found->second.statistics().frames_sent > 0) {
    send_bye(ssrc, std::span(streams).first(count));
  }
  senders_.erase(found);
  for (const Ssrc sent : std::span(streams).first(count)) retire(sent);
  return {};
}

Result<ReceiverId> MediaSession::add_receiver(ReceiverConfig config) {
  if (receivers_.size() >= kMaxReceivers) return Error::limit_exceeded;
  if (config.mid.size() > kMaxMidSize || !rtp::may_share_port_with_rtcp(config.payload_type)) {
    return Error::invalid_argument;
  }
  const auto is_taken = [&](Ssrc ssrc) {
    return routes_.contains(ssrc) || rtx_routes_.contains(ssrc) || idle_streams_.is_refused(ssrc);
  };
  if (config.ssrc && is_taken(*config.ssrc)) return Error::invalid_argument;
  if (config.red &&
      (config.codec != rtp::Codec::opus || !is_other_type(*config.red, config.payload_type))) {
    return Error::invalid_argument;
  }
  if (config.rtx) {
    const RtxReceiverConfig& rtx = *config.rtx;
    if (!is_other_type(rtx.payload_type, config.payload_type) || config.red == rtx.payload_type ||
        rtx.repaired_rid.size() > kMaxMidSize) {
      return Error::invalid_argument;
    }
    if (rtx.ssrc && (is_taken(*rtx.ssrc) || rtx.ssrc == config.ssrc)) {
      return Error::invalid_argument;
    }
  }
  const ReceiverId id{next_id_++};
  if (config.ssrc) set_route(routes_, *config.ssrc, id);
  if (config.rtx && config.rtx->ssrc) set_route(rtx_routes_, *config.rtx->ssrc, id);
  receivers_.try_emplace(id, config_.backend, id, std::move(config), config_.receiver_limits);
  return id;
}

Result<void> MediaSession::add_receiver_key(ReceiverId id, sframe::CipherSuite suite, KeyId key_id,
                                            ByteView base_key) {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  return found->second.add_key(suite, key_id, base_key);
}

Result<void> MediaSession::remove_receiver_key(ReceiverId id, KeyId key_id) {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  if (!found->second.remove_key(key_id)) return Error::unknown_key_id;
  return {};
}

Result<void> MediaSession::set_drop_broken_frames(ReceiverId id, bool drop) {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  found->second.set_drop_broken_frames(drop);
  return {};
}

Result<void> MediaSession::request_key_frame(ReceiverId id, TimePoint now) {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  found->second.request_key_frame();
  flush_feedback(now);
  return {};
}

Result<void> MediaSession::remove_receiver(ReceiverId id) {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  remove_routes(routes_, id);
  remove_routes(rtx_routes_, id);
  receivers_.erase(found);
  return {};
}

RtpSender* MediaSession::sender_by_ssrc(Ssrc ssrc) {
  for (auto& [id, sender] : senders_) {
    if (sender.config().ssrc == ssrc) return &sender;
  }
  return nullptr;
}

bool MediaSession::can_send_as(Ssrc ssrc) const {
  if (ssrc == config_.rtcp_ssrc || spent_ssrcs_.contains(ssrc.value)) return false;
  return std::none_of(senders_.begin(), senders_.end(), [&](const auto& entry) {
    const SenderConfig& config = entry.second.config();
    return config.ssrc == ssrc || (config.rtx && config.rtx->ssrc == ssrc);
  });
}

// Also what sent no frame may have given its SSRC to RTCP. Without keys nothing was sealed; keys
// never change.
void MediaSession::retire(Ssrc sent) {
  if (!has_keys()) return;
  spent_ssrcs_.insert(sent.value);
  srtp_sender_->remove_stream(sent);  // after the BYE: nothing needs its indices any more
}

// One SSRC per receiver and kind: the tables are bounded by the receivers.
void MediaSession::set_route(Routes& routes, Ssrc ssrc, ReceiverId to) {
  idle_streams_.remove(ssrc);  // before another one goes there, which this might be given up for
  remove_routes(routes, to);
  routes.emplace(ssrc, to);
}

void MediaSession::remove_routes(Routes& routes, ReceiverId to) {
  for (auto route = routes.begin(); route != routes.end();) {
    if (route->second != to) {
      ++route;
      continue;
    }
    const Ssrc ssrc = route->first;
    route = routes.erase(route);
    note_unused(ssrc);
  }
}

// A stream that the peer sends, or its RTCP, if it has no route.
void MediaSession::note_unused(Ssrc ssrc) {
  if (routes_.contains(ssrc) || rtx_routes_.contains(ssrc)) return;
  idle_streams_.add(ssrc, srtp_receiver_ ? &*srtp_receiver_ : nullptr);
}

// A stream of retransmissions that no receiver has named by its SSRC. The payload type alone tells
// it from media, with a mid too.
RtpReceiver* MediaSession::route_rtx(const rtp::RtpPacketView& packet) {
  const Ssrc ssrc = packet.header().ssrc;
  if (const auto known = rtx_routes_.find(ssrc); known != rtx_routes_.end()) {
    RtpReceiver& receiver = receivers_.at(known->second);
    const bool is_its = receiver.config().rtx->payload_type == packet.header().payload_type;
    return is_its && receiver.accepts_rtx(ssrc) ? &receiver : nullptr;
  }
  if (routes_.contains(ssrc)) return nullptr;
  const rtp::HeaderExtensions values = rtp::read_extensions(packet, config_.extensions);
  RtpReceiver* match = nullptr;
  ReceiverId match_id{};
  for (auto& [id, receiver] : receivers_) {
    const auto& rtx = receiver.config().rtx;
    if (!rtx || !receiver.accepts_rtx(ssrc)) continue;
    if (rtx->payload_type != packet.header().payload_type) continue;
    if (!values.mid.empty() && receiver.config().mid != values.mid) continue;
    if (!rtx->repaired_rid.empty() && rtx->repaired_rid != values.repaired_rid) continue;
    if (match != nullptr) return nullptr;  // ambiguous
    match = &receiver;
    match_id = id;
  }
  if (match == nullptr) return nullptr;
  set_route(rtx_routes_, ssrc, match_id);
  return match;
}

RtpReceiver* MediaSession::route(const rtp::RtpPacketView& packet, TimePoint now) {
  const Ssrc ssrc = packet.header().ssrc;
  if (const auto known = routes_.find(ssrc); known != routes_.end()) {
    return &receivers_.at(known->second);
  }
  const rtp::HeaderExtensions values = rtp::read_extensions(packet, config_.extensions);
  const PayloadType payload_type = packet.header().payload_type;
  RtpReceiver* match = nullptr;
  ReceiverId match_id{};
  for (auto& [id, receiver] : receivers_) {
    const bool fits = values.mid.empty() ? !receiver.ssrc() : receiver.config().mid == values.mid;
    if (!fits || !receiver.takes(payload_type)) continue;
    if (match != nullptr) return nullptr;  // ambiguous
    match = &receiver;
    match_id = id;
  }
  if (match == nullptr || !match->accepts(ssrc, now)) return nullptr;
  set_route(routes_, ssrc, match_id);
  return match;
}

void MediaSession::handle_datagrams(std::span<const MutableByteView> datagrams, TimePoint now,
                                    NtpTime wall_clock) {
  statistics_.datagrams_received += datagrams.size();
  if (!has_keys()) {
    statistics_.datagrams_rejected += datagrams.size();
    return;
  }
  if (next_report_ == kNever) next_report_ = now + kReportInterval;
  statistics_.datagrams_rejected += idle_streams_.open_accepted(
      datagrams,
      [&](std::span<const MutableByteView> accepted) { open(accepted, now, wall_clock); });
}

void MediaSession::open(std::span<const MutableByteView> datagrams, TimePoint now,
                        NtpTime wall_clock) {
  srtp::open_datagrams(
      *srtp_receiver_, datagrams,
      [&](MutableByteView datagram, Result<std::size_t> size) { handle_rtp(datagram, size, now); },
      [&](MutableByteView datagram) { handle_rtcp(datagram, now, wall_clock); });
}

void MediaSession::handle_rtp(MutableByteView datagram, Result<std::size_t> size, TimePoint now) {
  if (!size) {
    statistics_.datagrams_rejected += 1;
    if (size.error() == Error::replayed || size.error() == Error::too_old) {
      statistics_.datagrams_replayed += 1;
    }
    return;
  }
  const Ssrc ssrc = *srtp::IdleStreams::ssrc_of(datagram);
  const auto packet = rtp::RtpPacketView::parse(datagram.first(size.value()));
  // One that was given up since it was opened, by a packet before it, is refused too.
  if (!packet || idle_streams_.is_refused(ssrc)) {
    statistics_.datagrams_rejected += 1;
    note_unused(ssrc);
    return;
  }
  RtpReceiver* receiver = route(packet.value(), now);
  if (receiver != nullptr && receiver->takes(packet.value().header().payload_type)) {
    receiver->handle_packet(packet.value(), now);
  } else if (RtpReceiver* repaired = route_rtx(packet.value())) {
    repaired->handle_rtx(packet.value(), now);
  } else {
    statistics_.datagrams_unrouted += 1;
    note_unused(ssrc);
  }
}

TimePoint MediaSession::next_timeout() const {
  TimePoint next = next_report_;
  for (const auto& [id, receiver] : receivers_) next = std::min(next, receiver.next_timeout());
  return next;
}

void MediaSession::push_event(Event event) {
  if (events_.size() >= kMaxPendingEvents) events_.pop_front();
  events_.push_back(std::move(event));
}

bool MediaSession::poll_event(Event& event, TimePoint now) {
  if (!events_.empty()) {
    event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  for (auto& [id, receiver] : receivers_) {
    if (receiver.poll_event(event, now)) return true;
  }
  return false;
}

bool MediaSession::has_event(TimePoint now) const {
  return !events_.empty() ||
         std::any_of(receivers_.begin(), receivers_.end(),
                     [&](const auto& entry) { return entry.second.has_event(now); });
}

Result<SenderStatistics> MediaSession::sender_statistics(SenderId id) const {
  const auto found = senders_.find(id);
  if (found == senders_.end()) return Error::invalid_argument;
  return found->second.statistics();
}

Result<ReceiverStatistics> MediaSession::receiver_statistics(ReceiverId id) const {
  const auto found = receivers_.find(id);
  if (found == receivers_.end()) return Error::invalid_argument;
  return found->second.statistics();
}

}  // namespace sealroom::session
