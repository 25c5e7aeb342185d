#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "number_arguments.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::bindings {

namespace py = pybind11;
using namespace py::literals;

namespace {

class PyPacketizer {
 public:
  PyPacketizer(const std::string& codec, std::int64_t first_picture_id)
      : packetizer_(rtp::Packetizer::create(codec_from_name(codec),
                                            to_u16("first_picture_id", first_picture_id))) {}

  std::vector<py::bytes> packetize(const py::buffer& frame, std::size_t max_payload,
                                   std::optional<bool> is_key_frame, std::int64_t width,
                                   std::int64_t height) {
    const ReadBuffer in(frame);
    const rtp::FrameInfo info{is_key_frame, to_u16("width", width), to_u16("height", height)};
    const std::size_t count = unwrap(packetizer_->start(in.view(), max_payload, info), kCannotCut);
    // No payload is larger than the frame with twice its descriptor, whatever `max_payload` allows.
    Bytes payload(std::min(max_payload, 2 * in.view().size() + kMaxDescriptor));
    std::vector<py::bytes> payloads;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = unwrap(packetizer_->write_next(payload));
      payloads.push_back(to_bytes(ByteView(payload).first(size)));
    }
    return payloads;
  }

 private:
  static constexpr std::size_t kMaxDescriptor = 64;
  static constexpr const char* kCannotCut =
      "frame or max_payload: a frame that is not empty and of its codec's format (h264: Annex B, "
      "av1: OBUs), and room for more than the payload descriptor (opus: for all of it)";
  std::unique_ptr<rtp::Packetizer> packetizer_;
};

struct PyPayloadPart {
  py::bytes data;
  bool starts_frame = false;
  bool is_key_frame = false;
  bool may_be_preceded = false;
};

rtp::PayloadPart read_payload(rtp::Codec codec, ByteView payload, Bytes& scratch) {
  scratch.resize(rtp::depacketize_scratch_size(codec, payload.size()));
  return unwrap(rtp::depacketize(codec, payload, scratch));
}

PyPayloadPart depacketize(const std::string& codec, const py::buffer& payload) {
  const ReadBuffer in(payload);
  Bytes scratch;
  const rtp::PayloadPart part = read_payload(codec_from_name(codec), in.view(), scratch);
  return {to_bytes(part.data), part.starts_frame, part.is_key_frame, part.may_be_preceded};
}

/// What payload descriptors say of where a frame begins and ends.
class WholeFrame {
 public:
  explicit WholeFrame(rtp::Codec codec) : codec_(codec) {}

  void add(ByteView payload, const rtp::PayloadPart& part) {
    const bool is_first = count_++ == 0;
    // A caller of H.264 may have cut off what comes before a later slice.
    const bool shows_begin = codec_ != rtp::Codec::h264;
    if (is_first && shows_begin && !part.starts_frame) refuse("the first of them begins no frame");
    if (codec_ == rtp::Codec::vp8 && !is_first && part.starts_frame) {
      refuse("they are of more than one frame");
    }
    if (codec_ == rtp::Codec::vp9) is_open_ = (payload[0] & kVp9End) == 0;
    if (codec_ == rtp::Codec::h264) add_h264(payload);
  }
  void finish() const {
    if (is_open_) refuse("the last of them does not end the frame");
  }

 private:
  static constexpr std::uint8_t kVp9End = 0x04;   // E, RFC 9628 section 4.2
  static constexpr std::uint8_t kNalType = 0x1F;  // RFC 6184 section 5.3
  static constexpr std::uint8_t kFuA = 28;
  static constexpr std::uint8_t kFuStart = 0x80;
  static constexpr std::uint8_t kFuEnd = 0x40;

  void add_h264(ByteView payload) {
    const bool is_fragment = (payload[0] & kNalType) == kFuA;
    const bool continues = is_fragment && (payload[1] & kFuStart) == 0;
    if (continues != is_open_) refuse("a fragment of a NAL unit is missing");
    is_open_ = is_fragment && (payload[1] & kFuEnd) == 0;
  }
  [[noreturn]] static void refuse(const char* what) {
    raise(Error::malformed, std::string("payloads: ") + what);
  }

  rtp::Codec codec_;
  std::size_t count_ = 0;
  bool is_open_ = false;
};

py::bytes assemble_frame(const std::string& codec, const std::vector<py::buffer>& payloads) {
  const rtp::Codec known_codec = codec_from_name(codec);
  if (payloads.empty() || (known_codec == rtp::Codec::opus && payloads.size() > 1)) {
    raise(Error::invalid_argument, "payloads: at least one; exactly one for opus");
  }
  Bytes frame;
  Bytes scratch;
  WholeFrame whole(known_codec);
  for (const py::buffer& payload : payloads) {
    const ReadBuffer in(payload);
    const rtp::PayloadPart part = read_payload(known_codec, in.view(), scratch);
    if (known_codec != rtp::Codec::opus) whole.add(in.view(), part);
    frame.insert(frame.end(), part.data.begin(), part.data.end());
  }
  whole.finish();
  unwrap(rtp::finish_frame(known_codec, frame));
  return to_bytes(frame);
}

rtp::FrameInfo read_frame_info(const std::string& codec, const py::buffer& frame) {
  const ReadBuffer in(frame);
  return rtp::read_frame_info(codec_from_name(codec), in.view());
}

}  // namespace

void bind_payload_formats(py::module_& m) {
  py::class_<PyPacketizer>(
      m, "Packetizer",
      "Cuts frames into payloads of nearly equal size.\n\n"
      "Codecs: \"vp8\" (RFC 7741), \"vp9\" (RFC 9628), \"h264\" (RFC 6184 mode 1; frames in "
      "Annex B),\n\"av1\" (AV1 RTP specification; frames are OBUs), \"opus\" (RFC 7587). For one "
      "thread.")
      .def(py::init<const std::string&, std::int64_t>(), "codec"_a, py::kw_only(),
           "first_picture_id"_a = 0)
      .def("packetize", &PyPacketizer::packetize, "frame"_a, "max_payload"_a, py::kw_only(),
           "is_key_frame"_a = py::none(), "width"_a = 0, "height"_a = 0,
           "The payloads of one frame, each at most max_payload bytes with its descriptor.\n\n"
           "is_key_frame is read from the frame where it is None: give it where VP9 or AV1\nare "
           "encrypted. width and height in pixels go into the descriptor of VP9 key frames; 0: "
           "read from the frame.\n\n"
           "Raises InvalidArgumentError for a frame that is empty, not of the codec's format or "
           "cannot\nbe cut that small.");
  py::class_<PyPayloadPart>(m, "PayloadPart",
                            "What one packet carries of a frame, by the RFC of its codec (RFC "
                            "7741, 9628, 6184, 7587; see Packetizer).")
      .def_readonly("data", &PyPayloadPart::data,
                    "A piece of the frame. Of AV1 it is not: give the payloads to assemble_frame.")
      .def_readonly(
          "starts_frame", &PyPayloadPart::starts_frame,
          "A frame can begin with it. Of H.264 and AV1 several packets of one frame can; the\n"
          "first is the one behind the end of another frame.")
      .def_readonly(
          "is_key_frame", &PyPayloadPart::is_key_frame,
          "Meaningful where starts_frame; always true for Opus. Of H.264 it is true of the "
          "payload\nthat shows it: an IDR slice, or a sequence parameter set with an I "
          "slice or a recovery\npoint. Parameter sets alone come before delta frames, too.")
      .def_readonly("may_be_preceded", &PyPayloadPart::may_be_preceded,
                    "H.264, where starts_frame: it does not show whether packets of the same frame "
                    "come\nbefore it, as parameter sets come before an IDR slice.");
  m.def("depacketize", &depacketize, "codec"_a, "payload"_a,
        "Remove the payload descriptor, by the RFC of the codec (RFC 7741, 9628, 6184, 7587; "
        "see\nPacketizer).\n\n"
        "Raises MalformedError, or UnsupportedError for a packet type outside H.264 mode 1.");
  m.def(
      "assemble_frame", &assemble_frame, "codec"_a, "payloads"_a,
      "The frame in the payloads of all its packets, in order, by the RFC of the codec (RFC 7741,\n"
      "9628, 6184, 7587; see Packetizer).\n\n"
      "H.264 comes with start codes of four bytes, AV1 with size fields and without\ntemporal "
      "delimiters. Raises MalformedError for a first payload that can begin no frame (VP8, VP9, "
      "AV1)\nand for what is missing where the payloads show it: any OBU's part in AV1, a fragment "
      "in "
      "H.264,\nthe end in VP9.");
  py::class_<rtp::FrameInfo>(m, "FrameInfo", "What the bytes of an encoded frame say of it.")
      .def_readonly("is_key_frame", &rtp::FrameInfo::is_key_frame,
                    "None where the frame does not tell.")
      .def_readonly("width", &rtp::FrameInfo::width, "Pixels; 0 where the frame does not tell.")
      .def_readonly("height", &rtp::FrameInfo::height, "As width.");
  m.def("read_frame_info", &read_frame_info, "codec"_a, "frame"_a,
        "What an encoded frame that is not encrypted says of itself.\n\n"
        "A key frame of H.264 has an IDR slice, or a sequence parameter set with an I slice or a\n"
        "recovery point; one of AV1 has a sequence header and begins with a key frame. Headers\n"
        "without any picture count as one.\n"
        "VP8 and VP9 key frames tell their size (RFC 6386 section 9.1, the VP9 bitstream\n"
        "specification section 7.2). H.264 is Annex B, AV1 is OBUs. Whatever is not found is None "
        "or 0.");
}

}  // namespace sealroom::bindings
