#pragma once

#include <pybind11/pybind11.h>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"

namespace sealroom::bindings {

/// What an AudioFrame tells besides its bytes.
struct AudioFrameFields {
  TimePoint arrival{};
  RtpTimestamp timestamp{};
  std::uint16_t sequence_number = 0;
  bool is_missing = false;
};

/// Adds the class AudioFrame (frame_object.h): one allocation from the small object pool holds the
/// fields and a copy of the payload. Audio is 50 objects per second and track.
void bind_audio_frame(pybind11::module_& m);

/// Needs the GIL, and no lock that a finaliser could want.
pybind11::object make_audio_frame(const AudioFrameFields& fields, ByteView payload);

}  // namespace sealroom::bindings
