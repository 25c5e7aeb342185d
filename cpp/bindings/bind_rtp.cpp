#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "rtcp_objects.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/packet.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::bindings {

void bind_payload_formats(pybind11::module_& m);

namespace {

namespace py = pybind11;
using namespace py::literals;
using ExtensionIds = std::map<std::string, int>;

// Text on the wire comes from strangers: what is not UTF-8 must not become an exception.
py::str decode(std::string_view text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(object);
}

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

  static PyHeaderExtensions from(const rtp::HeaderExtensions& read) {
    PyHeaderExtensions result{owned(read.mid),
                              owned(read.rid),
                              owned(read.repaired_rid),
                              read.abs_send_time,
                              read.transport_sequence_number,
                              std::nullopt};
    if (read.audio_level) {
      result.audio_level.emplace(read.audio_level->voice_activity, read.audio_level->level);
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

std::vector<py::object> parse_rtcp(const py::buffer& data) {
  const ReadBuffer in(data);
  rtp::RtcpReader reader(in.view());
  rtp::RtcpPacketView packet;
  std::vector<py::object> packets;
  while (reader.next(packet)) packets.push_back(rtcp_object(packet));
  if (!reader.ok()) raise(Error::malformed);
  return packets;
}

/// The bytes of one packet, which `write` puts into a writer with room for `capacity`.
template <class Write>
py::bytes written(std::size_t capacity, Write write) {
  Bytes buffer(capacity);
  rtp::RtcpWriter writer(buffer);
  unwrap(write(writer));
  return to_bytes(ByteView(buffer).first(writer.size()));
}

constexpr std::size_t kMaxReport = 28 + 24 * rtp::kMaxReportBlocks;

py::bytes write_sender_report(const PySenderReport& report) {
  return written(kMaxReport, [&](rtp::RtcpWriter& writer) {
    return writer.sender_report({Ssrc{report.sender}, NtpTime{report.ntp_time},
                                 RtpTimestamp{report.rtp_timestamp}, report.packet_count,
                                 report.octet_count, to_blocks(report.reports)});
  });
}

py::bytes write_receiver_report(const PyReceiverReport& report) {
  return written(kMaxReport, [&](rtp::RtcpWriter& writer) {
    return writer.receiver_report({Ssrc{report.sender}, to_blocks(report.reports)});
  });
}

py::bytes write_source_description(std::uint32_t ssrc, const std::string& cname) {
  return written(16 + cname.size(), [&](rtp::RtcpWriter& writer) {
    return writer.source_description(Ssrc{ssrc}, cname);
  });
}

py::bytes write_bye(std::uint32_t ssrc) {
  return written(8, [&](rtp::RtcpWriter& writer) { return writer.bye(Ssrc{ssrc}); });
}

py::bytes write_nack(std::uint32_t sender, std::uint32_t media,
                     const std::vector<std::uint16_t>& sequence_numbers) {
  return written(12 + 4 * sequence_numbers.size(), [&](rtp::RtcpWriter& writer) {
    return writer.nack(Ssrc{sender}, Ssrc{media}, sequence_numbers);
  });
}

py::bytes write_picture_loss_indication(std::uint32_t sender, std::uint32_t media) {
  return written(12, [&](rtp::RtcpWriter& writer) {
    return writer.picture_loss_indication(Ssrc{sender}, Ssrc{media});
  });
}

void bind_packets(py::module_& m) {
  py::class_<PyHeaderExtensions>(m, "HeaderExtensions",
                                 "Values of the RTP header extensions (RFC 8285), None if absent.")
      .def(py::init<std::optional<std::string>, std::optional<std::string>,
                    std::optional<std::string>, std::optional<std::uint32_t>,
                    std::optional<std::uint16_t>, std::optional<std::pair<bool, std::uint8_t>>>(),
           py::kw_only(), "mid"_a = py::none(), "rid"_a = py::none(), "repaired_rid"_a = py::none(),
           "abs_send_time"_a = py::none(), "transport_sequence_number"_a = py::none(),
           "audio_level"_a = py::none())
      .def_property_readonly("mid",
                             [](const PyHeaderExtensions& e) { return decode_optional(e.mid); })
      .def_property_readonly("rid",
                             [](const PyHeaderExtensions& e) { return decode_optional(e.rid); })
      .def_property_readonly(
          "repaired_rid",
          [](const PyHeaderExtensions& e) { return decode_optional(e.repaired_rid); })
      .def_readonly("abs_send_time", &PyHeaderExtensions::abs_send_time,
                    "Seconds in 6.18 fixed point, 24 bits.")
      .def_readonly("transport_sequence_number", &PyHeaderExtensions::transport_sequence_number)
      .def_readonly("audio_level", &PyHeaderExtensions::audio_level,
                    "(voice activity, -dBov from 0, the loudest, to 127), RFC 6464.");
  py::class_<PyRtpPacket>(m, "RtpPacket", "A parsed RTP packet (RFC 3550 section 5.1).")
      .def_property_readonly("marker", [](const PyRtpPacket& p) { return p.header.marker; })
      .def_property_readonly("payload_type",
                             [](const PyRtpPacket& p) { return p.header.payload_type.value; })
      .def_property_readonly("sequence_number",
                             [](const PyRtpPacket& p) { return p.header.sequence_number; })
      .def_property_readonly("timestamp",
                             [](const PyRtpPacket& p) { return p.header.timestamp.value; })
      .def_property_readonly("ssrc", [](const PyRtpPacket& p) { return p.header.ssrc.value; })
      .def_readonly("payload", &PyRtpPacket::payload, "Without padding.")
      .def_readonly("header_size", &PyRtpPacket::header_size, "With CSRCs and extensions, bytes.")
      .def_readonly("padding_size", &PyRtpPacket::padding_size, "Bytes.")
      .def_readonly("extensions", &PyRtpPacket::extensions);
  m.def("parse_rtp", &parse_rtp, "data"_a, "extension_ids"_a = ExtensionIds(),
        "Parse an RTP packet; extension_ids as in {\"mid\": 1, \"abs_send_time\": 2}.\n\n"
        "Raises MalformedError.");
  m.def("serialize_rtp", &serialize_rtp, "payload"_a, py::kw_only(), "payload_type"_a,
        "sequence_number"_a, "timestamp"_a, "ssrc"_a, "marker"_a = false,
        "extensions"_a = PyHeaderExtensions(), "extension_ids"_a = ExtensionIds(),
        "Write an RTP packet with those extensions that have an id.\n\n"
        "Raises InvalidArgumentError for a value its field cannot hold.");
  m.def(
      "is_rtcp", [](const py::buffer& data) { return rtp::is_rtcp(ReadBuffer(data).view()); },
      "data"_a, "Whether a packet is RTCP where it shares a port with RTP (RFC 5761 section 4).");
}

void bind_reports(py::module_& m) {
  using rtp::ReportBlock;
  using Reports = std::vector<ReportBlock>;
  py::class_<ReportBlock>(m, "ReportBlock", "RFC 3550 section 6.4.1.")
      .def(py::init([](std::uint32_t ssrc, std::uint8_t fraction_lost, std::int32_t cumulative_lost,
                       std::uint32_t extended_highest_sequence, std::uint32_t jitter,
                       std::uint32_t last_sender_report,
                       std::uint32_t delay_since_last_sender_report) {
             return ReportBlock{Ssrc{ssrc},
                                fraction_lost,
                                cumulative_lost,
                                extended_highest_sequence,
                                jitter,
                                last_sender_report,
                                delay_since_last_sender_report};
           }),
           py::kw_only(), "ssrc"_a, "fraction_lost"_a = 0, "cumulative_lost"_a = 0,
           "extended_highest_sequence"_a = 0, "jitter"_a = 0, "last_sender_report"_a = 0,
           "delay_since_last_sender_report"_a = 0)
      .def_property_readonly("ssrc", [](const ReportBlock& block) { return block.ssrc.value; })
      .def_readonly("fraction_lost", &ReportBlock::fraction_lost, "Of 256.")
      .def_readonly("cumulative_lost", &ReportBlock::cumulative_lost, "24 bit, signed.")
      .def_readonly("extended_highest_sequence", &ReportBlock::extended_highest_sequence)
      .def_readonly("jitter", &ReportBlock::jitter, "In timestamp units.")
      .def_readonly("last_sender_report", &ReportBlock::last_sender_report,
                    "Middle 32 bits of its NTP time.")
      .def_readonly("delay_since_last_sender_report", &ReportBlock::delay_since_last_sender_report,
                    "In 1/65536 s.");
  py::class_<PySenderReport>(m, "SenderReport", "RFC 3550 section 6.4.1.")
      .def(py::init<std::uint32_t, std::uint64_t, std::uint32_t, std::uint32_t, std::uint32_t,
                    Reports>(),
           py::kw_only(), "sender"_a, "ntp_time"_a, "rtp_timestamp"_a, "packet_count"_a,
           "octet_count"_a, "reports"_a = Reports())
      .def_readonly("sender", &PySenderReport::sender)
      .def_readonly("ntp_time", &PySenderReport::ntp_time, "Seconds since 1900, 32.32 fixed point.")
      .def_readonly("rtp_timestamp", &PySenderReport::rtp_timestamp)
      .def_readonly("packet_count", &PySenderReport::packet_count)
      .def_readonly("octet_count", &PySenderReport::octet_count)
      .def_readonly("reports", &PySenderReport::reports);
  py::class_<PyReceiverReport>(m, "ReceiverReport", "RFC 3550 section 6.4.2.")
      .def(py::init<std::uint32_t, Reports>(), py::kw_only(), "sender"_a, "reports"_a = Reports())
      .def_readonly("sender", &PyReceiverReport::sender)
      .def_readonly("reports", &PyReceiverReport::reports);
}

void bind_rtcp(py::module_& m) {
  bind_reports(m);
  py::class_<PySourceDescription>(m, "SourceDescription",
                                  "The first chunk's CNAME, empty if it has none (RFC 3550 6.5).")
      .def_readonly("ssrc", &PySourceDescription::ssrc)
      .def_property_readonly(
          "cname", [](const PySourceDescription& packet) { return decode(packet.cname); });
  py::class_<PyBye>(m, "Bye", "RFC 3550 section 6.6.").def_readonly("sources", &PyBye::sources);
  py::class_<PyNack>(m, "Nack", "RFC 4585 section 6.2.1, at most 512 packets.")
      .def_readonly("sender", &PyNack::sender)
      .def_readonly("media", &PyNack::media)
      .def_readonly("sequence_numbers", &PyNack::sequence_numbers);
  py::class_<PyPictureLossIndication>(m, "PictureLossIndication", "RFC 4585 section 6.3.1.")
      .def_readonly("sender", &PyPictureLossIndication::sender)
      .def_readonly("media", &PyPictureLossIndication::media);
  py::class_<PyFullIntraRequest>(m, "FullIntraRequest", "RFC 5104 section 4.3.1.")
      .def_readonly("sender", &PyFullIntraRequest::sender)
      .def_readonly("targets", &PyFullIntraRequest::targets, "SSRCs of the media.");
  py::class_<PyRtcpPacket>(m, "RtcpPacket", "A packet without a class of its own.")
      .def_readonly("type", &PyRtcpPacket::type)
      .def_readonly("format", &PyRtcpPacket::format, "Format, count or subtype, 5 bits.")
      .def_property_readonly("body",
                             [](const PyRtcpPacket& packet) { return to_bytes(packet.body); });
  m.def("parse_rtcp", &parse_rtcp, "data"_a,
        "The packets of a compound (RFC 3550 section 6.1) or reduced-size one (RFC 5506).\n\n"
        "Raises MalformedError if any of it breaks its format.");
  m.def("write_sender_report", &write_sender_report, "report"_a);
  m.def("write_receiver_report", &write_receiver_report, "report"_a);
  m.def("write_source_description", &write_source_description, "ssrc"_a, "cname"_a);
  m.def("write_bye", &write_bye, "ssrc"_a);
  m.def("write_nack", &write_nack, "sender"_a, "media"_a, "sequence_numbers"_a,
        "sequence_numbers ascending, across the wrap too.");
  m.def("write_picture_loss_indication", &write_picture_loss_indication, "sender"_a, "media"_a);
}

}  // namespace

void bind_rtp(py::module_& parent) {
  py::module_ m = parent.def_submodule("rtp", "RTP and RTCP packets and payload formats.");
  bind_packets(m);
  bind_payload_formats(m);
  bind_rtcp(m);
}

}  // namespace sealroom::bindings
