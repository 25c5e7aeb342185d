#include "consumer.h"

#include <utility>

#include "producer.h"

namespace sealroom::sfu {
namespace {

// Twelve bytes, the extension header, and mid, abs-send-time and audio level in the two-byte form,
// padded.
constexpr std::size_t kMaxHeaderSize = 12 + 4 + (2 + 16) + (2 + 3) + (2 + 1) + 3;

std::uint32_t middle_bits(NtpTime time) { return static_cast<std::uint32_t>(time.value >> 16); }

}  // namespace

Consumer::Consumer(ConsumerId id, Producer& producer, Transport& transport, ConsumerConfig config,
                   MediaKind kind)
    : id_(id),
      producer_(producer),
      transport_(transport),
      config_(std::move(config)),
      extensions_(transport.extensions),
      kind_(kind),
      rewriter_(config_.first_sequence_number),
      limiter_(cached_packets(kind)) {}

bool Consumer::begin_run(std::int64_t sequence) {
  if (!is_ready()) return false;
  rewriter_.begin_run(sequence);
  is_running_ = true;
  has_started_ = true;
  return true;
}

bool Consumer::forward(const OpenedPacket& packet, TimePoint now) {
  if (!is_ready()) return false;
  if (is_running_ && rewriter_.has_lost_touch(packet.sequence)) {
    restart();
    if (kind_ == MediaKind::video) producer_.request_key_frame();
  }
  if (!is_running_ && (kind_ == MediaKind::video || !begin_run(packet.sequence))) return false;
  const std::optional<std::int64_t> output = rewriter_.to_output(packet.sequence);
  const std::size_t size = output ? send(packet, *output) : 0;
  if (size == 0) return false;
  limiter_.note_sent(size, now);
  ++statistics_.packets_sent;
  statistics_.bytes_sent += packet.payload.size();
  return true;
}

void Consumer::retransmit(const OpenedPacket& packet, std::int64_t output, TimePoint now) {
  if (!limiter_.allow(output, sealed_size(packet), now)) return;
  if (send(packet, output) > 0) ++statistics_.packets_retransmitted;
}

rtp::HeaderExtensions Consumer::outgoing_extensions(const OpenedPacket& packet) const {
  rtp::HeaderExtensions extensions = packet.extensions;
  extensions.mid = config_.mid;
  return extensions;
}

std::size_t Consumer::sealed_size(const OpenedPacket& packet) const {
  return rtp::header_size(outgoing_extensions(packet), extensions_) + packet.payload.size() +
         transport_.sender->rtp_overhead();
}

std::size_t Consumer::send(const OpenedPacket& packet, std::int64_t output) {
  rtp::RtpHeader header = packet.header;
  header.payload_type = config_.payload_type;
  header.sequence_number = static_cast<std::uint16_t>(output);
  header.ssrc = config_.ssrc;

  const MutableByteView buffer =
      transport_.outgoing.prepare(kMaxHeaderSize + packet.payload.size() + srtp::kMaxRtpOverhead);
  const auto header_size =
      rtp::write_header(header, outgoing_extensions(packet), extensions_, buffer);
  if (!header_size) return 0;
  const auto size = transport_.sender->protect_rtp(buffer, header_size.value(), packet.payload);
  // As SRTP counts: an index is spent even if sealing fails, but not by a packet that is refused.
  if (size.ok() || size.error() == Error::crypto_failure) rewriter_.mark_used(output);
  if (!size) return 0;
  transport_.commit(size.value());
  return size.value();
}

void Consumer::set_paused(bool paused) {
  if (paused == is_paused_) return;
  is_paused_ = paused;
  is_running_ = false;
}

void Consumer::send_report(const TimeMapping& mapping, std::string_view cname, TimePoint now) {
  if (!is_running_) return;
  rtp::SenderReport report;
  report.sender = config_.ssrc;
  report.ntp_time = mapping.ntp;
  report.rtp_timestamp = mapping.timestamp;
  report.packet_count = static_cast<std::uint32_t>(statistics_.packets_sent);
  report.octet_count = static_cast<std::uint32_t>(statistics_.bytes_sent);
  const bool sent = transport_.send_rtcp([&](rtp::RtcpWriter& writer) {
    (void)writer.sender_report(report);
    (void)writer.source_description(config_.ssrc, cname);
  });
  if (!sent) return;
  last_report_ = middle_bits(mapping.ntp);
  last_report_at_ = now;
}

// RFC 3550 section 6.1: a compound begins with a report, and a BYE is its last packet.
void Consumer::send_bye(std::string_view cname) {
  transport_.send_rtcp([&](rtp::RtcpWriter& writer) {
    rtp::ReceiverReport empty;
    empty.sender = config_.ssrc;
    (void)writer.receiver_report(empty);
    (void)writer.source_description(config_.ssrc, cname);
    (void)writer.bye(config_.ssrc);
  });
}

void Consumer::handle_report(const rtp::ReportBlock& block, TimePoint now) {
  statistics_.fraction_lost = block.fraction_lost;
  if (block.last_sender_report == 0 || block.last_sender_report != last_report_) return;
  const Duration held(static_cast<std::int64_t>(block.delay_since_last_sender_report) * 1'000'000 >>
                      16);
  const Duration round_trip_time = now - last_report_at_ - held;
  if (round_trip_time > Duration::zero()) limiter_.set_round_trip_time(round_trip_time);
}

}  // namespace sealroom::sfu
