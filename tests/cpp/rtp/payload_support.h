#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "rtp/support.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::rtp::test {

/// All payloads of a frame; expects that the packetizer then has nothing left.
inline std::vector<Bytes> packetize(Packetizer& packetizer, ByteView frame, std::size_t max_payload,
                                    const FrameInfo& info = {}) {
  std::vector<Bytes> payloads;
  const auto count = packetizer.start(frame, max_payload, info);
  EXPECT_TRUE(count.ok());
  if (!count) return payloads;
  for (std::size_t i = 0; i < count.value(); ++i) {
    Bytes out(max_payload);
    const auto size = packetizer.write_next(out);
    EXPECT_TRUE(size.ok());
    out.resize(size.value());
    payloads.push_back(out);
  }
  Bytes out(max_payload);
  EXPECT_EQ(packetizer.write_next(out).error(), Error::invalid_argument);
  return payloads;
}

struct OwnedPart {
  Bytes data;
  bool starts_frame = false;
  bool is_key_frame = false;
};

/// As depacketize, with scratch memory of exactly the size it names, and inspect's answer checked.
inline Result<OwnedPart> read_payload(Codec codec, ByteView payload) {
  const ExactCopy copy(payload);
  std::vector<std::uint8_t> scratch(depacketize_scratch_size(codec, payload.size()));
  const auto part = depacketize(codec, copy.view(), scratch);
  const auto start = inspect(codec, copy.view());
  EXPECT_EQ(start.ok(), part.ok());
  if (!part) {
    EXPECT_EQ(start.error(), part.error());
    return part.error();
  }
  EXPECT_EQ(start.value().starts_frame, part.value().starts_frame);
  EXPECT_EQ(start.value().is_key_frame, part.value().is_key_frame);
  return OwnedPart{to_bytes(part.value().data), part.value().starts_frame,
                   part.value().is_key_frame};
}

inline Result<Bytes> assemble(Codec codec, const std::vector<Bytes>& payloads) {
  Bytes frame;
  for (const Bytes& payload : payloads) {
    const auto part = read_payload(codec, payload);
    if (!part) return part.error();
    frame.insert(frame.end(), part.value().data.begin(), part.value().data.end());
  }
  const auto finished = finish_frame(codec, frame);
  if (!finished) return finished.error();
  return frame;
}

}  // namespace sealroom::rtp::test
