#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "header_extensions.h"
#include "number_arguments.h"
#include "rtp_text.h"
#include "sealroom/base/byte_reader.h"
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

std::optional<py::str> decode_optional(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return decode(std::string_view(*text));
}

struct PyRtpPacket {
  rtp::RtpHeader header;
  py::bytes payload;
  std::size_t header_size = 0;
  std::size_t padding_size = 0;
  PyHeaderExtensions extensions;
  Bytes header_bytes;  ///< where there is more than the fixed header: CSRCs, extensions

  [[nodiscard]] std::vector<std::uint32_t> csrcs() const {
    std::vector<std::uint32_t> sources;
    if (header_bytes.empty()) return sources;
    ByteReader reader(view().csrcs());
    while (reader.remaining() > 0) sources.push_back(reader.u32());
    return sources;
  }
  [[nodiscard]] std::vector<std::pair<int, py::bytes>> raw_extensions() const {
    std::vector<std::pair<int, py::bytes>> elements;
    if (header_bytes.empty()) return elements;
    rtp::ExtensionReader reader(view());
    for (rtp::ExtensionElement element; reader.next(element);) {
      elements.emplace_back(element.id, to_bytes(element.value));
    }
    return elements;
  }

 private:
  [[nodiscard]] rtp::RtpPacketView view() const {
    return unwrap(rtp::RtpPacketView::parse(header_bytes));
  }
};

/// Without the padding bit: the padding is not there.
Bytes copy_header(const rtp::RtpPacketView& packet) {
  constexpr std::uint8_t kPaddingBit = 0x20;
  if (packet.header_size() == rtp::kFixedHeaderSize) return {};
  const ByteView header = packet.packet().first(packet.header_size());
  Bytes copy(header.begin(), header.end());
  copy[0] &= static_cast<std::uint8_t>(~kPaddingBit);
  return copy;
}

template <class Text>
Text checked_text(const char* name, Text text) {
  constexpr std::size_t kMaxText = 16;
  if (text) check_size(name, text->size(), 0, kMaxText);
  return text;
}

PyHeaderExtensions make_extensions(std::optional<std::string> mid, std::optional<std::string> rid,
                                   std::optional<std::string> repaired_rid,
                                   std::optional<std::int64_t> abs_send_time,
                                   std::optional<std::int64_t> transport_sequence_number,
                                   std::optional<std::pair<bool, std::int64_t>> audio_level,
                                   std::optional<std::tuple<int, bool, bool>> video_orientation,
                                   const std::optional<py::buffer>& dependency_descriptor) {
  constexpr std::int64_t kMaxSendTime = 0xFFFFFF;
  constexpr std::size_t kMaxDescriptor = 255;
  PyHeaderExtensions values;
  values.mid = checked_text("mid", std::move(mid));
  values.rid = checked_text("rid", std::move(rid));
  values.repaired_rid = checked_text("repaired_rid", std::move(repaired_rid));
  if (abs_send_time) {
    values.abs_send_time =
        static_cast<std::uint32_t>(in_range("abs_send_time", *abs_send_time, 0, kMaxSendTime));
  }
  if (transport_sequence_number) {
    values.transport_sequence_number =
        to_u16("transport_sequence_number", *transport_sequence_number);
  }
  if (audio_level) {
    const std::int64_t level = in_range("audio_level", audio_level->second, 0, 127);
    values.audio_level.emplace(audio_level->first, static_cast<std::uint8_t>(level));
  }
  if (video_orientation) {
    const int rotation = std::get<0>(*video_orientation);
    if (rotation < 0 || rotation >= 360 || rotation % 90 != 0) {
      raise(Error::invalid_argument,
            "video_orientation: rotation 0, 90, 180 or 270, got " + std::to_string(rotation));
    }
    values.video_orientation = video_orientation;
  }
  if (dependency_descriptor) {
    const ReadBuffer in(*dependency_descriptor);
    check_size("dependency_descriptor", in.view().size(), 0, kMaxDescriptor);
    values.dependency_descriptor.emplace(in.view().begin(), in.view().end());
  }
  return values;
}

PyRtpPacket parse_rtp(const py::buffer& data, const ExtensionIds& extension_ids) {
  const ReadBuffer in(data);
  const rtp::RtpPacketView packet = unwrap(rtp::RtpPacketView::parse(in.view()));
  const rtp::ExtensionMap map = extension_map(extension_ids);
  return {packet.header(),
          to_bytes(packet.payload()),
          packet.header_size(),
          packet.padding_size(),
          PyHeaderExtensions::from(rtp::read_extensions(packet, map)),
          copy_header(packet)};
}

py::bytes serialize_rtp(const py::buffer& payload, int type, std::int64_t sequence_number,
                        std::int64_t timestamp, std::int64_t ssrc, bool marker,
                        const PyHeaderExtensions& extensions, const ExtensionIds& extension_ids) {
  const ReadBuffer in(payload);
  const rtp::ExtensionMap map = extension_map(extension_ids);
  const rtp::RtpHeader header{marker, PayloadType{payload_type(type)},
                              to_u16("sequence_number", sequence_number),
                              RtpTimestamp{to_u32("timestamp", timestamp)}, to_ssrc("ssrc", ssrc)};
  const rtp::HeaderExtensions values = extensions.view();
  Bytes packet(rtp::header_size(values, map));
  unwrap(rtp::write_header(header, values, map, packet));
  packet.insert(packet.end(), in.view().begin(), in.view().end());
  return to_bytes(packet);
}

void bind_packets(py::module_& m) {
  py::class_<PyHeaderExtensions>(m, "HeaderExtensions",
                                 "Values of the RTP header extensions (RFC 8285), None if absent.\n"
                                 "The constructor raises InvalidArgumentError for one that its "
                                 "field cannot hold.")
      .def(py::init(&make_extensions), py::kw_only(), "mid"_a = py::none(), "rid"_a = py::none(),
           "repaired_rid"_a = py::none(), "abs_send_time"_a = py::none(),
           "transport_sequence_number"_a = py::none(), "audio_level"_a = py::none(),
           "video_orientation"_a = py::none(), "dependency_descriptor"_a = py::none())
      .def_property_readonly(
          "mid", [](const PyHeaderExtensions& e) { return decode_optional(e.mid); },
          "Media identification (RFC 9143), at most 16 bytes.")
      .def_property_readonly(
          "rid", [](const PyHeaderExtensions& e) { return decode_optional(e.rid); },
          "Stream id of a simulcast layer (RFC 8852), at most 16 bytes.")
      .def_property_readonly(
          "repaired_rid",
          [](const PyHeaderExtensions& e) { return decode_optional(e.repaired_rid); },
          "Stream id that an RTX packet repairs (RFC 8852), at most 16 bytes.")
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
          "As on the wire, for DependencyDescriptorReader; at most 255 bytes.");
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
                    "HeaderExtensions: those whose ids were given.")
      .def_property_readonly(
          "raw_extensions", &PyRtpPacket::raw_extensions,
          "(id, bytes) of every element of the header extension (RFC 8285), in order, known or "
          "not.")
      .def_property_readonly(
          "csrcs", [](const PyRtpPacket& p) { return py::tuple(py::cast(p.csrcs())); },
          "Contributing sources, at most 15, 32 bits each.");
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
