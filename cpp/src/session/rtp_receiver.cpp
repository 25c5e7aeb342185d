#include "sealroom/session/rtp_receiver.h"

#include <algorithm>
#include <utility>

#include "sealroom/jitter/nack_generator.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/rtx.h"
#include "sealroom/session/frame_limits.h"

namespace sealroom::session {
namespace {

// Without a key no suite matters: what arrives is of an unknown key id.
constexpr auto kAnySuite = sframe::CipherSuite::aes_256_gcm_sha512_128;

std::variant<jitter::VideoJitterBuffer, jitter::AudioJitterBuffer> make_jitter_buffer(
    rtp::Codec codec) {
  if (rtp::media_kind(codec) == MediaKind::video) {
    jitter::VideoJitterConfig config;
    config.max_packets = kMaxFrameSpan;
    config.nack_reorder_wait = jitter::kReorderWait;
    return jitter::VideoJitterBuffer(config);
  }
  jitter::AudioJitterConfig config;
  config.clock_rate = rtp::clock_rate(codec);
  return jitter::AudioJitterBuffer(config);
}

}  // namespace

RtpReceiver::RtpReceiver(crypto::Backend backend, ReceiverId id, ReceiverConfig config,
                         ReceiverLimits limits)
    : backend_(backend),
      id_(id),
      config_(std::move(config)),
      limits_(limits),
      ssrc_(config_.ssrc),
      rtx_ssrc_(config_.rtx ? config_.rtx->ssrc : std::nullopt),
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

bool RtpReceiver::accepts(Ssrc ssrc, TimePoint now) const {
  if (!ssrc_ || *ssrc_ == ssrc || now - last_packet_at_ >= kSilence) return true;
  const std::size_t known = std::min(replacements_, kMaxReplaced);
  const auto replaced = std::span(replaced_).first(known);
  if (std::ranges::find(replaced, ssrc, &Replaced::media) != replaced.end()) return false;
  // Who changes more often than any track does would have the buffers made anew for each packet.
  return known < kMaxReplaced || now - replaced_at_ >= kReplacementInterval;
}

bool RtpReceiver::accepts_rtx(Ssrc ssrc) const {
  // The one that was named is that of the first stream.
  const auto& named = config_.rtx->ssrc;
  if (named && *named != ssrc && replacements_ == 0) return false;
  const auto replaced = std::span(replaced_).first(std::min(replacements_, kMaxReplaced));
  return std::ranges::none_of(
      replaced, [&](const Replaced& old) { return old.rtx == ssrc && old.media != ssrc_; });
}

void RtpReceiver::start_stream(Ssrc ssrc, TimePoint now) {
  last_packet_at_ = now;
  if (ssrc_ && *ssrc_ != ssrc) {
    replaced_[replacements_++ % kMaxReplaced] = {*ssrc_, std::exchange(rtx_ssrc_, std::nullopt)};
    replaced_at_ = now;
    counters_ = statistics();  // of all streams: they never run backwards
    counters_.jitter = 0;
    jitter_ = make_jitter_buffer(config_.codec);
    reception_ = jitter::ReceptionStatistics(rtp::clock_rate(config_.codec));
    recent_ = RecentPackets();
    last_sender_report_.reset();
  }
  ssrc_ = ssrc;
}

void RtpReceiver::handle_packet(const rtp::RtpPacketView& packet, TimePoint now) {
  const rtp::RtpHeader& header = packet.header();
  start_stream(header.ssrc, now);
  reception_.packet_received(header.sequence_number, header.timestamp, now);
  counters_.bytes_received += packet.payload().size();
  insert(header, packet.payload(), now);
  drain_jitter_buffer(now);
}

// Not counted as received: the loss that is reported stays that of the media stream.
void RtpReceiver::handle_rtx(const rtp::RtpPacketView& packet, TimePoint now) {
  const auto rtx = rtp::parse_rtx(packet);
  if (!ssrc_ || !rtx) return;  // one without a number only probes the bandwidth
  if (!rtx_ssrc_) rtx_ssrc_ = packet.header().ssrc;
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
      if (!payload) {
        counters_.packets_malformed += 1;
        video->insert_unusable(header.sequence_number, now);
        return;
      }
      part.payload = payload.value().data;
      part.starts_frame = payload.value().starts_frame;
      part.is_key_frame = payload.value().is_key_frame;
      part.may_be_preceded = payload.value().may_be_preceded;
      part.signs = payload.value().signs;
    }
    video->insert(part, now);
  } else if (header.payload_type == config_.red && !content.empty()) {
    insert_red(header, content, now);
  } else {  // padding too, which fills its place
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
  if (!red) {
    counters_.packets_malformed += 1;
    return;
  }
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
  for (Rejections& rejections : rejections_) {
    rejections.is_due =
        rejections.unreported > 0 && now >= rejections.last_event + kRejectionEventInterval;
  }
}

TimePoint RtpReceiver::next_timeout() const {
  TimePoint next = std::visit([](const auto& buffer) { return buffer.next_timeout(); }, jitter_);
  next = std::min(next, pending_.next_expiry());
  for (const Rejections& rejections : rejections_) {
    if (rejections.unreported > 0 && !rejections.is_due) {
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
  result.packets_received += reception_.packets_received();
  result.packets_lost += reception_.cumulative_lost();
  result.jitter = reception_.jitter();
  if (const auto* video = std::get_if<jitter::VideoJitterBuffer>(&jitter_)) {
    const auto& s = video->statistics();
    result.packets_duplicated += s.packets_duplicated;
    result.packets_discarded += s.packets_discarded;
    result.packets_recovered += s.packets_recovered;
    result.frames_dropped += s.frames_dropped;
    result.nacks_sent += s.nacks_sent;
    result.key_frame_requests_sent += s.key_frame_requests;
  } else {
    const auto& s = std::get<jitter::AudioJitterBuffer>(jitter_).statistics();
    result.packets_duplicated += s.packets_duplicated;
    result.packets_discarded += s.packets_discarded;
  }
  return result;
}

}  // namespace sealroom::session
