#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "header_extensions.h"
#include "number_arguments.h"
#include "sealroom/rtp/dependency_descriptor.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/rtx.h"

namespace sealroom::bindings {

void bind_repair(pybind11::module_& m);

namespace {

namespace py = pybind11;
using namespace py::literals;

py::bytes wrap_rtx(const py::buffer& packet, std::int64_t ssrc, int type,
                   std::int64_t sequence_number,
                   const std::optional<PyHeaderExtensions>& extensions,
                   const ExtensionIds& extension_ids) {
  const ReadBuffer in(packet);
  const rtp::StreamAddress rtx{to_ssrc("ssrc", ssrc), PayloadType{payload_type(type)}};
  const std::uint16_t number = to_u16("sequence_number", sequence_number);
  const rtp::ExtensionMap map = extension_map(extension_ids);
  const rtp::RtpPacketView original = unwrap(rtp::RtpPacketView::parse(in.view()));
  Bytes out(in.view().size() + rtp::kRtxOverhead);
  if (!extensions) {
    if (!extension_ids.empty()) {
      raise(Error::invalid_argument, "extension_ids: only with extensions");
    }
    out.resize(unwrap(rtp::wrap_rtx(original, rtx, number, out)));
    return to_bytes(out);
  }
  const rtp::HeaderExtensions values = extensions->view();
  out.resize(out.size() + rtp::header_size(values, map));
  out.resize(unwrap(rtp::wrap_rtx(original, rtx, number, values, map, out)));
  return to_bytes(out);
}

py::bytes unwrap_rtx(const py::buffer& packet, std::int64_t ssrc, int type) {
  const ReadBuffer in(packet);
  const rtp::StreamAddress media{to_ssrc("ssrc", ssrc), PayloadType{payload_type(type)}};
  const rtp::RtpPacketView wrapped = unwrap(rtp::RtpPacketView::parse(in.view()));
  Bytes out(in.view().size());
  const std::size_t size = unwrap(rtp::unwrap_rtx(wrapped, media, out));
  return to_bytes(ByteView(out).first(size));
}

std::vector<std::tuple<int, int, py::bytes>> parse_red(const py::buffer& payload) {
  const ReadBuffer in(payload);
  const rtp::RedBlocks red = unwrap(rtp::parse_red(in.view()));
  std::vector<std::tuple<int, int, py::bytes>> blocks;
  for (std::size_t i = 0; i < red.count; ++i) {
    const rtp::RedBlock& block = red.blocks[i];
    blocks.emplace_back(block.payload_type.value, block.timestamp_offset, to_bytes(block.payload));
  }
  return blocks;
}

class PyRedEncoder {
 public:
  PyRedEncoder(int type, std::int64_t distance)
      : encoder_(PayloadType{payload_type(type)}, checked(distance)) {}

  py::bytes encode(const py::buffer& payload, std::int64_t timestamp, std::size_t max_payload) {
    const ReadBuffer in(payload);
    const RtpTimestamp time{to_u32("timestamp", timestamp)};
    constexpr std::size_t kMost =
        rtp::RedEncoder::kMaxDistance * (4 + rtp::kMaxRedBlockSize) + 1;  // besides the primary
    Bytes out(std::min(max_payload, in.view().size() + kMost));
    const auto size = encoder_.encode(in.view(), time, out);
    if (!size && size.error() == Error::buffer_too_small) {
      raise(Error::invalid_argument, "max_payload: at least 1 byte more than the payload");
    }
    return to_bytes(ByteView(out).first(unwrap(size)));
  }

 private:
  static std::size_t checked(std::int64_t distance) {
    return static_cast<std::size_t>(
        in_range("distance", distance, 1, rtp::RedEncoder::kMaxDistance));
  }
  rtp::RedEncoder encoder_;
};

/// A descriptor and how much of its tables its structure uses.
struct PyDependencyDescriptor {
  rtp::DependencyDescriptor value;
  std::size_t decode_targets = 0;
  std::size_t chains = 0;
  std::vector<int> protected_by;
};

class PyDependencyDescriptorReader {
 public:
  PyDependencyDescriptor read(const py::buffer& extension) {
    const ReadBuffer in(extension);
    const auto read = reader_->read(in.view());
    if (!read && read.error() == Error::not_ready) {
      raise(Error::not_ready, "the structure of this frame has not been read: ask for a key frame");
    }
    PyDependencyDescriptor result{unwrap(read), 0, 0, {}};
    const rtp::DependencyStructure& structure = *reader_->last_used();
    result.decode_targets = structure.decode_targets;
    result.chains = structure.chains;
    for (std::size_t i = 0; structure.chains > 0 && i < structure.decode_targets; ++i) {
      result.protected_by.push_back(structure.protected_by[i]);
    }
    return result;
  }

 private:
  std::unique_ptr<rtp::DependencyDescriptorReader> reader_ =
      std::make_unique<rtp::DependencyDescriptorReader>();
};

void bind_dependency_descriptor(py::module_& m) {
  using Descriptor = PyDependencyDescriptor;
  py::class_<Descriptor>(m, "DependencyDescriptor", "AV1 RTP specification, appendix A.4.")
      .def_property_readonly(
          "starts_frame", [](const Descriptor& d) { return d.value.starts_frame; },
          "First packet of its frame.")
      .def_property_readonly(
          "ends_frame", [](const Descriptor& d) { return d.value.ends_frame; },
          "Last packet of its frame.")
      .def_property_readonly(
          "template_id", [](const Descriptor& d) { return d.value.template_id; }, "6 bits.")
      .def_property_readonly(
          "frame_number", [](const Descriptor& d) { return d.value.frame_number; }, "16 bits.")
      .def_property_readonly(
          "has_structure", [](const Descriptor& d) { return d.value.has_structure; },
          "Whether the packet brought a structure. It holds from now on, unless the frame is "
          "older\n"
          "than the one that the present structure came with.")
      .def_property_readonly(
          "active_decode_targets",
          [](const Descriptor& d) { return d.value.active_decode_targets; },
          "Bit i: decode target i is being produced. None where the packet does not say.")
      .def_property_readonly(
          "spatial_layer", [](const Descriptor& d) { return d.value.dependencies.spatial_layer; },
          "From 0, the lowest resolution.")
      .def_property_readonly(
          "temporal_layer", [](const Descriptor& d) { return d.value.dependencies.temporal_layer; },
          "From 0, the lowest frame rate.")
      .def_property_readonly(
          "decode_target_indications",
          [](const Descriptor& d) {
            std::vector<int> indications;
            for (std::size_t i = 0; i < d.decode_targets; ++i) {
              indications.push_back(
                  static_cast<int>(d.value.dependencies.decode_target_indications[i]));
            }
            return indications;
          },
          "Of each decode target: 0 not present, 1 discardable, 2 switch, 3 required.")
      .def_property_readonly(
          "frame_differences",
          [](const Descriptor& d) {
            const auto* first = d.value.dependencies.frame_differences.data();
            return std::vector<std::uint16_t>(first,
                                              first + d.value.dependencies.frame_difference_count);
          },
          "By how much the number of each frame it refers to is smaller.")
      .def_property_readonly(
          "chain_differences",
          [](const Descriptor& d) {
            const auto* first = d.value.dependencies.chain_differences.data();
            return std::vector<int>(first, first + d.chains);
          },
          "By how much the number of the previous frame of each chain is smaller; 0 begins it.")
      .def_readonly("protected_by", &Descriptor::protected_by,
                    "The chain of each decode target; empty without chains.")
      .def_property_readonly(
          "resolution",
          [](const Descriptor& d) -> std::optional<std::pair<std::uint32_t, std::uint32_t>> {
            if (!d.value.resolution) return std::nullopt;
            return std::pair(d.value.resolution->width, d.value.resolution->height);
          },
          "(width, height) of the frame's spatial layer, if the structure tells it.");
  py::class_<PyDependencyDescriptorReader>(m, "DependencyDescriptorReader",
                                           "Reads the dependency descriptors (AV1 RTP "
                                           "specification, appendix A) of one stream and keeps\n"
                                           "their structure. For one thread.")
      .def(py::init<>())
      .def("read", &PyDependencyDescriptorReader::read, "extension"_a,
           "`extension` is HeaderExtensions.dependency_descriptor.\n\n"
           "Raises NotReadyError before the structure of the frame was read, MalformedError,\n"
           "LimitExceededError (more than 16 frames that one refers to).");
}

}  // namespace

void bind_repair(py::module_& m) {
  m.def("wrap_rtx", &wrap_rtx, "packet"_a, py::kw_only(), "ssrc"_a, "payload_type"_a,
        "sequence_number"_a, "extensions"_a = py::none(), "extension_ids"_a = ExtensionIds(),
        "An RTP packet as one of the RTX stream with this SSRC and payload type (RFC 4588).\n\n"
        "Its header extensions are the original's, unless others are given: where the original "
        "has\nrid a retransmission has repaired_rid (RFC 8852), and its own\n"
        "transport_sequence_number.\n\n"
        "Raises MalformedError, InvalidArgumentError.");
  m.def("unwrap_rtx", &unwrap_rtx, "packet"_a, py::kw_only(), "ssrc"_a, "payload_type"_a,
        "The original of an RTX packet (RFC 4588 section 4), of the media stream with this SSRC "
        "and payload type.\n\n"
        "Raises MalformedError, TruncatedError for a packet that only probes with padding.");
  m.def("parse_red", &parse_red, "payload"_a,
        "(payload type, timestamp offset, payload) of each block of a RED payload (RFC 2198),\n"
        "oldest first, the primary last.\n\n"
        "Raises TruncatedError, LimitExceededError (more than 32 blocks).");
  py::class_<PyRedEncoder>(m, "RedEncoder",
                           "Makes RED payloads (RFC 2198) with up to `distance` (1 to 8) payloads\n"
                           "before each; `payload_type` is that of the blocks. For one thread.")
      .def(py::init<int, std::int64_t>(), py::kw_only(), "payload_type"_a, "distance"_a = 1)
      .def("encode", &PyRedEncoder::encode, "payload"_a, "timestamp"_a, "max_payload"_a = 1200,
           "The RED payload of the next packet. Left out are, oldest first, blocks without room\n"
           "in max_payload bytes and what lies before one above 1,023 bytes or 16,383 timestamp\n"
           "units back.\n\nRaises InvalidArgumentError.");
  bind_dependency_descriptor(m);
}

}  // namespace sealroom::bindings
