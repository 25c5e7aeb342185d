#include "sealroom/rtp/rtcp.h"

#include <algorithm>

#include "sealroom/base/byte_reader.h"
#include "wire_values.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kRtcpHeaderSize = 4;
constexpr std::uint8_t kCnameItem = 1;
constexpr std::uint32_t kRembIdentifier = 0x52454D42;  // "REMB"

// The count is a 5-bit field, so it never passes kMaxReportBlocks. What follows the blocks is a
// profile's extension (RFC 3550 section 6.4.3).
Result<ReportBlocks> read_blocks(ByteReader& reader, std::uint8_t count) {
  ReportBlocks reports;
  if (count > kMaxReportBlocks) return Error::malformed;
  for (; reports.count < count; ++reports.count) {
    ReportBlock& block = reports.blocks[reports.count];
    block.ssrc = Ssrc{reader.u32()};
    block.fraction_lost = reader.u8();
    block.cumulative_lost = sign_extend_24(reader.u24());
    block.extended_highest_sequence = reader.u32();
    block.jitter = reader.u32();
    block.last_sender_report = reader.u32();
    block.delay_since_last_sender_report = reader.u32();
  }
  if (!reader.ok()) return Error::truncated;
  return reports;
}

bool append(NackList& list, std::uint16_t sequence_number) {
  if (list.count == list.sequence_numbers.size()) return false;
  list.sequence_numbers[list.count++] = sequence_number;
  return true;
}

}  // namespace

bool RtcpReader::next(RtcpPacketView& packet) {
  if (!ok_ || rest_.empty()) return false;
  ByteReader reader(rest_);
  const std::uint8_t first = reader.u8();
  const std::uint8_t type = reader.u8();
  ByteView body = reader.bytes(std::size_t{4} * reader.u16());
  ok_ = reader.ok() && rest_.size() >= kRtcpHeaderSize && first >> 6 == 2;
  // RFC 3550 section 6.4.1 wants padding on the last packet of a compound only and in fours, but
  // libwebrtc pads transport feedback by 1..3 bytes wherever it stands.
  if (ok_ && (first & 0x20) != 0) {
    const std::size_t padding = body.empty() ? 0 : body.back();
    ok_ = padding != 0 && padding <= body.size();
    if (ok_) body = body.first(body.size() - padding);
  }
  if (!ok_) return false;
  packet = {static_cast<RtcpType>(type), static_cast<std::uint8_t>(first & 0x1F), body};
  rest_ = reader.rest();
  return true;
}

Result<void> check_compound(ByteView compound) {
  constexpr std::uint8_t kPaddingBit = 0x20;
  RtcpReader reader(compound);
  RtcpPacketView packet;
  if (!reader.next(packet) || (compound[0] & kPaddingBit) != 0) return Error::malformed;
  if (packet.type != RtcpType::sender_report && packet.type != RtcpType::receiver_report) {
    return Error::malformed;
  }
  while (reader.next(packet)) continue;
  if (!reader.ok()) return Error::malformed;
  return {};
}

Result<SenderReport> SenderReport::parse(const RtcpPacketView& packet) {
  if (packet.type != RtcpType::sender_report) return Error::invalid_argument;
  ByteReader reader(packet.body);
  SenderReport report;
  report.sender = Ssrc{reader.u32()};
  report.ntp_time = NtpTime{reader.u64()};
  report.rtp_timestamp = RtpTimestamp{reader.u32()};
  report.packet_count = reader.u32();
  report.octet_count = reader.u32();
  const Result<ReportBlocks> blocks = read_blocks(reader, packet.count_or_format);
  if (!blocks.ok()) return blocks.error();
  report.reports = blocks.value();
  return report;
}

Result<ReceiverReport> ReceiverReport::parse(const RtcpPacketView& packet) {
  if (packet.type != RtcpType::receiver_report) return Error::invalid_argument;
  ByteReader reader(packet.body);
  ReceiverReport report;
  report.sender = Ssrc{reader.u32()};
  const Result<ReportBlocks> blocks = read_blocks(reader, packet.count_or_format);
  if (!blocks.ok()) return blocks.error();
  report.reports = blocks.value();
  return report;
}

Result<SourceDescription> SourceDescription::parse(const RtcpPacketView& packet) {
  if (packet.type != RtcpType::source_description) return Error::invalid_argument;
  SourceDescription description;
  if (packet.count_or_format == 0) return description;  // valid but useless (RFC 3550 section 6.5)
  ByteReader reader(packet.body);
  description.ssrc = Ssrc{reader.u32()};
  while (reader.ok()) {
    const std::uint8_t item = reader.u8();
    if (item == 0) break;  // also what a failed read gives
    const ByteView text = reader.bytes(reader.u8());
    if (item == kCnameItem && description.cname.empty()) {
      description.cname = as_text(text);
    }
  }
  if (!reader.ok()) return Error::truncated;
  return description;
}

SdesReader::SdesReader(const RtcpPacketView& packet) : reader_(packet.body) {
  if (packet.type == RtcpType::source_description) chunks_ = packet.count_or_format;
}

bool SdesReader::next(SdesItem& item) {
  while (reader_.ok()) {
    if (!in_chunk_) {
      if (chunks_ == 0) return false;
      --chunks_;
      ssrc_ = Ssrc{reader_.u32()};
      in_chunk_ = reader_.ok();
      continue;
    }
    const std::uint8_t type = reader_.u8();
    if (type == 0) {  // also what a failed read gives
      in_chunk_ = false;
      if (reader_.position() % 4 != 0) reader_.skip(4 - reader_.position() % 4);
      continue;
    }
    const ByteView text = reader_.bytes(reader_.u8());
    if (!reader_.ok()) return false;
    item = {ssrc_, static_cast<SdesType>(type), as_text(text)};
    return true;
  }
  return false;
}

Result<Bye> Bye::parse(const RtcpPacketView& packet) {
  if (packet.type != RtcpType::bye) return Error::invalid_argument;
  if (packet.count_or_format > kMaxReportBlocks) return Error::malformed;
  ByteReader reader(packet.body);
  Bye bye;
  while (bye.count < packet.count_or_format) bye.sources[bye.count++] = Ssrc{reader.u32()};
  if (reader.ok() && reader.remaining() > 0) bye.reason = as_text(reader.bytes(reader.u8()));
  if (!reader.ok()) return Error::truncated;
  return bye;
}

Result<Feedback> Feedback::parse(const RtcpPacketView& packet) {
  if (packet.type != RtcpType::transport_feedback && packet.type != RtcpType::payload_feedback) {
    return Error::invalid_argument;
  }
  ByteReader reader(packet.body);
  Feedback feedback;
  feedback.sender = Ssrc{reader.u32()};
  feedback.media = Ssrc{reader.u32()};
  feedback.control_information = reader.rest();
  if (!reader.ok()) return Error::truncated;
  return feedback;
}

Result<NackList> parse_nack(const Feedback& feedback) {
  const ByteView words = feedback.control_information;
  if (words.empty() || words.size() % 4 != 0) return Error::malformed;
  ByteReader reader(words);
  NackList list;
  while (reader.remaining() > 0) {
    const std::uint16_t first = reader.u16();
    const std::uint16_t following = reader.u16();
    if (!append(list, first)) return list;
    for (unsigned bit = 0; bit < 16; ++bit) {
      if ((following >> bit & 1) == 0) continue;
      if (!append(list, static_cast<std::uint16_t>(first + bit + 1))) return list;
    }
  }
  return list;
}

Result<FirList> parse_fir(const Feedback& feedback) {
  constexpr std::size_t kEntrySize = 8;
  const ByteView entries = feedback.control_information;
  if (entries.empty() || entries.size() % kEntrySize != 0) return Error::malformed;
  ByteReader reader(entries);
  FirList list;
  const std::size_t count = std::min(entries.size() / kEntrySize, list.entries.size());
  while (list.count < count) {
    FirEntry& entry = list.entries[list.count++];
    entry.ssrc = Ssrc{reader.u32()};
    entry.command_sequence_number = reader.u8();
    reader.skip(3);  // reserved
  }
  return list;
}

Result<Remb> parse_remb(const Feedback& feedback) {
  ByteReader reader(feedback.control_information);
  const std::uint32_t identifier = reader.u32();
  if (!reader.ok() || identifier != kRembIdentifier) return Error::unsupported;
  Remb remb;
  const std::size_t count = reader.u8();
  const std::uint32_t rate = reader.u24();
  const std::uint32_t exponent = rate >> 18;
  const std::uint64_t mantissa = rate & 0x3FFFF;
  remb.bits_per_second = mantissa << exponent;
  if (remb.bits_per_second >> exponent != mantissa) return Error::malformed;  // above 64 bits
  while (remb.count < count) remb.sources[remb.count++] = Ssrc{reader.u32()};
  if (!reader.ok()) return Error::truncated;
  return remb;
}

}  // namespace sealroom::rtp
