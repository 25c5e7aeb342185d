#include <algorithm>
#include <tuple>

#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kReportBlockSize = 24;
constexpr std::size_t kSenderInfoSize = 20;
constexpr std::size_t kSsrcSize = 4;
constexpr std::size_t kMaxPacketSize = kHeaderSize + 4 * 0xFFFF;  // by its 16-bit length in words
constexpr std::size_t kMaxTextSize = 255;
constexpr std::uint8_t kPaddingBit = 0x20;
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

/// Calls `visit` with each stretch of items of one source.
template <class Visit>
void for_each_chunk(std::span<const SdesItem> items, Visit visit) {
  while (!items.empty()) {
    std::size_t count = 1;
    while (count < items.size() && items[count].ssrc == items.front().ssrc) ++count;
    visit(items.first(count));
    items = items.subspan(count);
  }
}

/// With its closing zero, at a word (RFC 3550 section 6.5).
std::size_t chunk_size(std::span<const SdesItem> chunk) {
  std::size_t size = kSsrcSize;
  for (const SdesItem& item : chunk) size += 2 + item.text.size();
  return (size / 4 + 1) * 4;
}

}  // namespace

Result<void> RtcpWriter::sender_report(const SenderReport& report) {
  if (!is_valid(report.reports)) return Error::invalid_argument;
  const std::size_t size =
      kHeaderSize + kSsrcSize + kSenderInfoSize + kReportBlockSize * report.reports.count;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::sender_report, report.reports.count, size);
  writer.u32(report.sender.value);
  writer.u64(report.ntp_time.value);
  writer.u32(report.rtp_timestamp.value);
  writer.u32(report.packet_count);
  writer.u32(report.octet_count);
  write_blocks(writer, report.reports);
  return {};
}

Result<void> RtcpWriter::receiver_report(const ReceiverReport& report) {
  if (!is_valid(report.reports)) return Error::invalid_argument;
  const std::size_t size = kHeaderSize + kSsrcSize + kReportBlockSize * report.reports.count;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::receiver_report, report.reports.count, size);
  writer.u32(report.sender.value);
  write_blocks(writer, report.reports);
  return {};
}

Result<void> RtcpWriter::source_description(Ssrc ssrc, std::string_view cname) {
  if (cname.empty()) return Error::invalid_argument;
  const SdesItem item{ssrc, SdesType::cname, cname};
  return source_description({&item, 1});
}

Result<void> RtcpWriter::source_description(std::span<const SdesItem> items) {
  std::size_t chunks = 0;
  std::size_t size = kHeaderSize;
  for_each_chunk(items, [&](std::span<const SdesItem> chunk) {
    ++chunks;
    size += chunk_size(chunk);
  });
  const bool fits = std::all_of(items.begin(), items.end(), [](const SdesItem& item) {
    return item.text.size() <= kMaxTextSize && item.type != SdesType{};
  });
  if (!fits || chunks == 0 || chunks > kMaxReportBlocks || size > kMaxPacketSize) {
    return Error::invalid_argument;
  }
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::source_description, chunks, size);
  for_each_chunk(items, [&](std::span<const SdesItem> chunk) {
    const std::size_t end = writer.position() + chunk_size(chunk);
    writer.u32(chunk.front().ssrc.value);
    for (const SdesItem& item : chunk) {
      writer.u8(static_cast<std::uint8_t>(item.type));
      writer.u8(static_cast<std::uint8_t>(item.text.size()));
      writer.bytes(as_bytes(item.text));
    }
    writer.zeros(end - writer.position());
  });
  return {};
}

Result<void> RtcpWriter::bye(std::span<const Ssrc> sources, std::string_view reason) {
  if (sources.empty() || sources.size() > kMaxReportBlocks) return Error::invalid_argument;
  if (reason.size() > kMaxTextSize) return Error::invalid_argument;
  const std::size_t text = reason.empty() ? 0 : (1 + reason.size() + 3) / 4 * 4;
  const std::size_t size = kHeaderSize + kSsrcSize * sources.size() + text;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::bye, sources.size(), size);
  for (const Ssrc source : sources) writer.u32(source.value);
  if (!reason.empty()) {
    writer.u8(static_cast<std::uint8_t>(reason.size()));
    writer.bytes(as_bytes(reason));
  }
  writer.zeros(writer.remaining());
  return {};
}

Result<void> RtcpWriter::nack(Ssrc sender, Ssrc media,
                              std::span<const std::uint16_t> sequence_numbers) {
  if (sequence_numbers.empty()) return Error::invalid_argument;
  std::size_t words = 0;
  for_each_nack_word(sequence_numbers, [&](std::uint16_t, std::uint16_t) { ++words; });
  const std::size_t size = kHeaderSize + 2 * kSsrcSize + 4 * words;
  if (size > kMaxPacketSize) return Error::invalid_argument;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::transport_feedback, kNackFormat, size);
  writer.u32(sender.value);
  writer.u32(media.value);
  for_each_nack_word(sequence_numbers, [&](std::uint16_t first, std::uint16_t following) {
    writer.u16(first);
    writer.u16(following);
  });
  return {};
}

Result<void> RtcpWriter::picture_loss_indication(Ssrc sender, Ssrc media) {
  const std::size_t size = kHeaderSize + 2 * kSsrcSize;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::payload_feedback, kPliFormat, size);
  writer.u32(sender.value);
  writer.u32(media.value);
  return {};
}

Result<void> RtcpWriter::full_intra_request(Ssrc sender, std::span<const FirEntry> entries) {
  constexpr std::size_t kEntrySize = 8;
  const std::size_t size = kHeaderSize + 2 * kSsrcSize + kEntrySize * entries.size();
  if (entries.empty() || size > kMaxPacketSize) return Error::invalid_argument;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::payload_feedback, kFirFormat, size);
  writer.u32(sender.value);
  writer.u32(0);  // RFC 5104 section 4.3.1.2: the media are named below
  for (const FirEntry& entry : entries) {
    writer.u32(entry.ssrc.value);
    writer.u8(entry.command_sequence_number);
    writer.u24(0);
  }
  return {};
}

Result<void> RtcpWriter::remb(Ssrc sender, std::uint64_t bits_per_second,
                              std::span<const Ssrc> sources) {
  if (sources.size() > std::tuple_size_v<decltype(Remb::sources)>) return Error::invalid_argument;
  constexpr std::uint64_t kMaxMantissa = 0x3FFFF;
  std::uint32_t exponent = 0;
  while (bits_per_second >> exponent > kMaxMantissa) ++exponent;
  const std::size_t size = kHeaderSize + 2 * kSsrcSize + 8 + kSsrcSize * sources.size();
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, RtcpType::payload_feedback, kApplicationFormat, size);
  writer.u32(sender.value);
  writer.u32(0);
  writer.bytes(as_bytes("REMB"));
  writer.u8(static_cast<std::uint8_t>(sources.size()));
  writer.u24(exponent << 18 | static_cast<std::uint32_t>(bits_per_second >> exponent));
  for (const Ssrc source : sources) writer.u32(source.value);
  return {};
}

Result<void> RtcpWriter::feedback(RtcpType type, std::uint8_t format, Ssrc sender, Ssrc media,
                                  ByteView control_information) {
  const bool is_feedback =
      type == RtcpType::transport_feedback || type == RtcpType::payload_feedback;
  const std::size_t unpadded = kHeaderSize + 2 * kSsrcSize + control_information.size();
  const std::size_t size = (unpadded + 3) / 4 * 4;
  if (!is_feedback || format > 31 || size > kMaxPacketSize) return Error::invalid_argument;
  const MutableByteView packet = claim(size);
  if (packet.empty()) return Error::buffer_too_small;
  ByteWriter writer(packet);
  write_header(writer, type, format, size);
  writer.u32(sender.value);
  writer.u32(media.value);
  writer.bytes(control_information);
  if (size > unpadded) {
    packet[0] |= kPaddingBit;
    writer.zeros(size - unpadded - 1);
    writer.u8(static_cast<std::uint8_t>(size - unpadded));
  }
  return {};
}

Result<void> RtcpWriter::pad(std::size_t size) {
  constexpr std::size_t kMaxPadding = 252;
  if (size_ == 0 || size == 0 || size % 4 != 0 || size > kMaxPadding) {
    return Error::invalid_argument;
  }
  const MutableByteView last = buffer_.subspan(last_, size_ - last_);
  const std::size_t padded = last.size() + size;
  if ((last[0] & kPaddingBit) != 0 || padded > kMaxPacketSize) return Error::invalid_argument;
  if (buffer_.size() - size_ < size) return Error::buffer_too_small;
  ByteWriter padding(buffer_.subspan(size_, size));
  padding.zeros(size - 1);
  padding.u8(static_cast<std::uint8_t>(size));
  last[0] |= kPaddingBit;
  const std::size_t words = padded / 4 - 1;
  last[2] = static_cast<std::uint8_t>(words >> 8);
  last[3] = static_cast<std::uint8_t>(words);
  size_ += size;
  return {};
}

MutableByteView RtcpWriter::claim(std::size_t size) {
  if (buffer_.size() - size_ < size) return {};
  last_ = size_;
  size_ += size;
  return buffer_.subspan(last_, size);
}

}  // namespace sealroom::rtp
