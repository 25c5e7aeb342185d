#include "sealroom/session/rtp_receiver.h"

#include <algorithm>
#include <utility>

#include "frame_format.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/rtx.h"

namespace sealroom::session {
namespace {

// Without a key no suite matters: what arrives is of an unknown key id.
constexpr auto kAnySuite = sframe::CipherSuite::aes_256_gcm_sha512_128;
constexpr Duration kRejectionEventInterval = std::chrono::seconds(1);
// Packets of one frame leave together, so a path with some jitter makes them overtake each other.
constexpr Duration kReorderWait = std::chrono::milliseconds(10);

std::variant<jitter::VideoJitterBuffer, jitter::AudioJitterBuffer> make_jitter_buffer(
    rtp::Codec codec) {
  if (rtp::media_kind(codec) == MediaKind::video) {
    jitter::VideoJitterConfig config;
    config.nack_reorder_wait = kReorderWait;
    return jitter::VideoJitterBuffer(config);
  }
  jitter::AudioJitterConfig config;
  config.clock_rate = rtp::clock_rate(codec);
  return jitter::AudioJitterBuffer(config);
}

RejectReason reject_reason(Error error) {
  switch (error) {
    case Error::unknown_key_id:
      return RejectReason::unknown_key_id;
    case Error::replayed:
    case Error::too_old:
      return RejectReason::replayed;
    case Error::malformed:
    case Error::truncated:
      return RejectReason::not_encrypted;
    default:
      return RejectReason::authentication_failed;
  }
}

}  // namespace

RtpReceiver::RtpReceiver(crypto::Backend backend, ReceiverId id, ReceiverConfig config,
                         ReceiverLimits limits)
    : backend_(backend),
      id_(id),
      config_(std::move(config)),
      limits_(limits),
      ssrc_(config_.ssrc),
      jitter_(make_jitter_buffer(config_.codec)),
      reception_(rtp::clock_rate(config_.codec)),
      sframe_(backend, kAnySuite) {}

bool RtpReceiver::is_video() const {
  return std::holds_alternative<jitter::VideoJitterBuffer>(jitter_);
}

Result<void> RtpReceiver::add_key(sframe::CipherSuite suite, KeyId key_id, ByteView base_key) {
  if (!config_.protection) return Error::invalid_argument;
  if (suite_ && *suite_ != suite) return Error::invalid_argument;
  const auto parameters = sframe::suite_parameters(suite);
  if (!parameters) return parameters.error();
  if (!suite_) sframe_ = sframe::Receiver(backend_, suite);
  const auto added = sframe_.add_key(key_id, base_key);
  if (!added) return added;
  if (!suite_ || key_id > pending_.newest_key_id()) pending_.set_newest_key_id(key_id);
  suite_ = suite;
  release_held(key_id);
  return added;
}

bool RtpReceiver::remove_key(KeyId key_id) { return sframe_.remove_key(key_id); }

void RtpReceiver::start_stream(Ssrc ssrc) {
  if (ssrc_ && *ssrc_ != ssrc) {
    jitter_ = make_jitter_buffer(config_.codec);
    reception_ = jitter::ReceptionStatistics(rtp::clock_rate(config_.codec));
    recent_ = RecentPackets();
    last_sender_report_.reset();
  }
  ssrc_ = ssrc;
}

void RtpReceiver::handle_packet(const rtp::RtpPacketView& packet, TimePoint now) {
  const rtp::RtpHeader& header = packet.header();
  start_stream(header.ssrc);
  reception_.packet_received(header.sequence_number, header.timestamp, now);
  counters_.bytes_received += packet.payload().size();
  insert(header, packet.payload(), now);
  drain_jitter_buffer(now);
}

// Not counted as received: the loss that is reported stays that of the media stream.
void RtpReceiver::handle_rtx(const rtp::RtpPacketView& packet, TimePoint now) {
  const auto rtx = rtp::parse_rtx(packet);
  if (!ssrc_ || !rtx) return;  // one without a number only probes the bandwidth
  counters_.retransmissions_received += 1;
  rtp::RtpHeader header = packet.header();
  header.ssrc = *ssrc_;
  header.payload_type = config_.red.value_or(config_.payload_type);
  header.sequence_number = rtx.value().original_sequence_number;
  insert(header, rtx.value().payload, now);
  drain_jitter_buffer(now);
}

void RtpReceiver::insert(const rtp::RtpHeader& header, ByteView content, TimePoint now) {
  if (auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) {
    // A larger part does not fit into the jitter buffer either.
    std::array<std::uint8_t, jitter::VideoJitterBuffer::kMaxPayload> scratch;
    jitter::VideoPacket part;
    part.sequence_number = header.sequence_number;
    part.timestamp = header.timestamp;
    part.marker = header.marker;
    if (!content.empty()) {  // otherwise padding, which only fills its place
      const auto payload = rtp::depacketize(config_.codec, content, scratch);
      if (!payload) return;
      part.payload = payload.value().data;
      part.starts_frame = payload.value().starts_frame;
      part.is_key_frame = payload.value().is_key_frame;
    }
    video->insert(part, now);
  } else if (header.payload_type == config_.red) {
    insert_red(header, content, now);
  } else if (!content.empty()) {
    if (config_.red) (void)recent_.mark(header.sequence_number);
    std::get<jitter::AudioJitterBuffer>(jitter_).insert(
        {header.sequence_number, header.timestamp, content}, now);
  }
}

// RFC 2198 does not number its blocks: the n-th before the primary is taken for the n-th packet
// before, as senders that leave none out between them mean it. Oldest first, so that what the
// packet repairs never shows as a gap.
void RtpReceiver::insert_red(const rtp::RtpHeader& header, ByteView payload, TimePoint now) {
  const auto red = rtp::parse_red(payload);
  if (!red) return;
  auto& audio = std::get<jitter::AudioJitterBuffer>(jitter_);
  const std::size_t count = red.value().count;
  for (std::size_t i = 0; i < count; ++i) {
    const rtp::RedBlock& block = red.value().blocks[i];
    const std::size_t age = count - 1 - i;
    if (block.payload_type != config_.payload_type || block.payload.empty()) continue;
    const auto number = static_cast<std::uint16_t>(header.sequence_number - age);
    const bool is_new = recent_.mark(number);
    if (age > 0 && !is_new) continue;
    if (age > 0) counters_.packets_from_redundancy += 1;
    audio.insert(
        {number, RtpTimestamp{header.timestamp.value - block.timestamp_offset}, block.payload},
        now);
  }
}

void RtpReceiver::handle_timeout(TimePoint now) {
  std::visit([&](auto& buffer) { buffer.handle_timeout(now); }, jitter_);
  pending_.expire(
      now, [&](KeyId key_id, HeldFrame&& held) { drop_held(key_id, std::move(held.frame)); });
  drain_jitter_buffer(now);
}

TimePoint RtpReceiver::next_timeout() const {
  TimePoint next = std::visit([](const auto& buffer) { return buffer.next_timeout(); }, jitter_);
  next = std::min(next, pending_.next_expiry());
  for (const Rejections& rejections : rejections_) {
    if (rejections.unreported > 0) {
      next = std::min(next, rejections.last_event + kRejectionEventInterval);
    }
  }
  return next;
}

void RtpReceiver::drain_jitter_buffer(TimePoint now) {
  if (auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) {
    jitter::VideoFrame frame;
    while (video->pop(frame)) {
      if (!rtp::finish_frame(config_.codec, frame.data)) {
        reject(RejectReason::not_encrypted);  // nor anything else that can be read
        request_key_frame();
        continue;
      }
      FrameReceived received;
      received.data = std::move(frame.data);
      received.timestamp = frame.timestamp;
      received.is_key_frame = frame.is_key_frame;
      received.arrival = frame.first_packet_arrival;
      deliver(std::move(received), now);
    }
  } else {
    auto& audio = std::get<jitter::AudioJitterBuffer>(jitter_);
    jitter::AudioFrame frame;
    while (audio.pop(frame)) {
      FrameReceived received;
      received.data = std::move(frame.data);
      received.timestamp = frame.timestamp;
      received.is_key_frame = true;
      received.is_missing = frame.is_missing;
      received.arrival = frame.arrival;
      deliver(std::move(received), now);
    }
  }
}

/// Opens the frame into the buffer of an earlier one, which it then goes out in: no copy.
Result<void> RtpReceiver::unprotect(FrameReceived& frame) {
  if (plaintext_.size() < frame.data.size()) plaintext_.resize(frame.data.size());
  const auto size =
      sframe::unprotect_frame(sframe_, frame_format(config_.codec), frame.data, plaintext_);
  if (!size) return size.error();
  plaintext_.resize(size.value());
  std::swap(plaintext_, frame.data);
  return {};
}

void RtpReceiver::deliver(FrameReceived frame, TimePoint now) {
  frame.receiver = id_;
  if (frame.is_missing) {
    counters_.frames_missing += 1;
    if (pending_.empty()) {
      enqueue(std::move(frame));
    } else {
      hold(last_held_, std::move(frame), now);  // the gap keeps its place in the order
    }
    return;
  }
  if (config_.protection) {
    const auto opened = unprotect(frame);
    if (!opened) {
      const KeyId key_id = sframe_.unknown_key_id();
      if (opened.error() == Error::unknown_key_id && may_wait_for_its_key(key_id)) {
        hold(key_id, std::move(frame), now);
      } else {
        refuse(std::move(frame), reject_reason(opened.error()));
      }
      return;
    }
    refuse_held();  // after this frame they would come out of order
  }
  counters_.frames_received += 1;
  enqueue(std::move(frame));
}

/// Key ids rise with each new key. One below the newest was removed or never was, and the first key
/// may still be to come.
bool RtpReceiver::may_wait_for_its_key(KeyId key_id) const {
  return !suite_ || key_id > pending_.newest_key_id();
}

void RtpReceiver::hold(KeyId key_id, FrameReceived frame, TimePoint now) {
  last_held_ = key_id;
  const std::size_t size = frame.data.size();
  (void)pending_.hold(
      key_id, size, now, HeldFrame{std::move(frame)},
      [&](KeyId of, HeldFrame&& dropped) { drop_held(of, std::move(dropped.frame)); });
}

/// What the queue had no room or time for.
void RtpReceiver::drop_held(KeyId key_id, FrameReceived frame) {
  if (HeldFrame* const next = pending_.front(key_id)) next->follows_a_gap = true;
  refuse(std::move(frame), RejectReason::unknown_key_id);
}

void RtpReceiver::refuse(FrameReceived frame, RejectReason reason) {
  // The decoder misses what this frame stood for, unless it was merely sent twice.
  if (!frame.is_missing && reason != RejectReason::replayed) request_key_frame();
  reject_frame(std::move(frame), reason);
}

void RtpReceiver::reject_frame(FrameReceived frame, RejectReason reason) {
  if (!frame.is_missing) reject(reason);
  if (!frame.is_missing && drop_broken_frames_) return;
  if (!frame.is_missing) frame.rejected = reason;
  enqueue(std::move(frame));
}

/// In order of arrival up to the last frame under `key_id`; what still lacks its key by then is
/// late.
void RtpReceiver::release_held(KeyId key_id) {
  KeyId held_under;
  HeldFrame held;
  bool in_gap = false;
  while (pending_.count(key_id) > 0 && pending_.take_oldest(held_under, held)) {
    FrameReceived& frame = held.frame;
    if (held_under != key_id) {
      refuse(std::move(frame), RejectReason::unknown_key_id);
      continue;
    }
    in_gap = is_video() && !frame.is_key_frame && (in_gap || held.follows_a_gap);
    if (in_gap) {  // it cannot be decoded, and the key frame is asked for already
      reject_frame(std::move(frame), RejectReason::unknown_key_id);
    } else if (frame.is_missing) {
      enqueue(std::move(frame));
    } else if (const auto opened = unprotect(frame)) {
      counters_.frames_received += 1;
      enqueue(std::move(frame));
    } else {
      in_gap = true;
      refuse(std::move(frame), reject_reason(opened.error()));
    }
  }
}

void RtpReceiver::refuse_held() {
  KeyId held_under;
  HeldFrame held;
  while (pending_.take_oldest(held_under, held)) {
    refuse(std::move(held.frame), RejectReason::unknown_key_id);
  }
}

void RtpReceiver::enqueue(FrameReceived frame) {
  const std::size_t size = frame.data.size();
  if (queue_.size() >= limits_.max_queued_frames ||
      queued_bytes_ + size > limits_.max_queued_bytes) {
    if (is_video()) {
      // What follows cannot be decoded without what is dropped, so all of it goes, and a key frame
      // comes.
      drop_queued(queue_.size());
      if (!frame.is_key_frame) {
        reject(RejectReason::queue_overflow);
        std::get<jitter::VideoJitterBuffer>(jitter_).require_key_frame();
        return;
      }
    } else {
      drop_queued(1);
    }
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(frame));
}

void RtpReceiver::drop_queued(std::size_t count) {
  for (; count > 0 && !queue_.empty(); --count) {
    const FrameReceived dropped = std::move(queue_.front());  // the ring would keep its memory
    queued_bytes_ -= dropped.data.size();
    queue_.pop_front();
    reject(RejectReason::queue_overflow);
  }
}

void RtpReceiver::reject(RejectReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  counters_.rejected[index] += 1;
  rejections_[index].unreported += 1;
}

bool RtpReceiver::has_event(TimePoint now) const {
  if (!queue_.empty()) return true;
  return std::any_of(rejections_.begin(), rejections_.end(), [&](const Rejections& rejections) {
    return rejections.unreported > 0 && now >= rejections.last_event + kRejectionEventInterval;
  });
}

bool RtpReceiver::poll_event(Event& event, TimePoint now) {
  for (std::size_t i = 0; i < kRejectReasons; ++i) {
    Rejections& rejections = rejections_[i];
    if (rejections.unreported == 0 || now < rejections.last_event + kRejectionEventInterval)
      continue;
    event = FrameRejected{id_, static_cast<RejectReason>(i), rejections.unreported};
    rejections.unreported = 0;
    rejections.last_event = now;
    return true;
  }
  if (queue_.empty()) return false;
  queued_bytes_ -= queue_.front().data.size();
  event = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

std::size_t RtpReceiver::take_nacks(TimePoint now, std::span<std::uint16_t> out) {
  auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_);
  return video == nullptr ? 0 : video->take_nacks(now, out);
}

bool RtpReceiver::take_key_frame_request(TimePoint now) {
  auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_);
  return video != nullptr && video->take_key_frame_request(now);
}

void RtpReceiver::request_key_frame() {
  if (auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) video->require_key_frame();
}

void RtpReceiver::set_round_trip_time(Duration round_trip_time) {
  if (auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) {
    video->set_round_trip_time(round_trip_time);
  }
}

void RtpReceiver::handle_sender_report(const rtp::SenderReport& report, TimePoint now) {
  last_sender_report_ = report;
  last_sender_report_at_ = now;
}

std::optional<rtp::ReportBlock> RtpReceiver::take_report_block(TimePoint now) {
  if (!ssrc_ || reception_.packets_received() == 0) return std::nullopt;
  rtp::ReportBlock block;
  block.ssrc = *ssrc_;
  block.fraction_lost = reception_.take_fraction_lost();
  block.cumulative_lost = reception_.cumulative_lost();
  block.extended_highest_sequence = reception_.extended_highest_sequence();
  block.jitter = reception_.jitter();
  if (last_sender_report_) {
    block.last_sender_report =
        static_cast<std::uint32_t>(last_sender_report_->ntp_time.value >> 16);
    block.delay_since_last_sender_report =
        static_cast<std::uint32_t>((now - last_sender_report_at_).count() * 65536 / 1'000'000);
  }
  return block;
}

ReceiverStatistics RtpReceiver::statistics() const {
  ReceiverStatistics result = counters_;
  result.packets_received = reception_.packets_received();
  result.packets_lost = reception_.cumulative_lost();
  result.jitter = reception_.jitter();
  if (const auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) {
    const auto& s = video->statistics();
    result.packets_duplicated = s.packets_duplicated;
    result.packets_discarded = s.packets_discarded;
    result.packets_recovered = s.packets_recovered;
    result.frames_dropped = s.frames_dropped;
    result.nacks_sent = s.nacks_sent;
    result.key_frame_requests_sent = s.key_frame_requests;
  } else {
    const auto& s = std::get<jitter::AudioJitterBuffer>(jitter_).statistics();
    result.packets_duplicated = s.packets_duplicated;
    result.packets_discarded = s.packets_discarded;
  }
  return result;
}

}  // namespace sealroom::session
