#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kReportBlockSize = 24;
constexpr std::size_t kSenderInfoSize = 20;
constexpr std::size_t kSsrcSize = 4;
constexpr std::size_t kMaxPacketSize = kHeaderSize + 4 * 0xFFFF;  // by its 16-bit length in words
constexpr std::size_t kMaxTextSize = 255;
constexpr std::uint8_t kCnameItem = 1;
constexpr std::int32_t kMaxCumulativeLost = 0x7FFFFF;

// `size` counts the header and is a multiple of four.
void write_header(ByteWriter& writer, RtcpType type, std::size_t count_or_format,
                  std::size_t size) {
  writer.u8(static_cast<std::uint8_t>(0x80 | count_or_format));
  writer.u8(static_cast<std::uint8_t>(type));
  writer.u16(static_cast<std::uint16_t>(size / 4 - 1));
}

bool is_valid(const ReportBlocks& reports) {
  if (reports.count > kMaxReportBlocks) return false;
  for (std::size_t i = 0; i < reports.count; ++i) {
    const std::int32_t lost = reports.blocks[i].cumulative_lost;
    if (lost > kMaxCumulativeLost || lost < -kMaxCumulativeLost - 1) return false;
  }
  return true;
}

void write_blocks(ByteWriter& writer, const ReportBlocks& reports) {
  for (std::size_t i = 0; i < reports.count; ++i) {
    const ReportBlock& block = reports.blocks[i];
    writer.u32(block.ssrc.value);
    writer.u8(block.fraction_lost);
    writer.u24(static_cast<std::uint32_t>(block.cumulative_lost) & 0xFFFFFF);
    writer.u32(block.extended_highest_sequence);
    writer.u32(block.jitter);
    writer.u32(block.last_sender_report);
    writer.u32(block.delay_since_last_sender_report);
  }
}

/// Walks the PID/BLP words of ascending sequence numbers and hands each to `emit(pid, blp)`.
template <class Emit>
void for_each_nack_word(std::span<const std::uint16_t> sequence_numbers, Emit emit) {
  std::uint16_t first = sequence_numbers.front();
  std::uint16_t following = 0;
  for (const std::uint16_t number : sequence_numbers.subspan(1)) {
    const auto distance = static_cast<std::uint16_t>(number - first);
    if (distance == 0) continue;
    if (distance <= 16) {
      following = static_cast<std::uint16_t>(following | 1U << (distance - 1));
      continue;
    }
    emit(first, following);
    first = number;
    following = 0;
  }
  emit(first, following);
}

}  // namespace

Result<void> RtcpWriter::sender_report(const SenderReport& report) {
  if (!is_valid(report.reports)) return Error::invalid_argument;
  const std::size_t size =
      kHeaderSize + kSsrcSize + kSenderInfoSize + kReportBlockSize * report.reports.count;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::sender_report, report.reports.count, size);
  writer.u32(report.sender.value);
  writer.u64(report.ntp_time.value);
  writer.u32(report.rtp_timestamp.value);
  writer.u32(report.packet_count);
  writer.u32(report.octet_count);
  write_blocks(writer, report.reports);
  size_ += size;
  return {};
}

Result<void> RtcpWriter::receiver_report(const ReceiverReport& report) {
  if (!is_valid(report.reports)) return Error::invalid_argument;
  const std::size_t size = kHeaderSize + kSsrcSize + kReportBlockSize * report.reports.count;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::receiver_report, report.reports.count, size);
  writer.u32(report.sender.value);
  write_blocks(writer, report.reports);
  size_ += size;
  return {};
}

Result<void> RtcpWriter::source_description(Ssrc ssrc, std::string_view cname) {
  if (cname.empty() || cname.size() > kMaxTextSize) return Error::invalid_argument;
  // The chunk ends with at least one zero and at a word (RFC 3550 section 6.5).
  const std::size_t unpadded = kSsrcSize + 2 + cname.size();
  const std::size_t chunk = (unpadded / 4 + 1) * 4;
  const std::size_t size = kHeaderSize + chunk;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::source_description, 1, size);
  writer.u32(ssrc.value);
  writer.u8(kCnameItem);
  writer.u8(static_cast<std::uint8_t>(cname.size()));
  writer.bytes(as_bytes(cname));
  writer.zeros(chunk - unpadded);
  size_ += size;
  return {};
}

Result<void> RtcpWriter::bye(Ssrc ssrc) {
  const std::size_t size = kHeaderSize + kSsrcSize;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::bye, 1, size);
  writer.u32(ssrc.value);
  size_ += size;
  return {};
}

Result<void> RtcpWriter::nack(Ssrc sender, Ssrc media,
                              std::span<const std::uint16_t> sequence_numbers) {
  if (sequence_numbers.empty()) return Error::invalid_argument;
  std::size_t words = 0;
  for_each_nack_word(sequence_numbers, [&](std::uint16_t, std::uint16_t) { ++words; });
  const std::size_t size = kHeaderSize + 2 * kSsrcSize + 4 * words;
  if (size > kMaxPacketSize) return Error::invalid_argument;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::transport_feedback, kNackFormat, size);
  writer.u32(sender.value);
  writer.u32(media.value);
  for_each_nack_word(sequence_numbers, [&](std::uint16_t first, std::uint16_t following) {
    writer.u16(first);
    writer.u16(following);
  });
  size_ += size;
  return {};
}

Result<void> RtcpWriter::picture_loss_indication(Ssrc sender, Ssrc media) {
  const std::size_t size = kHeaderSize + 2 * kSsrcSize;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter writer(buffer_.subspan(size_));
  write_header(writer, RtcpType::payload_feedback, kPliFormat, size);
  writer.u32(sender.value);
  writer.u32(media.value);
  size_ += size;
  return {};
}

}  // namespace sealroom::rtp
