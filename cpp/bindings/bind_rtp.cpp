#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "rtp_text.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/packet.h"

namespace sealroom::bindings {

void bind_payload_formats(pybind11::module_& m);
void bind_rtcp(pybind11::module_& m);
void bind_repair(pybind11::module_& m);
void bind_rtp_batch(pybind11::module_& m);

namespace {

namespace py = pybind11;
using namespace py::literals;
using ExtensionIds = std::map<std::string, int>;

std::optional<py::str> decode_optional(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return decode(std::string_view(*text));
}

std::optional<std::string> owned(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

struct PyHeaderExtensions {
  std::optional<std::string> mid;
  std::optional<std::string> rid;
  std::optional<std::string> repaired_rid;
  std::optional<std::uint32_t> abs_send_time;
  std::optional<std::uint16_t> transport_sequence_number;
  std::optional<std::pair<bool, std::uint8_t>> audio_level;
  std::optional<std::tuple<int, bool, bool>> video_orientation;
  std::optional<Bytes> dependency_descriptor;

  static PyHeaderExtensions from(const rtp::HeaderExtensions& read) {
    PyHeaderExtensions result{owned(read.mid),
                              owned(read.rid),
                              owned(read.repaired_rid),
                              read.abs_send_time,
                              read.transport_sequence_number,
                              std::nullopt,
                              std::nullopt,
                              std::nullopt};
    if (read.audio_level) {
      result.audio_level.emplace(read.audio_level->voice_activity, read.audio_level->level);
    }
    if (const auto& orientation = read.video_orientation) {
      result.video_orientation.emplace(orientation->rotation, orientation->flip,
                                       orientation->back_camera);
    }
    if (const ByteView descriptor = read.dependency_descriptor; !descriptor.empty()) {
      result.dependency_descriptor.emplace(descriptor.begin(), descriptor.end());
    }
    return result;
  }

  [[nodiscard]] rtp::HeaderExtensions view() const {
    rtp::HeaderExtensions result;
    if (mid) result.mid = *mid;
    if (rid) result.rid = *rid;
    if (repaired_rid) result.repaired_rid = *repaired_rid;
    result.abs_send_time = abs_send_time;
    result.transport_sequence_number = transport_sequence_number;
    if (audio_level) result.audio_level = rtp::AudioLevel{audio_level->first, audio_level->second};
    if (video_orientation) {
      const auto& [rotation, flip, back_camera] = *video_orientation;
      if (rotation < 0 || rotation >= 360 || rotation % 90 != 0) {
        raise(Error::invalid_argument, "video_orientation: rotation 0, 90, 180 or 270");
      }
      result.video_orientation =
          rtp::VideoOrientation{back_camera, flip, static_cast<std::uint16_t>(rotation)};
    }
    if (dependency_descriptor) result.dependency_descriptor = *dependency_descriptor;
    return result;
  }
};

struct PyRtpPacket {
  rtp::RtpHeader header;
  py::bytes payload;
  std::size_t header_size = 0;
  std::size_t padding_size = 0;
  PyHeaderExtensions extensions;
};

PyRtpPacket parse_rtp(const py::buffer& data, const ExtensionIds& extension_ids) {
  const ReadBuffer in(data);
  const rtp::RtpPacketView packet = unwrap(rtp::RtpPacketView::parse(in.view()));
  const rtp::ExtensionMap map = extension_map(extension_ids);
  return {packet.header(), to_bytes(packet.payload()), packet.header_size(), packet.padding_size(),
          PyHeaderExtensions::from(rtp::read_extensions(packet, map))};
}

py::bytes serialize_rtp(const py::buffer& payload, int type, std::uint16_t sequence_number,
                        std::uint32_t timestamp, std::uint32_t ssrc, bool marker,
                        const PyHeaderExtensions& extensions, const ExtensionIds& extension_ids) {
  const ReadBuffer in(payload);
  const rtp::ExtensionMap map = extension_map(extension_ids);
  const rtp::RtpHeader header{marker, PayloadType{payload_type(type)}, sequence_number,
                              RtpTimestamp{timestamp}, Ssrc{ssrc}};
  const rtp::HeaderExtensions values = extensions.view();
  Bytes packet(rtp::header_size(values, map));
  unwrap(rtp::write_header(header, values, map, packet));
  packet.insert(packet.end(), in.view().begin(), in.view().end());
  return to_bytes(packet);
}

void bind_packets(py::module_& m) {
  py::class_<PyHeaderExtensions>(m, "HeaderExtensions",
                                 "Values of the RTP header extensions (RFC 8285), None if absent.")
      .def(py::init([](std::optional<std::string> mid, std::optional<std::string> rid,
                       std::optional<std::string> repaired_rid,
                       std::optional<std::uint32_t> abs_send_time,
                       std::optional<std::uint16_t> transport_sequence_number,
                       std::optional<std::pair<bool, std::uint8_t>> audio_level,
                       std::optional<std::tuple<int, bool, bool>> video_orientation,
                       const std::optional<py::buffer>& dependency_descriptor) {
             PyHeaderExtensions values{std::move(mid),
                                       std::move(rid),
                                       std::move(repaired_rid),
                                       abs_send_time,
                                       transport_sequence_number,
                                       audio_level,
                                       video_orientation,
                                       std::nullopt};
             if (dependency_descriptor) {
               const ReadBuffer in(*dependency_descriptor);
               values.dependency_descriptor.emplace(in.view().begin(), in.view().end());
             }
             return values;
           }),
           py::kw_only(), "mid"_a = py::none(), "rid"_a = py::none(), "repaired_rid"_a = py::none(),
           "abs_send_time"_a = py::none(), "transport_sequence_number"_a = py::none(),
           "audio_level"_a = py::none(), "video_orientation"_a = py::none(),
           "dependency_descriptor"_a = py::none())
      .def_property_readonly(
          "mid", [](const PyHeaderExtensions& e) { return decode_optional(e.mid); },
          "Media identification (RFC 9143), at most 16 bytes.")
      .def_property_readonly(
          "rid", [](const PyHeaderExtensions& e) { return decode_optional(e.rid); },
          "Stream id of a simulcast layer (RFC 8852).")
      .def_property_readonly(
          "repaired_rid",
          [](const PyHeaderExtensions& e) { return decode_optional(e.repaired_rid); },
          "Stream id that an RTX packet repairs (RFC 8852).")
      .def_readonly("abs_send_time", &PyHeaderExtensions::abs_send_time,
                    "Seconds in 6.18 fixed point, 24 bits.")
      .def_readonly("transport_sequence_number", &PyHeaderExtensions::transport_sequence_number,
                    "16 bits, of all packets of the transport "
                    "(draft-holmer-rmcat-transport-wide-cc-extensions-01).")
      .def_readonly("audio_level", &PyHeaderExtensions::audio_level,
                    "(voice activity, -dBov from 0, the loudest, to 127), RFC 6464.")
      .def_readonly("video_orientation", &PyHeaderExtensions::video_orientation,
                    "(degrees clockwise, flip, back camera), 3GPP TS 26.114.")
      .def_property_readonly(
          "dependency_descriptor",
          [](const PyHeaderExtensions& e) -> std::optional<py::bytes> {
            if (!e.dependency_descriptor) return std::nullopt;
            return to_bytes(*e.dependency_descriptor);
          },
          "As on the wire, for DependencyDescriptorReader.");
  py::class_<PyRtpPacket>(m, "RtpPacket", "A parsed RTP packet (RFC 3550 section 5.1).")
      .def_property_readonly(
          "marker", [](const PyRtpPacket& p) { return p.header.marker; },
          "Of video: the last packet of its frame.")
      .def_property_readonly(
          "payload_type", [](const PyRtpPacket& p) { return p.header.payload_type.value; },
          "7 bits.")
      .def_property_readonly(
          "sequence_number", [](const PyRtpPacket& p) { return p.header.sequence_number; },
          "16 bits.")
      .def_property_readonly(
          "timestamp", [](const PyRtpPacket& p) { return p.header.timestamp.value; },
          "32 bits, in units of the payload's clock rate.")
      .def_property_readonly(
          "ssrc", [](const PyRtpPacket& p) { return p.header.ssrc.value; }, "32 bits.")
      .def_readonly("payload", &PyRtpPacket::payload, "Without padding.")
      .def_readonly("header_size", &PyRtpPacket::header_size, "With CSRCs and extensions, bytes.")
      .def_readonly("padding_size", &PyRtpPacket::padding_size, "Bytes.")
      .def_readonly("extensions", &PyRtpPacket::extensions,
                    "HeaderExtensions: those whose ids were given.");
  m.def("parse_rtp", &parse_rtp, "data"_a, "extension_ids"_a = ExtensionIds(),
        "Parse an RTP packet (RFC 3550 section 5.1); extension_ids as in {\"mid\": 1, "
        "\"abs_send_time\": 2}.\n\n"
        "Raises MalformedError.");
  m.def("serialize_rtp", &serialize_rtp, "payload"_a, py::kw_only(), "payload_type"_a,
        "sequence_number"_a, "timestamp"_a, "ssrc"_a, "marker"_a = false,
        "extensions"_a = PyHeaderExtensions(), "extension_ids"_a = ExtensionIds(),
        "Write an RTP packet (RFC 3550 section 5.1) with those extensions that have an id.\n\n"
        "Raises InvalidArgumentError for a value its field cannot hold.");
  m.def(
      "is_rtcp", [](const py::buffer& data) { return rtp::is_rtcp(ReadBuffer(data).view()); },
      "data"_a, "Whether a packet is RTCP where it shares a port with RTP (RFC 5761 section 4).");
}

}  // namespace

void bind_rtp(py::module_& parent) {
  py::module_ m = parent.def_submodule("rtp", "RTP and RTCP packets and payload formats.");
  bind_packets(m);
  bind_rtp_batch(m);
  bind_repair(m);
  bind_payload_formats(m);
  bind_rtcp(m);
}

}  // namespace sealroom::bindings
