#include "sealroom/sframe/media_frame.h"

#include "av1_frame.h"
#include "h264_frame.h"
#include "vp8_frame.h"

namespace sealroom::sframe {
namespace {

namespace opaque {

std::size_t max_protected_size(std::size_t frame_size) { return frame_size + kMaxOverhead; }

Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out) {
  return sender.protect({}, frame, out);
}

Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out) {
  return receiver.unprotect({}, frame, out);
}

}  // namespace opaque

struct Rule {
  std::size_t (*max_protected_size)(std::size_t frame_size);
  Result<std::size_t> (*protect)(Sender& sender, ByteView frame, MutableByteView out);
  Result<std::size_t> (*unprotect)(Receiver& receiver, ByteView frame, MutableByteView out);
};

const Rule& rule(FrameFormat format) {
  static constexpr Rule kOpaque{opaque::max_protected_size, opaque::protect, opaque::unprotect};
  static constexpr Rule kVp8{vp8::max_protected_size, vp8::protect, vp8::unprotect};
  static constexpr Rule kH264{h264::max_protected_size, h264::protect, h264::unprotect};
  static constexpr Rule kAv1{av1::max_protected_size, av1::protect, av1::unprotect};
  switch (format) {
    case FrameFormat::opaque:
      break;
    case FrameFormat::vp8:
      return kVp8;
    case FrameFormat::h264:
      return kH264;
    case FrameFormat::av1:
      return kAv1;
  }
  return kOpaque;
}

}  // namespace

std::size_t clear_prefix_size(FrameFormat format, ByteView frame) {
  return format == FrameFormat::vp8 ? vp8::clear_prefix_size(frame) : 0;
}

std::size_t max_protected_size(FrameFormat format, std::size_t frame_size) {
  return rule(format).max_protected_size(frame_size);
}

Result<std::size_t> protect_frame(Sender& sender, FrameFormat format, ByteView frame,
                                  MutableByteView out) {
  if (frame.empty()) return Error::invalid_argument;
  return rule(format).protect(sender, frame, out);
}

Result<std::size_t> unprotect_frame(Receiver& receiver, FrameFormat format,
                                    ByteView protected_frame, MutableByteView out) {
  return rule(format).unprotect(receiver, protected_frame, out);
}

}  // namespace sealroom::sframe
