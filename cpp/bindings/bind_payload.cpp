#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::bindings {

namespace py = pybind11;
using namespace py::literals;

namespace {

class PyPacketizer {
 public:
  PyPacketizer(const std::string& codec, std::uint16_t first_picture_id)
      : packetizer_(rtp::Packetizer::create(codec_from_name(codec), first_picture_id)) {}

  std::vector<py::bytes> packetize(const py::buffer& frame, std::size_t max_payload) {
    const ReadBuffer in(frame);
    const std::size_t count = unwrap(packetizer_->start(in.view(), max_payload));
    // No payload is larger than the frame and its descriptor, whatever `max_payload` allows.
    Bytes payload(std::min(max_payload, in.view().size() + kMaxDescriptor));
    std::vector<py::bytes> payloads;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = unwrap(packetizer_->write_next(payload));
      payloads.push_back(to_bytes(ByteView(payload).first(size)));
    }
    return payloads;
  }

 private:
  static constexpr std::size_t kMaxDescriptor = 64;
  std::unique_ptr<rtp::Packetizer> packetizer_;
};

struct PyPayloadPart {
  py::bytes data;
  bool starts_frame = false;
  bool is_key_frame = false;
};

PyPayloadPart depacketize(const std::string& codec, const py::buffer& payload) {
  const ReadBuffer in(payload);
  const rtp::PayloadPart part = unwrap(rtp::depacketize(codec_from_name(codec), in.view()));
  return {to_bytes(part.data), part.starts_frame, part.is_key_frame};
}

}  // namespace

void bind_payload_formats(py::module_& m) {
  py::class_<PyPacketizer>(m, "Packetizer",
                           "Cuts frames into payloads, all equal in size but the last.\n\n"
                           "Codecs: \"vp8\" (RFC 7741), \"opus\" (RFC 7587). For one thread.")
      .def(py::init<const std::string&, std::uint16_t>(), "codec"_a, py::kw_only(),
           "first_picture_id"_a = 0)
      .def("packetize", &PyPacketizer::packetize, "frame"_a, "max_payload"_a,
           "The payloads of one frame, each at most max_payload bytes with its descriptor.\n\n"
           "Raises InvalidArgumentError for an empty frame or one that cannot be cut that small.");
  py::class_<PyPayloadPart>(m, "PayloadPart", "What one packet carries of a frame.")
      .def_readonly("data", &PyPayloadPart::data)
      .def_readonly("starts_frame", &PyPayloadPart::starts_frame)
      .def_readonly("is_key_frame", &PyPayloadPart::is_key_frame,
                    "Meaningful where starts_frame; always true for Opus.");
  m.def("depacketize", &depacketize, "codec"_a, "payload"_a,
        "Remove the payload descriptor.\n\nRaises MalformedError.");
}

}  // namespace sealroom::bindings
