#include <algorithm>

#include "codecs.h"

namespace sealroom::rtp {
namespace {

/// RFC 7587 section 4.2: one Opus packet is the whole payload, without a descriptor.
class OpusPacketizer final : public Packetizer {
 public:
  Result<std::size_t> write_next(MutableByteView out) override {
    if (frame_.empty()) return Error::invalid_argument;
    if (out.size() < frame_.size()) return Error::buffer_too_small;
    const std::size_t size = frame_.size();
    std::copy(frame_.begin(), frame_.end(), out.begin());
    frame_ = {};
    return size;
  }

 private:
  Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                  const FrameInfo& /*info*/) override {
    frame_ = {};
    if (frame.empty() || frame.size() > max_payload) return Error::invalid_argument;
    frame_ = frame;
    return std::size_t{1};
  }

  ByteView frame_;
};

}  // namespace

std::unique_ptr<Packetizer> create_opus_packetizer() { return std::make_unique<OpusPacketizer>(); }

Result<PayloadPart> depacketize_opus(ByteView payload) {
  if (payload.empty()) return Error::malformed;
  return PayloadPart{payload, true, true};
}

}  // namespace sealroom::rtp
