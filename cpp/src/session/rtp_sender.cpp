#include "sealroom/session/rtp_sender.h"

#include <utility>

#include "frame_format.h"

namespace sealroom::session {
namespace {

// About 2 s of a busy track: what a receiver can still ask for.
std::size_t history_capacity(rtp::Codec codec) {
  return rtp::media_kind(codec) == MediaKind::video ? 2048 : 128;
}

constexpr Duration kMinRetransmissionInterval = std::chrono::milliseconds(10);

}  // namespace

RtpSender::RtpSender(crypto::Backend backend, SenderConfig config)
    : backend_(backend),
      config_(std::move(config)),
      packetizer_(rtp::Packetizer::create(config_.codec, config_.first_picture_id)),
      history_(history_capacity(config_.codec)),
      next_sequence_number_(config_.first_sequence_number) {}

Result<void> RtpSender::set_key(sframe::CipherSuite suite, KeyId key_id, ByteView base_key) {
  if (!config_.protection) return Error::invalid_argument;
  if (newest_key_id_ && key_id <= *newest_key_id_) return Error::invalid_argument;
  auto sender = sframe::Sender::create(backend_, suite, key_id, base_key);
  if (!sender) return sender.error();
  sframe_ = std::move(sender).value();
  newest_key_id_ = key_id;
  return {};
}

Result<ByteView> RtpSender::protect(ByteView frame) {
  if (!config_.protection) return frame;
  if (!sframe_) return Error::not_ready;
  const sframe::FrameFormat format = frame_format(config_.codec);
  const std::size_t max_size = sframe::max_protected_size(format, frame.size());
  if (protected_.size() < max_size) protected_.resize(max_size);
  const auto size = sframe::protect_frame(*sframe_, format, frame, protected_);
  if (!size) return size.error();
  return ByteView(protected_).first(size.value());
}

Result<void> RtpSender::send(const OutgoingFrame& frame, const rtp::ExtensionMap& extensions,
                             srtp::Sender& srtp, DatagramBatch& batch, TimePoint now,
                             NtpTime wall_clock) {
  if (frame.data.empty()) return Error::invalid_argument;
  if (frame.data.size() > kMaxFrameSize) return Error::limit_exceeded;

  rtp::HeaderExtensions values;
  values.mid = config_.mid;
  values.audio_level = frame.audio_level;
  values.abs_send_time = rtp::to_abs_send_time(wall_clock);
  const std::size_t header_size = rtp::header_size(values, extensions);
  const std::size_t max_payload = rtp::kMaxDatagramSize - srtp::kMaxRtpOverhead - header_size;
  if (rtp::media_kind(config_.codec) == MediaKind::audio &&
      frame.data.size() + sframe::kMaxOverhead > max_payload) {
    return Error::limit_exceeded;  // an Opus packet is never fragmented (RFC 7587 section 4.2)
  }

  const auto bytes = protect(frame.data);
  if (!bytes) return bytes.error();
  const auto count = packetizer_->start(bytes.value(), max_payload);
  if (!count) return count.error();

  if (statistics_.frames_sent == 0) limiter_.start(now);
  rtp::RtpHeader header;
  header.payload_type = config_.payload_type;
  header.timestamp = frame.timestamp;
  header.ssrc = config_.ssrc;
  for (std::size_t i = 0; i < count.value(); ++i) {
    header.marker = rtp::media_kind(config_.codec) == MediaKind::video && i + 1 == count.value();
    header.sequence_number = next_sequence_number_++;  // also when sealing fails: never used twice
    const MutableByteView buffer = batch.prepare(rtp::kMaxDatagramSize);
    const auto written = rtp::write_header(header, values, extensions, buffer);
    if (!written) return written.error();
    const auto payload_size = packetizer_->write_next(buffer.subspan(header_size, max_payload));
    if (!payload_size) return payload_size.error();
    const auto size =
        srtp.protect_rtp(buffer, header_size, buffer.subspan(header_size, payload_size.value()));
    if (!size) return size.error();
    history_.store(header.sequence_number, buffer.first(size.value()), now);
    batch.commit(size.value());
    statistics_.packets_sent += 1;
    statistics_.bytes_sent += payload_size.value();
  }
  statistics_.frames_sent += 1;
  last_timestamp_ = frame.timestamp;
  last_sent_at_ = now;
  return {};
}

void RtpSender::handle_nack(const rtp::NackList& nack, DatagramBatch& batch, TimePoint now) {
  const Duration interval = std::max(kMinRetransmissionInterval, statistics_.round_trip_time / 2);
  for (std::size_t i = 0; i < nack.count; ++i) {
    statistics_.nacks_received += 1;
    const ByteView packet =
        history_.take_for_retransmission(nack.sequence_numbers[i], interval, now);
    if (packet.empty()) continue;
    if (!limiter_.allow_bytes(packet.size(), statistics_.bytes_sent, now)) continue;
    const MutableByteView buffer = batch.prepare(packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin());
    batch.commit(packet.size());
    statistics_.packets_retransmitted += 1;
  }
}

void RtpSender::handle_report_block(const rtp::ReportBlock& block, NtpTime wall_clock) {
  statistics_.fraction_lost = block.fraction_lost;
  if (block.last_sender_report == 0) return;
  // RFC 3550 section 6.4.1, in units of 1/65536 s.
  const auto now = static_cast<std::uint32_t>(wall_clock.value >> 16);
  const std::uint32_t round_trip =
      now - block.last_sender_report - block.delay_since_last_sender_report;
  if (round_trip < 10U << 16) {  // the peer chooses both numbers: take nothing beyond 10 s
    statistics_.round_trip_time = Duration(static_cast<std::int64_t>(round_trip) * 1'000'000 >> 16);
  }
}

std::optional<rtp::SenderReport> RtpSender::sender_report(TimePoint now, NtpTime wall_clock) const {
  if (statistics_.frames_sent == 0) return std::nullopt;
  rtp::SenderReport report;
  report.sender = config_.ssrc;
  report.ntp_time = wall_clock;
  const auto elapsed = (now - last_sent_at_).count() *
                       static_cast<std::int64_t>(rtp::clock_rate(config_.codec)) / 1'000'000;
  report.rtp_timestamp = RtpTimestamp{
      static_cast<std::uint32_t>(last_timestamp_.value + static_cast<std::uint64_t>(elapsed))};
  report.packet_count = static_cast<std::uint32_t>(statistics_.packets_sent);
  report.octet_count = static_cast<std::uint32_t>(statistics_.bytes_sent);
  return report;
}

}  // namespace sealroom::session
