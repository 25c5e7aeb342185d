#pragma once

#include <array>
#include <cstdlib>
#include <vector>

#include "sealroom/rtp/payload_format.h"

namespace sealroom::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// A payload whose bytes are a stranger's: what holds for any.
inline void read_payload(rtp::Codec codec, ByteView payload) {
  Bytes scratch(rtp::depacketize_scratch_size(codec, payload.size()));
  const auto part = rtp::depacketize(codec, payload, scratch);
  const auto start = rtp::inspect(codec, payload);
  require(part.ok() == start.ok());
  if (!part.ok()) {
    require(part.error() == start.error() && part.error() != Error::buffer_too_small);
    return;
  }
  require(!part.value().data.empty() || codec == rtp::Codec::h264);  // an empty FU-A is allowed
  require(part.value().starts_frame == start.value().starts_frame);
  require(part.value().is_key_frame == start.value().is_key_frame);
  require(part.value().may_be_preceded == start.value().may_be_preceded);
  require(part.value().starts_frame || !part.value().is_key_frame);
  require(part.value().starts_frame || !part.value().may_be_preceded);
  const rtp::KeyFrameSigns& signs = part.value().signs;
  require(signs.has_parameters == start.value().signs.has_parameters);
  require(signs.can_begin == start.value().signs.can_begin);
  require(signs.has_slice == start.value().signs.has_slice);
  require(part.value().starts_frame || (!signs.has_parameters && !signs.can_begin));
}

/// Cuts a frame and joins it; false if it is not one of this codec's format. What comes out is
/// canonical: once more through packets it does not change.
inline bool cut_and_join(rtp::Codec codec, rtp::Packetizer& packetizer, ByteView frame,
                         std::size_t max_payload, Bytes& joined) {
  const auto count = packetizer.start(frame, max_payload);
  if (!count.ok()) return false;
  joined.clear();
  Bytes payload(max_payload);
  Bytes scratch(rtp::depacketize_scratch_size(codec, max_payload));
  for (std::size_t i = 0; i < count.value(); ++i) {
    const auto written = packetizer.write_next(payload);
    require(written.ok() && written.value() <= max_payload);
    const auto part = rtp::depacketize(codec, ByteView(payload).first(written.value()), scratch);
    require(part.ok());
    joined.insert(joined.end(), part.value().data.begin(), part.value().data.end());
  }
  require(!packetizer.write_next(payload).ok());
  require(rtp::finish_frame(codec, joined).ok());
  return true;
}

inline void cut_and_join_twice(rtp::Codec codec, rtp::Packetizer& packetizer, ByteView frame,
                               std::size_t max_payload) {
  Bytes once;
  Bytes twice;
  if (!cut_and_join(codec, packetizer, frame, max_payload, once)) return;
  require(cut_and_join(codec, packetizer, once, max_payload + 7, twice));
  require(once == twice);
}

}  // namespace sealroom::fuzz
