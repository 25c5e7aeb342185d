#include <algorithm>
#include <vector>

#include "codecs.h"
#include "h264_nal_units.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::rtp {
namespace {

using namespace h264;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kFuHeaderSize = 2;
constexpr std::size_t kStapHeaderSize = 1;
constexpr std::size_t kLengthSize = 2;
constexpr std::size_t kMaxAggregatedUnit = 0xFFFF;

/// RFC 6184 packetization mode 1: neighbours that fit go together into a STAP-A, what does not fit
/// into FU-As of equal size, everything else is a packet as it is.
class H264Packetizer final : public Packetizer {
 public:
  Result<std::size_t> write_next(MutableByteView out) override {
    if (next_ == units_.size()) return Error::invalid_argument;
    if (units_[next_].size() > max_payload_) return write_fragment(out);
    const std::size_t count = aggregate_from(next_);
    return count == 1 ? write_unit(out) : write_aggregate(out, count);
  }

 private:
  Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                  const FrameInfo& /*info*/) override {
    units_.clear();
    next_ = 0;
    written_ = 0;
    max_payload_ = max_payload;
    NalUnitReader reader(frame);
    ByteView unit;
    bool is_valid = max_payload > kFuHeaderSize;
    while (reader.next(unit)) {
      is_valid = is_valid && is_nal_unit_type(type_of(unit[0]));
      units_.push_back(unit);
    }
    if (!reader.ok() || !is_valid) {
      units_.clear();
      return Error::invalid_argument;
    }
    std::size_t packets = 0;
    for (std::size_t i = 0; i < units_.size();) {
      if (units_[i].size() > max_payload_) {
        packets += cut(units_[i++]).packets;
      } else {
        packets += 1;
        i += aggregate_from(i);
      }
    }
    return packets;
  }

  [[nodiscard]] EvenCut cut(ByteView unit) const {
    return cut_evenly(unit.size() - 1, max_payload_ - kFuHeaderSize);
  }

  /// How many NAL units from `first` on share a packet; 1 if it is on its own.
  [[nodiscard]] std::size_t aggregate_from(std::size_t first) const {
    std::size_t size = kStapHeaderSize;
    std::size_t count = 0;
    while (first + count < units_.size()) {
      const std::size_t unit = units_[first + count].size();
      if (unit > kMaxAggregatedUnit || size + kLengthSize + unit > max_payload_) break;
      size += kLengthSize + unit;
      ++count;
    }
    return std::max(count, std::size_t{1});
  }

  Result<std::size_t> write_fragment(MutableByteView out) {
    const ByteView unit = units_[next_];
    const ByteView rest = unit.subspan(1 + written_);
    const std::size_t part = std::min(cut(unit).part_size, rest.size());
    if (out.size() < kFuHeaderSize + part) return Error::buffer_too_small;
    unsigned fu_header = type_of(unit[0]);
    if (written_ == 0) fu_header |= kFuStart;
    if (part == rest.size()) fu_header |= kFuEnd;
    ByteWriter writer(out);
    writer.u8(static_cast<std::uint8_t>((unit[0] & (kForbiddenBit | kImportanceMask)) | kFuA));
    writer.u8(static_cast<std::uint8_t>(fu_header));
    writer.bytes(rest.first(part));
    written_ += part;
    if (part == rest.size()) {
      ++next_;
      written_ = 0;
    }
    return writer.position();
  }

  Result<std::size_t> write_unit(MutableByteView out) {
    const ByteView unit = units_[next_];
    if (out.size() < unit.size()) return Error::buffer_too_small;
    std::copy(unit.begin(), unit.end(), out.begin());
    ++next_;
    return unit.size();
  }

  Result<std::size_t> write_aggregate(MutableByteView out, std::size_t count) {
    // RFC 6184 section 5.7: F is 1 if any has it, NRI is the highest of all.
    unsigned forbidden = 0;
    unsigned importance = 0;
    ByteWriter writer(out);
    writer.u8(0);
    for (std::size_t i = 0; i < count; ++i) {
      const ByteView unit = units_[next_ + i];
      forbidden |= unit[0] & kForbiddenBit;
      importance = std::max<unsigned>(importance, unit[0] & kImportanceMask);
      writer.u16(static_cast<std::uint16_t>(unit.size()));
      writer.bytes(unit);
    }
    if (!writer.ok()) return Error::buffer_too_small;
    out[0] = static_cast<std::uint8_t>(forbidden | importance | kStapA);
    next_ += count;
    return writer.position();
  }

  std::vector<ByteView> units_;  // keeps its memory
  std::size_t next_ = 0;
  std::size_t written_ = 0;  // of units_[next_], without its header
  std::size_t max_payload_ = 0;
};

}  // namespace

std::unique_ptr<Packetizer> create_h264_packetizer() { return std::make_unique<H264Packetizer>(); }

}  // namespace sealroom::rtp
