#include <algorithm>
#include <optional>
#include <vector>

#include "av1_obu.h"
#include "codecs.h"

namespace sealroom::rtp {
namespace {

using namespace av1;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kAggregationHeaderSize = 1;
constexpr std::size_t kEvenSizeTries = 16;

class Av1Packetizer final : public Packetizer {
 public:
  Result<std::size_t> write_next(MutableByteView out) override {
    if (next_.obu == obus_.size()) return Error::invalid_argument;
    const Plan plan = make_plan(next_, limit_);
    if (out.size() < plan.size) return Error::buffer_too_small;
    unsigned header = plan.counts() ? static_cast<unsigned>(plan.elements) << kCountShift : 0;
    if (next_.offset > 0) header |= kStartsWithFragment;
    if (plan.next.offset > 0) header |= kEndsWithFragment;
    if (is_first_ && starts_sequence_) header |= kNewSequence;
    ByteWriter writer(out);
    writer.u8(static_cast<std::uint8_t>(header));
    for (std::size_t i = 0; i < plan.elements; ++i) {
      const bool is_last = i + 1 == plan.elements;
      const Obu& obu = obus_[next_.obu];
      const std::size_t end = is_last && plan.next.offset > 0 ? plan.next.offset : obu.size();
      if (!is_last || !plan.counts()) write_leb128(writer, end - next_.offset);
      write_part(writer, obu, next_.offset, end);
      next_ = end == obu.size() ? Position{next_.obu + 1, 0} : Position{next_.obu, end};
    }
    is_first_ = false;
    return writer.position();
  }

 private:
  struct Position {
    std::size_t obu = 0;
    std::size_t offset = 0;  ///< of obus_[obu], as written: with header, without size field
  };
  /// One packet.
  struct Plan {
    std::size_t elements = 0;
    std::size_t size = 0;
    Position next;
    /// Up to three are counted in the header, and the last goes without length.
    [[nodiscard]] bool counts() const { return elements <= kMaxCount; }
  };

  Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                  const FrameInfo& info) override {
    obus_.clear();
    next_ = {};
    is_first_ = true;
    ObuReader reader(frame);
    Obu obu;
    bool has_sequence_header = false;
    std::size_t bytes = 0;
    while (reader.next(obu)) {
      if (is_dropped(obu.type())) continue;
      has_sequence_header |= obu.type() == kSequenceHeader;
      bytes += obu.size();
      obus_.push_back(obu);
    }
    if (!reader.ok() || obus_.empty() || max_payload <= kAggregationHeaderSize) {
      obus_.clear();
      return Error::invalid_argument;
    }
    starts_sequence_ = info.is_key_frame.value_or(has_sequence_header);

    // As few packets as greedy filling needs, then the smallest limit found that needs no more.
    const std::size_t packets = count_packets(max_payload);
    limit_ = kAggregationHeaderSize + (bytes - 1) / packets + 1;
    for (std::size_t i = 0; i < kEvenSizeTries && limit_ < max_payload; ++i, ++limit_) {
      if (count_packets(limit_) == packets) return packets;
    }
    limit_ = max_payload;
    return packets;
  }

  [[nodiscard]] std::size_t count_packets(std::size_t limit) const {
    std::size_t packets = 0;
    for (Position at; at.obu < obus_.size(); at = make_plan(at, limit).next) ++packets;
    return packets;
  }

  /// Fills a packet of at most `limit` bytes from `first` on.
  [[nodiscard]] Plan make_plan(Position first, std::size_t limit) const {
    Plan plan;
    plan.next = first;
    const std::size_t capacity = limit - kAggregationHeaderSize;
    std::size_t used = 0;  // by all elements, each with a length
    std::optional<std::uint8_t> layer;
    while (plan.next.obu < obus_.size() && used < capacity) {
      const Obu& obu = obus_[plan.next.obu];
      // Section 5 of the AV1 RTP specification: one packet, one layer.
      if (obu.has_extension()) {
        if (layer && *layer != obu.layer()) break;
        layer = obu.layer();
      }
      const std::size_t left = obu.size() - plan.next.offset;
      const bool has_length = plan.elements >= kMaxCount;
      const std::size_t room = capacity - used;
      std::size_t part = std::min(left, room);
      if (has_length && leb128_size(part) + part > room) part = room - leb128_size(room);
      // An OBU header stays in one piece unless the packets are too small for that.
      if (part < left && plan.elements > 0 && part <= header_size(obu.header)) break;
      ++plan.elements;
      plan.size = kAggregationHeaderSize + used + part + (has_length ? leb128_size(part) : 0);
      used += leb128_size(part) + part;
      if (part < left) {
        plan.next.offset += part;
        break;
      }
      plan.next = {plan.next.obu + 1, 0};
    }
    return plan;
  }

  /// The bytes from `begin` to `end` of the OBU without its size field.
  static void write_part(ByteWriter& writer, const Obu& obu, std::size_t begin, std::size_t end) {
    const std::uint8_t header[] = {static_cast<std::uint8_t>(obu.header & ~kHasSizeFlag),
                                   obu.extension};
    const std::size_t size = header_size(obu.header);
    if (begin < size) {
      writer.bytes(ByteView(header).subspan(begin, std::min(end, size) - begin));
      if (end <= size) return;
      begin = size;
    }
    writer.bytes(obu.payload.subspan(begin - size, end - begin));
  }

  std::vector<Obu> obus_;  // keeps its memory
  Position next_;
  std::size_t limit_ = 0;
  bool starts_sequence_ = false;
  bool is_first_ = false;
};

}  // namespace

std::unique_ptr<Packetizer> create_av1_packetizer() { return std::make_unique<Av1Packetizer>(); }

}  // namespace sealroom::rtp
