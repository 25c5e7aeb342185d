#include "sealroom/session/rtp_sender.h"

#include <algorithm>
#include <array>
#include <utility>

#include "frame_format.h"
#include "sealroom/base/byte_writer.h"
#include "sealroom/rtp/rtx.h"

namespace sealroom::session {
namespace {

// About 2 s of a busy track: what a receiver can still ask for.
std::size_t history_capacity(rtp::Codec codec) {
  return rtp::media_kind(codec) == MediaKind::video ? kMaxFrameSpan : 128;
}

constexpr std::uint8_t kMarkerBit = 0x80;
constexpr std::size_t kRedPrimaryHeaderSize = 1;  // RFC 2198 section 3
constexpr Duration kMinRetransmissionInterval = std::chrono::milliseconds(10);

// The fixed header and, with ids above 14, a mid of 16 bytes, the audio level and the time of
// sending (RFC 8285 section 4.3).
constexpr std::size_t kMaxHeaderSize = 12 + 4 + 28;
static_assert(kMaxAudioFrameSize + sframe::kMaxOverhead + kRedPrimaryHeaderSize + kMaxHeaderSize +
                  srtp::kMaxRtpOverhead + rtp::kRtxOverhead <=
              kMaxAudioDatagramSize);

}  // namespace

RtpSender::RtpSender(crypto::Backend backend, SenderConfig config)
    : backend_(backend),
      config_(std::move(config)),
      packetizer_(rtp::Packetizer::create(config_.codec, config_.first_picture_id)),
      history_(history_capacity(config_.codec)),
      next_sequence_number_(config_.first_sequence_number) {
  if (config_.rtx) next_rtx_sequence_number_ = config_.rtx->first_sequence_number;
  if (config_.red) {
    red_.emplace(config_.payload_type, config_.red->distance);
    primary_.resize(kMaxAudioDatagramSize);
  }
}

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
  const bool is_audio = rtp::media_kind(config_.codec) == MediaKind::audio;
  if (frame.data.size() > (is_audio ? kMaxAudioFrameSize : kMaxFrameSize)) {
    return Error::limit_exceeded;
  }

  rtp::HeaderExtensions values;
  values.mid = config_.mid;
  values.audio_level = frame.audio_level;
  // Only video's m-line offers it.
  if (!is_audio) values.abs_send_time = rtp::to_abs_send_time(wall_clock);
  const std::size_t header_size = rtp::header_size(values, extensions);
  const std::size_t around =
      srtp::kMaxRtpOverhead + header_size + (config_.rtx ? rtp::kRtxOverhead : 0);
  const std::size_t red_header = red_ ? kRedPrimaryHeaderSize : 0;
  const bool is_large = is_audio && frame.data.size() + sframe::kMaxOverhead >
                                        rtp::kMaxDatagramSize - around - red_header;
  const std::size_t max_payload =
      (is_large ? kMaxAudioDatagramSize : rtp::kMaxDatagramSize) - around;
  // What of it RED leaves to a payload of its own, without any other.
  const std::size_t max_primary = max_payload - red_header;

  const auto bytes = protect(frame.data);
  if (!bytes) return bytes.error();
  // Of what encryption hides only this: whoever forwards the packets has no need of the size.
  rtp::FrameInfo info;
  info.is_key_frame = frame.is_key_frame
                          ? frame.is_key_frame
                          : rtp::read_frame_info(config_.codec, frame.data).is_key_frame;
  const auto count = packetizer_->start(bytes.value(), max_primary, info);
  if (!count) return count.error();
  if (count.value() > kMaxFramePackets) return Error::limit_exceeded;

  // Written once; the packets of a frame differ in marker and sequence number only.
  rtp::RtpHeader fields;
  fields.payload_type = red_ ? config_.red->payload_type : config_.payload_type;
  fields.timestamp = frame.timestamp;
  fields.ssrc = config_.ssrc;
  std::array<std::uint8_t, rtp::PacketHistory::kMaxPacket> header;
  const auto written = rtp::write_header(fields, values, extensions, header);
  if (!written) return written.error();
  // Counter mode with HMAC seals many packets at once in little more than the time of one; GCM
  // gains nothing, and one by one the memory of the next packet arrives while the last one is
  // sealed.
  const std::size_t most = srtp.gains_from_batches() ? kMaxBatch : 1;
  std::array<ByteView, kMaxBatch> packets;
  for (std::size_t next = 0; next < count.value();) {
    const std::size_t first = next;
    const std::uint16_t first_number = next_sequence_number_;
    for (; next < count.value() && next - first < most; ++next) {
      const std::uint16_t sequence_number = next_sequence_number_++;  // spent even if sealing fails
      const bool marker = !is_audio && next + 1 == count.value();
      header[1] = static_cast<std::uint8_t>((marker ? kMarkerBit : 0) | fields.payload_type.value);
      header[2] = static_cast<std::uint8_t>(sequence_number >> 8);
      header[3] = static_cast<std::uint8_t>(sequence_number);
      const MutableByteView packet = history_.prepare(sequence_number);
      std::copy_n(header.begin(), header_size, packet.begin());
      const auto payload_size =
          write_payload(frame.timestamp, packet.subspan(header_size, max_payload));
      if (!payload_size) return payload_size.error();
      packets[next - first] = packet.first(header_size + payload_size.value());
      if (next + 1 < count.value()) {
        history_.prefetch(next_sequence_number_, packets[next - first].size());
      }
    }
    const auto part = std::span<const ByteView>(packets).first(next - first);
    const auto sealed = part.size() == 1 ? seal(part[0], header_size, srtp, batch)
                                         : seal_batch(part, header_size, srtp, batch);
    if (!sealed) return sealed;
    for (std::size_t i = 0; i < part.size(); ++i) {
      history_.commit(static_cast<std::uint16_t>(first_number + i), part[i].size(), now);
      statistics_.packets_sent += 1;
      statistics_.bytes_sent += part[i].size() - header_size;
      limiter_.note_sent(part[i].size() + srtp.rtp_overhead(), now);
    }
  }
  statistics_.frames_sent += 1;
  last_timestamp_ = frame.timestamp;
  last_sent_at_ = now;
  return {};
}

Urgency RtpSender::urgency() const {
  return rtp::media_kind(config_.codec) == MediaKind::video ? Urgency::bulk : Urgency::prompt;
}

Result<void> RtpSender::seal(ByteView packet, std::size_t header_size, srtp::Sender& srtp,
                             DatagramBatch& batch) const {
  const MutableByteView buffer = batch.prepare(packet.size() + srtp::kMaxRtpOverhead);
  std::copy_n(packet.begin(), header_size, buffer.begin());
  const auto size = srtp.protect_rtp(buffer, header_size, packet.subspan(header_size));
  if (!size) return size.error();
  batch.commit(size.value(), urgency());
  return {};
}

Result<void> RtpSender::seal_batch(std::span<const ByteView> packets, std::size_t header_size,
                                   srtp::Sender& srtp, DatagramBatch& batch) const {
  std::array<srtp::ProtectTask, kMaxBatch> storage;
  const auto tasks = std::span(storage).first(packets.size());
  MutableByteView space = batch.prepare(packets.size() * rtp::kMaxDatagramSize);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const MutableByteView buffer = space.first(packets[i].size() + srtp.rtp_overhead());
    space = space.subspan(buffer.size());
    std::copy_n(packets[i].begin(), header_size, buffer.begin());
    tasks[i].buffer = buffer;
    tasks[i].header_size = header_size;
    tasks[i].payload = packets[i].subspan(header_size);
  }
  srtp.protect_rtp_batch(tasks);
  for (const srtp::ProtectTask& task : tasks) {
    if (!task.size) return task.size.error();
    batch.commit(task.size.value(), urgency());
  }
  return {};
}

Result<std::size_t> RtpSender::write_payload(RtpTimestamp timestamp, MutableByteView out) {
  if (!red_) return packetizer_->write_next(out);
  const auto size = packetizer_->write_next(primary_);
  if (!size) return size.error();
  return red_->encode(ByteView(primary_).first(size.value()), timestamp, out);
}

Result<void> RtpSender::seal_rtx(ByteView packet, const rtp::ExtensionMap& extensions,
                                 srtp::Sender& srtp, DatagramBatch& batch, NtpTime wall_clock) {
  const auto original = rtp::RtpPacketView::parse(packet);
  if (!original) return original.error();
  rtp::HeaderExtensions values = rtp::read_extensions(original.value(), extensions);
  if (values.abs_send_time) values.abs_send_time = rtp::to_abs_send_time(wall_clock);
  rtp::RtpHeader header = original.value().header();
  header.ssrc = config_.rtx->ssrc;
  header.payload_type = config_.rtx->payload_type;
  header.sequence_number = next_rtx_sequence_number_++;  // spent even if sealing fails

  const ByteView payload = original.value().payload();
  const std::size_t header_size = rtp::header_size(values, extensions);
  const std::size_t size = header_size + rtp::kRtxOverhead + payload.size();
  const MutableByteView buffer = batch.prepare(size + srtp::kMaxRtpOverhead);
  const auto written = rtp::write_header(header, values, extensions, buffer);
  if (!written) return written.error();
  ByteWriter writer(buffer.subspan(header_size, rtp::kRtxOverhead + payload.size()));
  writer.u16(original.value().header().sequence_number);
  writer.bytes(payload);
  const auto sealed = srtp.protect_rtp(buffer, header_size, writer.written());
  if (!sealed) return sealed.error();
  batch.commit(sealed.value(), urgency());
  return {};
}

void RtpSender::handle_nack(const rtp::NackList& nack, const rtp::ExtensionMap& extensions,
                            srtp::Sender& srtp, DatagramBatch& batch, TimePoint now,
                            NtpTime wall_clock) {
  const Duration interval = std::max(kMinRetransmissionInterval, statistics_.round_trip_time / 2);
  const std::size_t overhead = srtp.rtp_overhead() + (config_.rtx ? rtp::kRtxOverhead : 0);
  for (std::size_t i = 0; i < nack.count; ++i) {
    statistics_.nacks_received += 1;
    const ByteView packet =
        history_.take_for_retransmission(nack.sequence_numbers[i], interval, now);
    const auto header_size = rtp::peek_header_size(packet);  // not of an empty one
    if (!header_size || !limiter_.allow_bytes(packet.size() + overhead, now)) continue;
    const auto sealed = config_.rtx ? seal_rtx(packet, extensions, srtp, batch, wall_clock)
                                    : seal(packet, header_size.value(), srtp, batch);
    if (!sealed) continue;
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
