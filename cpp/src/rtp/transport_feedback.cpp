#include "sealroom/rtp/transport_feedback.h"

#include <algorithm>

#include "wire_values.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kFixedSize = 8;  // up to the first chunk
constexpr std::size_t kChunkSize = 2;
constexpr std::size_t kOneBitSymbols = 14;
constexpr std::size_t kTwoBitSymbols = 7;
constexpr std::size_t kMaxRun = 0x1FFF;
constexpr std::uint16_t kVectorBit = 0x8000;
constexpr std::uint16_t kTwoBitBit = 0x4000;
constexpr Duration kTick(250);
constexpr std::int64_t kTicksOfReference = 256;  // 64 ms
constexpr std::size_t kMaxFeedback = 1200;       // never larger than a datagram

enum Symbol : std::uint8_t { not_received = 0, small_delta = 1, large_delta = 2, no_delta = 3 };

std::size_t delta_size(std::uint8_t symbol) {
  return symbol == small_delta ? 1 : symbol == large_delta ? 2 : 0;
}

std::size_t symbols_in(std::uint16_t chunk) {
  if ((chunk & kVectorBit) == 0) return chunk & kMaxRun;
  return (chunk & kTwoBitBit) == 0 ? kOneBitSymbols : kTwoBitSymbols;
}

std::uint8_t symbol_in(std::uint16_t chunk, std::size_t index) {
  if ((chunk & kVectorBit) == 0) return static_cast<std::uint8_t>(chunk >> 13 & 3);
  if ((chunk & kTwoBitBit) == 0) {
    return static_cast<std::uint8_t>(chunk >> (kOneBitSymbols - 1 - index) & 1);
  }
  return static_cast<std::uint8_t>(chunk >> (2 * (kTwoBitSymbols - 1 - index)) & 3);
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

/// The next chunk for these symbols; `taken` is how many it holds, at least 7 unless it is the
/// last.
std::uint16_t make_chunk(std::span<const std::uint8_t> symbols, std::size_t& taken) {
  const auto same = static_cast<std::size_t>(
      std::find_if(symbols.begin(), symbols.end(),
                   [&](std::uint8_t symbol) { return symbol != symbols.front(); }) -
      symbols.begin());
  const auto vector = symbols.first(std::min(symbols.size(), kOneBitSymbols));
  const bool fits_one_bit = std::find(vector.begin(), vector.end(), large_delta) == vector.end();
  if (same == symbols.size() || same >= (fits_one_bit ? kOneBitSymbols : kTwoBitSymbols)) {
    taken = std::min(same, kMaxRun);
    return static_cast<std::uint16_t>(static_cast<unsigned>(symbols.front()) << 13 |
                                      static_cast<unsigned>(taken));
  }
  const std::size_t capacity = fits_one_bit ? kOneBitSymbols : kTwoBitSymbols;
  const unsigned bits = fits_one_bit ? 1 : 2;
  taken = std::min(symbols.size(), capacity);
  unsigned chunk = kVectorBit | (fits_one_bit ? 0U : kTwoBitBit);
  for (std::size_t i = 0; i < taken; ++i) {
    chunk |= static_cast<unsigned>(symbols[i]) << (bits * (capacity - 1 - i));
  }
  return static_cast<std::uint16_t>(chunk);
}

}  // namespace

Result<TransportFeedback> TransportFeedback::parse(const Feedback& feedback) {
  ByteReader reader(feedback.control_information);
  TransportFeedback result;
  result.sender = feedback.sender;
  result.media = feedback.media;
  result.base_sequence_number = reader.u16();
  result.status_count = reader.u16();
  result.reference_time = sign_extend_24(reader.u24());
  result.feedback_count = reader.u8();
  if (!reader.ok()) return Error::truncated;

  const ByteView rest = feedback.control_information.subspan(kFixedSize);
  std::size_t left = result.status_count;
  std::size_t deltas = 0;
  std::size_t chunks = 0;
  while (left > 0) {
    const std::uint16_t chunk = reader.u16();
    if (!reader.ok()) return Error::truncated;
    ++chunks;
    const std::size_t symbols = std::min(symbols_in(chunk), left);
    left -= symbols;
    if ((chunk & kVectorBit) == 0) {
      deltas += symbols * delta_size(symbol_in(chunk, 0));
    } else {
      for (std::size_t i = 0; i < symbols; ++i) deltas += delta_size(symbol_in(chunk, i));
    }
  }
  if (reader.remaining() < deltas) return Error::truncated;
  result.chunks = rest.first(kChunkSize * chunks);
  result.deltas = reader.rest();
  return result;
}

PacketStatuses::PacketStatuses(const TransportFeedback& feedback)
    : chunks_(feedback.chunks),
      deltas_(feedback.deltas),
      sequence_number_(feedback.base_sequence_number),
      left_(feedback.status_count),
      arrival_(feedback.reference_time * kTicksOfReference * kTick) {}

std::uint8_t PacketStatuses::next_symbol() {
  while (left_in_chunk_ == 0 && chunks_.remaining() > 0) {
    chunk_ = chunks_.u16();
    left_in_chunk_ = static_cast<std::uint32_t>(symbols_in(chunk_));
  }
  if (left_in_chunk_ == 0) return not_received;  // only of a feedback that parse() did not make
  return symbol_in(chunk_, symbols_in(chunk_) - left_in_chunk_--);
}

bool PacketStatuses::next(PacketStatus& status) {
  if (left_ == 0) return false;
  --left_;
  const std::uint8_t symbol = next_symbol();
  status.sequence_number = sequence_number_++;
  status.is_received = symbol != not_received;
  status.arrival.reset();
  if (symbol == small_delta || symbol == large_delta) {
    arrival_ +=
        kTick * (symbol == small_delta ? deltas_.u8() : static_cast<std::int16_t>(deltas_.u16()));
    status.arrival = arrival_;
  }
  return true;
}

void TransportFeedbackCollector::start(std::int64_t sequence) {
  std::fill(arrivals_.begin(), arrivals_.end(), kNever);
  begin_ = end_ = sequence;
  unreported_ = 0;
}

void TransportFeedbackCollector::packet_received(std::uint16_t transport_sequence_number,
                                                 TimePoint now) {
  constexpr auto kSpan = static_cast<std::int64_t>(kCapacity);
  std::int64_t sequence = 0;
  const auto verdict = line_.place(transport_sequence_number, now, sequence);
  if (verdict == SequenceLine::Verdict::stray) return;
  if (verdict == SequenceLine::Verdict::restarted) start(sequence);
  for (; end_ <= sequence; ++end_) {
    TimePoint& oldest = at(end_);
    if (begin_ + kSpan <= end_) {
      begin_ = end_ - kSpan + 1;
      if (oldest != kNever) --unreported_;
    }
    oldest = kNever;
  }
  if (at(sequence) != kNever) return;
  at(sequence) = now;
  ++unreported_;
  for (; begin_ > sequence; --begin_) {
    if (begin_ - 1 != sequence && at(begin_ - 1) != kNever) ++unreported_;
  }
}

Result<void> TransportFeedbackCollector::write(RtcpWriter& writer, Ssrc sender, Ssrc media) {
  if (unreported_ == 0) return Error::invalid_argument;
  const std::size_t room = std::min(writer.feedback_room(), kMaxFeedback);
  std::array<std::uint8_t, kCapacity> symbols;
  std::array<std::uint8_t, kMaxFeedback> deltas;
  ByteWriter delta_writer(deltas);
  std::size_t count = 0;     // of symbols that are written
  std::size_t received = 0;  // among them
  std::int64_t reference = 0;
  std::int64_t previous = 0;
  std::size_t size = kFixedSize;
  for (std::int64_t sequence = begin_; sequence < end_ && received < unreported_; ++sequence) {
    const auto index = static_cast<std::size_t>(sequence - begin_);
    symbols[index] = not_received;
    if (at(sequence) == kNever) continue;
    const std::int64_t tick = floor_divide(at(sequence).time_since_epoch().count(), kTick.count());
    if (received == 0) {
      reference = floor_divide(tick, kTicksOfReference);
      previous = reference * kTicksOfReference;
    }
    const std::int64_t delta = tick - previous;
    if (delta < INT16_MIN || delta > INT16_MAX) break;  // the next feedback has its own reference
    const bool is_small = delta >= 0 && delta <= 255;
    // Each chunk but the last holds at least 7 symbols.
    const std::size_t chunks = (index + kTwoBitSymbols) / kTwoBitSymbols * kChunkSize;
    size = kFixedSize + chunks + delta_writer.position() + (is_small ? 1U : 2U);
    if (size > room) break;
    symbols[index] = is_small ? small_delta : large_delta;
    delta_writer.number(static_cast<std::uint64_t>(delta), is_small ? 1 : 2);
    previous = tick;
    count = index + 1;
    ++received;
  }
  if (received == 0) {
    // Not even the first received packet fits behind the missing ones before it: begin there.
    if (at(begin_) != kNever || room < kFixedSize + kChunkSize + 1) return Error::buffer_too_small;
    while (at(begin_) == kNever) ++begin_;
    return write(writer, sender, media);
  }

  std::array<std::uint8_t, kMaxFeedback> buffer;
  ByteWriter content(buffer);
  content.u16(static_cast<std::uint16_t>(begin_));
  content.u16(static_cast<std::uint16_t>(count));
  content.u24(static_cast<std::uint32_t>(reference) & 0xFFFFFF);
  content.u8(feedback_count_);
  for (std::size_t at = 0, taken = 0; at < count; at += taken) {
    content.u16(make_chunk(std::span(symbols).subspan(at, count - at), taken));
  }
  content.bytes(delta_writer.written());
  const Result<void> written = writer.feedback(
      RtcpType::transport_feedback, kTransportFeedbackFormat, sender, media, content.written());
  if (!written) return written;
  ++feedback_count_;
  begin_ += static_cast<std::int64_t>(count);
  unreported_ -= received;
  return {};
}

}  // namespace sealroom::rtp
