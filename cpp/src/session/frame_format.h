#pragma once

#include "sealroom/rtp/payload_format.h"
#include "sealroom/sframe/media_frame.h"

namespace sealroom::session {

/// Which bytes of a codec's frames stay readable.
inline sframe::FrameFormat frame_format(rtp::Codec codec) {
  switch (codec) {
    case rtp::Codec::vp8:
      return sframe::FrameFormat::vp8;
    case rtp::Codec::h264:
      return sframe::FrameFormat::h264;
    case rtp::Codec::av1:
      return sframe::FrameFormat::av1;
    case rtp::Codec::opus:
    case rtp::Codec::vp9:
      break;
  }
  return sframe::FrameFormat::opaque;
}

}  // namespace sealroom::session
