#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "number_arguments.h"
#include "rtcp_objects.h"
#include "rtp_text.h"
#include "sealroom/base/sequence.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;

std::vector<py::object> parse_rtcp(const py::buffer& data, bool strict) {
  const ReadBuffer in(data);
  if (strict) unwrap(rtp::check_compound(in.view()));
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
constexpr std::size_t kMaxText = 255;
constexpr std::size_t kMaxPacket = 4 + 4 * 0xFFFF;  // by its 16-bit length in words

std::vector<Ssrc> to_ssrcs(const char* name, const std::vector<std::int64_t>& numbers) {
  std::vector<Ssrc> ssrcs;
  for (const std::int64_t number : numbers) ssrcs.push_back(to_ssrc(name, number));
  return ssrcs;
}

void check_reports(const std::vector<rtp::ReportBlock>& reports) {
  check_count("reports", reports.size(), 0, rtp::kMaxReportBlocks);
}

py::bytes write_sender_report(const PySenderReport& report) {
  check_reports(report.reports);
  return written(kMaxReport, [&](rtp::RtcpWriter& writer) {
    return writer.sender_report({Ssrc{report.sender}, NtpTime{report.ntp_time},
                                 RtpTimestamp{report.rtp_timestamp}, report.packet_count,
                                 report.octet_count, to_blocks(report.reports)});
  });
}

py::bytes write_receiver_report(const PyReceiverReport& report) {
  check_reports(report.reports);
  return written(kMaxReport, [&](rtp::RtcpWriter& writer) {
    return writer.receiver_report({Ssrc{report.sender}, to_blocks(report.reports)});
  });
}

py::bytes write_source_description(
    std::int64_t ssrc, const std::string& cname,
    const std::vector<std::pair<std::int64_t, std::string>>& others) {
  const Ssrc source = to_ssrc("ssrc", ssrc);
  check_size("cname", cname.size(), 1, kMaxText);
  std::vector<rtp::SdesItem> items{{source, rtp::SdesType::cname, cname}};
  std::size_t size = 16 + cname.size();
  for (const auto& [type, text] : others) {
    check_size("others", text.size(), 0, kMaxText);
    items.push_back({source, static_cast<rtp::SdesType>(in_range("others", type, 1, 255)), text});
    size += 2 + text.size();
  }
  check_size("others", size, 0, kMaxPacket);
  return written(size, [&](rtp::RtcpWriter& writer) { return writer.source_description(items); });
}

py::bytes write_bye(const std::variant<std::int64_t, std::vector<std::int64_t>>& ssrc,
                    const std::string& reason) {
  std::vector<Ssrc> sources;
  if (const auto* one = std::get_if<std::int64_t>(&ssrc)) {
    sources.push_back(to_ssrc("ssrc", *one));
  } else {
    sources = to_ssrcs("ssrc", std::get<std::vector<std::int64_t>>(ssrc));
  }
  check_count("ssrc", sources.size(), 1, rtp::kMaxReportBlocks);
  check_size("reason", reason.size(), 0, kMaxText);
  return written(8 + 4 * sources.size() + reason.size(),
                 [&](rtp::RtcpWriter& writer) { return writer.bye(sources, reason); });
}

py::bytes write_full_intra_request(std::int64_t sender,
                                   const std::vector<std::pair<std::int64_t, std::int64_t>>& to) {
  check_count("targets", to.size(), 1, (kMaxPacket - 12) / 8);
  std::vector<rtp::FirEntry> entries;
  for (const auto& [ssrc, number] : to) {
    entries.push_back(
        {to_ssrc("targets", ssrc), to_unsigned<std::uint8_t>("targets, command number", number)});
  }
  return written(12 + 8 * entries.size(), [&](rtp::RtcpWriter& writer) {
    return writer.full_intra_request(to_ssrc("sender", sender), entries);
  });
}

py::bytes write_remb(std::int64_t sender, std::uint64_t bits_per_second,
                     const std::vector<std::int64_t>& sources) {
  check_count("sources", sources.size(), 0, 255);
  return written(20 + 4 * sources.size(), [&](rtp::RtcpWriter& writer) {
    return writer.remb(to_ssrc("sender", sender), bits_per_second, to_ssrcs("sources", sources));
  });
}

py::bytes write_nack(std::int64_t sender, std::int64_t media,
                     const std::vector<std::int64_t>& sequence_numbers) {
  check_count("sequence_numbers", sequence_numbers.size(), 1, rtp::kMaxNackedPackets);
  std::vector<std::uint16_t> numbers;
  for (const std::int64_t number : sequence_numbers) {
    const std::uint16_t next = to_u16("sequence_numbers", number);
    if (!numbers.empty() && !is_newer(next, numbers.back())) {
      raise(Error::invalid_argument, "sequence_numbers: ascending, across the wrap too; " +
                                         std::to_string(next) + " does not come after " +
                                         std::to_string(numbers.back()));
    }
    numbers.push_back(next);
  }
  return written(12 + 4 * numbers.size(), [&](rtp::RtcpWriter& writer) {
    return writer.nack(to_ssrc("sender", sender), to_ssrc("media", media), numbers);
  });
}

py::bytes write_picture_loss_indication(std::int64_t sender, std::int64_t media) {
  return written(12, [&](rtp::RtcpWriter& writer) {
    return writer.picture_loss_indication(to_ssrc("sender", sender), to_ssrc("media", media));
  });
}

class PyCollector {
 public:
  void packet_received(std::int64_t sequence_number, double arrival) {
    if (!std::isfinite(arrival) || std::abs(arrival) > 1e10) {
      raise(Error::invalid_argument, "arrival: seconds, finite");
    }
    collector_.packet_received(
        to_u16("sequence_number", sequence_number),
        TimePoint(Duration(static_cast<std::int64_t>(std::floor(arrival * 1e6 + 0.5)))));
  }

  std::vector<py::bytes> take(std::int64_t sender, std::int64_t media, std::int64_t max_size) {
    const Ssrc sender_ssrc = to_ssrc("sender", sender);
    const Ssrc media_ssrc = to_ssrc("media", media);
    const auto size = static_cast<std::size_t>(in_range("max_size", max_size, 24, 1200));
    std::vector<py::bytes> packets;
    while (collector_.has_feedback()) {
      packets.push_back(written(size, [&](rtp::RtcpWriter& writer) {
        return collector_.write(writer, sender_ssrc, media_ssrc);
      }));
    }
    return packets;
  }

 private:
  rtp::TransportFeedbackCollector collector_;
};

void bind_reports(py::module_& m) {
  using rtp::ReportBlock;
  using Reports = std::vector<ReportBlock>;
  py::class_<ReportBlock>(m, "ReportBlock",
                          "What a receiver says of one stream (RFC 3550 section 6.4.1).")
      .def(py::init([](std::int64_t ssrc, std::int64_t fraction_lost, std::int64_t cumulative_lost,
                       std::int64_t extended_highest_sequence, std::int64_t jitter,
                       std::int64_t last_sender_report,
                       std::int64_t delay_since_last_sender_report) {
             constexpr std::int64_t kMaxLost = 0x7FFFFF;
             return ReportBlock{
                 to_ssrc("ssrc", ssrc),
                 to_unsigned<std::uint8_t>("fraction_lost", fraction_lost),
                 static_cast<std::int32_t>(
                     in_range("cumulative_lost", cumulative_lost, -kMaxLost - 1, kMaxLost)),
                 to_u32("extended_highest_sequence", extended_highest_sequence),
                 to_u32("jitter", jitter),
                 to_u32("last_sender_report", last_sender_report),
                 to_u32("delay_since_last_sender_report", delay_since_last_sender_report)};
           }),
           py::kw_only(), "ssrc"_a, "fraction_lost"_a = 0, "cumulative_lost"_a = 0,
           "extended_highest_sequence"_a = 0, "jitter"_a = 0, "last_sender_report"_a = 0,
           "delay_since_last_sender_report"_a = 0)
      .def_property_readonly(
          "ssrc", [](const ReportBlock& block) { return block.ssrc.value; },
          "Of the stream it is about, 32 bits.")
      .def_readonly("fraction_lost", &ReportBlock::fraction_lost, "Of 256.")
      .def_readonly("cumulative_lost", &ReportBlock::cumulative_lost, "24 bit, signed.")
      .def_readonly("extended_highest_sequence", &ReportBlock::extended_highest_sequence,
                    "Highest sequence number received, wraps in the upper 16 bits.")
      .def_readonly("jitter", &ReportBlock::jitter, "In timestamp units.")
      .def_readonly("last_sender_report", &ReportBlock::last_sender_report,
                    "Middle 32 bits of its NTP time.")
      .def_readonly("delay_since_last_sender_report", &ReportBlock::delay_since_last_sender_report,
                    "In 1/65536 s.");
  py::class_<PySenderReport>(m, "SenderReport",
                             "What a sender has sent, and when (RFC 3550 section 6.4.1).")
      .def(py::init([](std::int64_t sender, std::uint64_t ntp_time, std::int64_t rtp_timestamp,
                       std::int64_t packet_count, std::int64_t octet_count, Reports reports) {
             return PySenderReport{to_u32("sender", sender),
                                   ntp_time,
                                   to_u32("rtp_timestamp", rtp_timestamp),
                                   to_u32("packet_count", packet_count),
                                   to_u32("octet_count", octet_count),
                                   std::move(reports)};
           }),
           py::kw_only(), "sender"_a, "ntp_time"_a, "rtp_timestamp"_a, "packet_count"_a,
           "octet_count"_a, "reports"_a = Reports())
      .def_readonly("sender", &PySenderReport::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("ntp_time", &PySenderReport::ntp_time, "Seconds since 1900, 32.32 fixed point.")
      .def_readonly("rtp_timestamp", &PySenderReport::rtp_timestamp,
                    "The media's RTP timestamp at ntp_time, 32 bits.")
      .def_readonly("packet_count", &PySenderReport::packet_count, "Sent so far, 32 bits.")
      .def_readonly("octet_count", &PySenderReport::octet_count,
                    "Payload bytes sent so far, 32 bits.")
      .def_readonly("reports", &PySenderReport::reports, "At most 31 ReportBlock.");
  py::class_<PyReceiverReport>(m, "ReceiverReport",
                               "What is received, stream by stream (RFC 3550 section 6.4.2).")
      .def(py::init([](std::int64_t sender, Reports reports) {
             return PyReceiverReport{to_u32("sender", sender), std::move(reports)};
           }),
           py::kw_only(), "sender"_a, "reports"_a = Reports())
      .def_readonly("sender", &PyReceiverReport::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("reports", &PyReceiverReport::reports, "At most 31 ReportBlock.");
}

}  // namespace

void bind_rtcp(py::module_& m) {
  bind_reports(m);
  py::class_<PySourceDescription>(m, "SourceDescription",
                                  "Names of sources (RFC 3550 section 6.5).")
      .def_readonly("ssrc", &PySourceDescription::ssrc, "Of the first chunk.")
      .def_property_readonly(
          "cname", [](const PySourceDescription& packet) { return decode(packet.cname); },
          "Of the first chunk, empty if it has none.")
      .def_property_readonly(
          "items",
          [](const PySourceDescription& packet) {
            std::vector<std::tuple<std::uint32_t, int, py::bytes>> items;
            for (const auto& [ssrc, type, text] : packet.items) {
              items.emplace_back(ssrc, type, py::bytes(text));
            }
            return items;
          },
          "(SSRC, item type, text) of every item of every chunk, in order.");
  py::class_<PyBye>(m, "Bye", "Sources that have left (RFC 3550 section 6.6).")
      .def_readonly("sources", &PyBye::sources, "SSRCs that have left.")
      .def_property_readonly(
          "reason", [](const PyBye& packet) { return decode(packet.reason); },
          "Empty if there is none.");
  py::class_<PyNack>(m, "Nack",
                     "Packets that are asked for again, at most 512 (RFC 4585 section 6.2.1).")
      .def_readonly("sender", &PyNack::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("media", &PyNack::media, "SSRC of the media it is about, 32 bits.")
      .def_readonly("sequence_numbers", &PyNack::sequence_numbers,
                    "Asked for, 16 bits each, in the order of the packet.");
  py::class_<PyPictureLossIndication>(m, "PictureLossIndication",
                                      "A request for a key frame (RFC 4585 section 6.3.1).")
      .def_readonly("sender", &PyPictureLossIndication::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("media", &PyPictureLossIndication::media,
                    "SSRC of the media it is about, 32 bits.");
  py::class_<PyFullIntraRequest>(m, "FullIntraRequest",
                                 "Numbered requests for key frames (RFC 5104 section 4.3.1).")
      .def_readonly("sender", &PyFullIntraRequest::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("targets", &PyFullIntraRequest::targets, "SSRCs of the media.")
      .def_readonly("sequence_numbers", &PyFullIntraRequest::sequence_numbers,
                    "Of each target; a new one is a new request.");
  py::class_<PyRemb>(m, "Remb",
                     "Receiver estimated maximum bit rate (draft-alvestrand-rmcat-remb).")
      .def_readonly("sender", &PyRemb::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("bits_per_second", &PyRemb::bits_per_second, "The bit rate, bit/s.")
      .def_readonly("sources", &PyRemb::sources, "SSRCs that share the bit rate.");
  py::class_<PyTransportFeedback>(m, "TransportFeedback",
                                  "Transport-wide congestion control feedback\n"
                                  "(draft-holmer-rmcat-transport-wide-cc-extensions-01).")
      .def_readonly("sender", &PyTransportFeedback::sender, "SSRC of who sent it, 32 bits.")
      .def_readonly("media", &PyTransportFeedback::media, "SSRC of the media it is about, 32 bits.")
      .def_readonly("base_sequence_number", &PyTransportFeedback::base_sequence_number,
                    "Transport-wide, 16 bits: the first it speaks of.")
      .def_readonly("status_count", &PyTransportFeedback::status_count,
                    "Packets it speaks of, from the base on; at most 65,535.")
      .def_readonly("reference_time", &PyTransportFeedback::reference_time,
                    "24 bit, signed, in 64 ms.")
      .def_readonly("feedback_count", &PyTransportFeedback::feedback_count,
                    "Number of this message, 8 bits.")
      .def_property_readonly(
          "received", &received_packets,
          "(sequence number, microseconds since the zero of the reference time, or None\n"
          "if untold) of each packet that came; the others did not. A new list each time.");
  py::class_<PyRtcpPacket>(m, "RtcpPacket",
                           "An RTCP packet without a class of its own (RFC 3550 section 6.1).")
      .def_readonly("type", &PyRtcpPacket::type, "Packet type, 8 bits.")
      .def_readonly("format", &PyRtcpPacket::format, "Format, count or subtype, 5 bits.")
      .def_property_readonly(
          "body", [](const PyRtcpPacket& packet) { return to_bytes(packet.body); },
          "What follows the first 4 bytes, padding removed.");
  m.def("parse_rtcp", &parse_rtcp, "data"_a, py::kw_only(), "strict"_a = false,
        "The packets of a compound (RFC 3550 section 6.1) or reduced-size one (RFC 5506).\n"
        "`strict` refuses the latter: it asks for the checks of RFC 3550 appendix A.2.\n\n"
        "Raises MalformedError if any of it breaks its format.");
  m.def("write_sender_report", &write_sender_report, "report"_a,
        "One RTCP packet (RFC 3550 section 6.4.1). Raises InvalidArgumentError for more than 31 "
        "reports.");
  m.def("write_receiver_report", &write_receiver_report, "report"_a,
        "One RTCP packet (RFC 3550 section 6.4.2). Raises InvalidArgumentError for more than 31 "
        "reports.");
  m.def("write_source_description", &write_source_description, "ssrc"_a, "cname"_a,
        "others"_a = std::vector<std::pair<std::int64_t, std::string>>(),
        "One RTCP packet (RFC 3550 section 6.5). `cname` has 1 to 255 bytes; `others` are (item "
        "type,\ntext of at most 255 bytes) of the same source. Raises InvalidArgumentError.");
  m.def("write_bye", &write_bye, "ssrc"_a, "reason"_a = "",
        "One RTCP packet (RFC 3550 section 6.6) for one SSRC, or for up to 31; the reason has at\n"
        "most 255 bytes. Raises InvalidArgumentError.");
  m.def("write_nack", &write_nack, "sender"_a, "media"_a, "sequence_numbers"_a,
        "One RTCP packet (RFC 4585 section 6.2.1). sequence_numbers, 16 bits each, ascend, across "
        "the\n"
        "wrap too. Raises InvalidArgumentError for none, more than 512, or others.");
  m.def("write_picture_loss_indication", &write_picture_loss_indication, "sender"_a, "media"_a,
        "One RTCP packet (RFC 4585 section 6.3.1): asks `media`, an SSRC, for a key frame.");
  m.def("write_full_intra_request", &write_full_intra_request, "sender"_a, "targets"_a,
        "One RTCP packet (RFC 5104 section 4.3.1). `targets` are (SSRC, command sequence number of "
        "8\nbits). Raises InvalidArgumentError.");
  m.def("write_remb", &write_remb, "sender"_a, "bits_per_second"_a, "sources"_a,
        "One RTCP packet (draft-alvestrand-rmcat-remb). The rate is rounded down to 18 bits "
        "of\nmantissa; at most 255 `sources` (SSRCs), or InvalidArgumentError.");
  py::class_<PyCollector>(m, "TransportFeedbackCollector",
                          "Turns arrivals into transport-wide "
                          "feedback\n(draft-holmer-rmcat-transport-wide-cc-extensions-01): packets "
                          "that came late are reported again,\n"
                          "of 4,096 that nobody asked for the newest are kept. For one thread.")
      .def(py::init<>())
      .def("packet_received", &PyCollector::packet_received, "sequence_number"_a, "arrival"_a,
           "`sequence_number` of the transport-wide header extension, `arrival` in seconds.\n"
           "Raises InvalidArgumentError for a time that is not finite.")
      .def("take", &PyCollector::take, "sender"_a, "media"_a, "max_size"_a = 1200,
           "RTCP packets of at most max_size (24 to 1200) bytes with what is not reported yet.\n"
           "Raises InvalidArgumentError for another size.");
}

}  // namespace sealroom::bindings
