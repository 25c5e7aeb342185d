#include <pybind11/pybind11.h>

#include <string>

#include "arguments.h"
#include "sealroom/sframe/media_frame.h"
#include "sframe_objects.h"

namespace sealroom::bindings {

using namespace py::literals;

namespace {

constexpr const char* kEmptyFrame = "frame: at least 1 byte";
constexpr const char* kFrameIsTooLarge = "frame: at most 2**31 - 1 bytes";

sframe::FrameFormat frame_format(const std::string& name) {
  using sframe::FrameFormat;
  if (name == "opus" || name == "vp9") return FrameFormat::opaque;
  if (name == "vp8") return FrameFormat::vp8;
  if (name == "h264") return FrameFormat::h264;
  if (name == "av1") return FrameFormat::av1;
  raise(Error::unsupported, "format: " + shown(name) + " is not one of: opus, vp8, vp9, h264, av1");
}

py::bytes protect_frame(PySender& sender, const std::string& format_name, const py::buffer& frame) {
  const sframe::FrameFormat format = frame_format(format_name);
  const ReadBuffer in(frame);
  MutableByteView out;
  py::bytes result = make_bytes(sframe::max_protected_size(format, in.view().size()), out);
  const Result<std::size_t> size = sender.run(in.view().size(), [&](sframe::Sender& native) {
    return sframe::protect_frame(native, format, in.view(), out);
  });
  return shrink(std::move(result),
                unwrap(size, in.view().empty() ? kEmptyFrame : kFrameIsTooLarge));
}

py::bytes unprotect_frame(PyReceiver& receiver, const std::string& format_name,
                          const py::buffer& frame) {
  const sframe::FrameFormat format = frame_format(format_name);
  const ReadBuffer in(frame);
  MutableByteView out;
  py::bytes result = make_bytes(in.view().size(), out);
  KeyId unknown{};
  const Result<std::size_t> size = receiver.run(in.view().size(), [&](sframe::Receiver& native) {
    const auto opened = sframe::unprotect_frame(native, format, in.view(), out);
    unknown = native.unknown_key_id();
    return opened;
  });
  if (!size && size.error() == Error::unknown_key_id) raise(FrameRefusal::key_not_found(unknown));
  return shrink(std::move(result), unwrap(size, kFrameIsTooLarge));
}

}  // namespace

void bind_media_frame(py::module_& parent) {
  py::module_ m = parent.attr("sframe");
  m.def(
      "protect_frame", &protect_frame, "sender"_a, "format"_a, "frame"_a,
      "Encrypts a whole encoded frame by SFrame (RFC 9605) and leaves readable, authenticated, "
      "what packetizers,\n"
      "SFUs and receivers of its codec look for (docs/wire.md). `format` is \"opus\", \"vp8\",\n"
      "\"vp9\", \"h264\" (a byte stream with start codes, Annex B) or \"av1\" (a temporal unit\n"
      "of OBUs). An H.264 frame of an MP4 file, with lengths in place of start codes, is sealed\n"
      "whole, and nobody on the way sees a key frame in it: run the bitstream filter\n"
      "h264_mp4toannexb first. Any frame of at least 1 byte comes back from unprotect_frame byte\n"
      "for byte. Raises InvalidArgumentError for an empty frame, UnsupportedError for another\n"
      "format, and for bytes that are no valid VP8 frame where the SFrame header would make them\n"
      "look like a key frame, KeyExhaustedError at the counter limit.");
  m.def("unprotect_frame", &unprotect_frame, "receiver"_a, "format"_a, "frame"_a,
        "The encoded frame that protect_frame was given (RFC 9605 section 4.4.4). Errors as of "
        "Receiver.unprotect; what\n"
        "has not the form that protect_frame gives is a MalformedError. After any of them the "
        "frames\n"
        "that follow need this one: call VideoJitterBuffer.require_key_frame().");
}

}  // namespace sealroom::bindings
