#pragma once

#include <pybind11/pybind11.h>

#include "sealroom/jitter/video_jitter_buffer.h"

namespace sealroom::bindings {

/// Adds the class VideoFrame (frame_object.h).
void bind_video_frame(pybind11::module_& m);

/// Takes the frame's memory over. Needs the GIL, and no lock that a finaliser could want.
pybind11::object make_video_frame(jitter::VideoFrame&& frame);

}  // namespace sealroom::bindings
