#include <cstring>
#include <optional>

#include "av1_obu.h"
#include "codecs.h"

namespace sealroom::rtp {
namespace {

using namespace av1;  // NOLINT(google-build-using-namespace)

// A part is the payload behind its length, for finish_frame to know where it ends.
constexpr std::size_t kPartHeaderSize = 3;
constexpr std::size_t kMaxPayloadSize = 0xFFFFFF;
// Beyond it a size field would not fit where lengths were.
constexpr std::size_t kMaxJoinedSize = std::size_t{1} << 28;

/// Walks the OBU elements of all parts of a frame.
class JoinedReader {
 public:
  explicit JoinedReader(ByteView joined) : parts_(joined) {}

  bool next(Element& element) {
    while (ok_ && !part_.next(element)) {
      ok_ = !part_.error();
      if (!ok_ || parts_.remaining() == 0) return false;
      part_ = ElementReader(parts_.bytes(parts_.u24()));
      ok_ = parts_.ok();
    }
    return ok_;
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteReader parts_;
  ElementReader part_;
  bool ok_ = true;
};

/// The first element of an OBU is read; measures all of it. False if its rest is not there. It may
/// begin behind that element, which is empty then; and be nothing at all, of size 0.
bool measure(JoinedReader reader, const Element& first, std::uint8_t& header, std::size_t& size) {
  if (first.continues_last) return false;
  size = 0;
  for (Element element = first;;) {
    if (size == 0 && !element.data.empty()) header = element.data[0];
    size += element.data.size();
    if (!element.goes_on) return true;
    if (!reader.next(element) || !element.continues_last) return false;
  }
}

/// Writes OBUs over the parts they are read from. A size field of at most 4 bytes is written for
/// each OBU, and stands in for the 4 bytes of part and aggregation header (the one OBU of a packet
/// that has no length or goes on) or for a length that was not shorter. So it never overtakes what
/// is still to be read.
class ObuRewriter {
 public:
  explicit ObuRewriter(MutableByteView buffer) : buffer_(buffer) {}

  void start(std::uint8_t header, std::size_t size) {
    header_left_ = header_size(header);
    payload_size_ = size - header_left_;
    adds_size_ = (header & kHasSizeFlag) == 0;
    begin_ = position_;
  }

  void add(ByteView data) {
    if (header_left_ > 0 && adds_size_) {
      const std::size_t header = std::min(header_left_, data.size());
      move(data.first(header));
      data = data.subspan(header);
      header_left_ -= header;
      if (header_left_ == 0) {
        buffer_[begin_] |= kHasSizeFlag;
        ByteWriter writer(buffer_.subspan(position_));
        write_leb128(writer, payload_size_);
        position_ += writer.position();
      }
    }
    move(data);
  }

  /// False if the size field that the OBU came with is wrong.
  [[nodiscard]] bool finish() const {
    if (adds_size_) return true;
    ByteReader reader(buffer_.subspan(begin_, position_ - begin_));
    reader.skip(header_size(buffer_[begin_]));
    const std::size_t size = read_leb128(reader);
    return reader.ok() && size == reader.remaining();
  }

  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  void move(ByteView data) {
    if (!data.empty()) std::memmove(buffer_.data() + position_, data.data(), data.size());
    position_ += data.size();
  }

  MutableByteView buffer_;
  std::size_t position_ = 0;
  std::size_t begin_ = 0;
  std::size_t header_left_ = 0;
  std::size_t payload_size_ = 0;
  bool adds_size_ = false;
};

}  // namespace

std::size_t av1_scratch_size(std::size_t payload_size) { return payload_size + kPartHeaderSize; }

Result<PayloadStart> inspect_av1(ByteView payload) {
  ElementReader reader(payload);
  Element element;
  while (reader.next(element)) {
  }
  if (reader.is_truncated()) return Error::truncated;
  if (reader.error()) return Error::malformed;
  const bool starts_frame = !reader.starts_with_fragment();
  return PayloadStart{starts_frame, starts_frame && reader.starts_sequence()};
}

Result<PayloadPart> depacketize_av1(ByteView payload, MutableByteView scratch) {
  const auto start = inspect_av1(payload);
  if (!start) return start.error();
  if (payload.size() > kMaxPayloadSize) return Error::unsupported;
  ByteWriter writer(scratch);
  writer.u24(static_cast<std::uint32_t>(payload.size()));
  writer.bytes(payload);
  if (!writer.ok()) return Error::buffer_too_small;
  return PayloadPart{writer.written(), start.value().starts_frame, start.value().is_key_frame};
}

Result<void> finish_av1(Bytes& frame) {
  if (frame.size() >= kMaxJoinedSize) return Error::malformed;
  JoinedReader reader(frame);
  ObuRewriter writer(frame);
  Element element;
  while (reader.next(element)) {
    std::uint8_t header = 0;
    std::size_t size = 0;
    if (!measure(reader, element, header, size)) return Error::malformed;
    if ((header & kForbiddenBit) != 0) return Error::malformed;
    if (size > 0 && size < header_size(header)) return Error::malformed;
    const bool is_kept = size > 0 && !is_dropped(type_of(header));
    if (is_kept) {
      writer.start(header, size);
      writer.add(element.data);
    }
    while (element.goes_on) {
      if (!reader.next(element)) return Error::malformed;
      if (is_kept) writer.add(element.data);
    }
    if (is_kept && !writer.finish()) return Error::malformed;
  }
  if (!reader.ok() || writer.position() == 0) return Error::malformed;
  frame.resize(writer.position());
  trim(frame);  // most of it may have been OBUs that are not kept
  return {};
}

FrameInfo read_av1_info(ByteView frame) {
  FrameInfo info;
  ObuReader reader(frame);
  Obu obu;
  std::optional<ByteView> sequence_header;
  std::optional<bool> starts_with_key_frame;
  while (!starts_with_key_frame && reader.next(obu)) {
    if (obu.type() == kSequenceHeader) sequence_header = obu.payload;
    if (obu.type() == kFrame || obu.type() == kFrameHeader) {
      starts_with_key_frame = sequence_header && av1::is_key_frame(*sequence_header, obu.payload);
    }
  }
  if (reader.ok()) {
    info.is_key_frame = starts_with_key_frame.value_or(sequence_header.has_value());
  }
  return info;
}

}  // namespace sealroom::rtp
