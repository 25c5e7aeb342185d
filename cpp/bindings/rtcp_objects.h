#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "errors.h"
#include "sealroom/base/byte_reader.h"
#include "sealroom/rtp/rtcp.h"
#include "sealroom/rtp/transport_feedback.h"

namespace sealroom::bindings {

/// RTCP packets as Python sees them: each owns its values, numbers are plain.
struct PySenderReport {
  std::uint32_t sender = 0;
  std::uint64_t ntp_time = 0;
  std::uint32_t rtp_timestamp = 0;
  std::uint32_t packet_count = 0;
  std::uint32_t octet_count = 0;
  std::vector<rtp::ReportBlock> reports;
};

struct PyReceiverReport {
  std::uint32_t sender = 0;
  std::vector<rtp::ReportBlock> reports;
};

struct PySourceDescription {
  std::uint32_t ssrc = 0;
  std::string cname;
  std::vector<std::tuple<std::uint32_t, int, std::string>> items;
};

struct PyBye {
  std::vector<std::uint32_t> sources;
  std::string reason;
};

struct PyNack {
  std::uint32_t sender = 0;
  std::uint32_t media = 0;
  std::vector<std::uint16_t> sequence_numbers;
};

struct PyPictureLossIndication {
  std::uint32_t sender = 0;
  std::uint32_t media = 0;
};

struct PyFullIntraRequest {
  std::uint32_t sender = 0;
  std::vector<std::uint32_t> targets;
  std::vector<int> sequence_numbers;
};

struct PyRemb {
  std::uint32_t sender = 0;
  std::uint64_t bits_per_second = 0;
  std::vector<std::uint32_t> sources;
};

struct PyTransportFeedback {
  std::uint32_t sender = 0;
  std::uint32_t media = 0;
  int base_sequence_number = 0;
  int status_count = 0;
  std::int32_t reference_time = 0;
  int feedback_count = 0;
  Bytes control_information;  ///< checked by TransportFeedback::parse
};

/// A packet without a class of its own.
struct PyRtcpPacket {
  int type = 0;
  int format = 0;
  Bytes body;
};

inline std::vector<rtp::ReportBlock> to_vector(const rtp::ReportBlocks& reports) {
  const auto* first = reports.blocks.data();
  return {first, first + reports.count};
}

/// A count above kMaxReportBlocks is kept, so that the writer refuses it.
inline rtp::ReportBlocks to_blocks(const std::vector<rtp::ReportBlock>& reports) {
  rtp::ReportBlocks blocks;
  blocks.count = reports.size();
  for (std::size_t i = 0; i < reports.size() && i < rtp::kMaxReportBlocks; ++i) {
    blocks.blocks[i] = reports[i];
  }
  return blocks;
}

inline std::vector<std::uint32_t> to_numbers(const rtp::Bye& list) {
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = 0; i < list.count; ++i) numbers.push_back(list.sources[i].value);
  return numbers;
}

/// A few bytes can speak of 65,535 packets, so these are listed only where somebody asks for them.
inline PyTransportFeedback transport_feedback_object(const rtp::Feedback& feedback) {
  const auto parsed = unwrap(rtp::TransportFeedback::parse(feedback));
  const ByteView control = feedback.control_information;
  return {parsed.sender.value,
          parsed.media.value,
          parsed.base_sequence_number,
          parsed.status_count,
          parsed.reference_time,
          parsed.feedback_count,
          Bytes(control.begin(), control.end())};
}

inline std::vector<std::pair<int, std::optional<std::int64_t>>> received_packets(
    const PyTransportFeedback& feedback) {
  const rtp::Feedback fields{Ssrc{feedback.sender}, Ssrc{feedback.media},
                             feedback.control_information};
  std::vector<std::pair<int, std::optional<std::int64_t>>> received;
  rtp::PacketStatuses statuses(unwrap(rtp::TransportFeedback::parse(fields)));
  for (rtp::PacketStatus status; statuses.next(status);) {
    if (!status.is_received) continue;
    std::optional<std::int64_t> arrival;
    if (status.arrival) arrival = status.arrival->count();
    received.emplace_back(status.sequence_number, arrival);
  }
  return received;
}

/// None for a feedback without a class.
inline pybind11::object feedback_object(const rtp::RtcpPacketView& packet) {
  const rtp::Feedback feedback = unwrap(rtp::Feedback::parse(packet));
  const bool is_transport = packet.type == rtp::RtcpType::transport_feedback;
  if (is_transport && packet.count_or_format == rtp::kNackFormat) {
    const rtp::NackList list = unwrap(rtp::parse_nack(feedback));
    const std::uint16_t* first = list.sequence_numbers.data();
    return pybind11::cast(
        PyNack{feedback.sender.value, feedback.media.value, {first, first + list.count}});
  }
  if (!is_transport && packet.count_or_format == rtp::kPliFormat) {
    return pybind11::cast(PyPictureLossIndication{feedback.sender.value, feedback.media.value});
  }
  if (!is_transport && packet.count_or_format == rtp::kFirFormat) {
    PyFullIntraRequest request{feedback.sender.value, {}, {}};
    (void)unwrap(rtp::parse_fir(feedback));
    ByteReader entries(feedback.control_information);
    while (entries.remaining() > 0) {  // also those that FirList has no room for
      request.targets.push_back(entries.u32());
      request.sequence_numbers.push_back(entries.u8());
      entries.skip(3);
    }
    return pybind11::cast(std::move(request));
  }
  if (is_transport && packet.count_or_format == rtp::kTransportFeedbackFormat) {
    return pybind11::cast(transport_feedback_object(feedback));
  }
  if (!is_transport && packet.count_or_format == rtp::kApplicationFormat) {
    const Result<rtp::Remb> remb = rtp::parse_remb(feedback);
    if (!remb && remb.error() == Error::unsupported) return pybind11::none();
    PyRemb result{feedback.sender.value, unwrap(remb).bits_per_second, {}};
    for (std::size_t i = 0; i < remb.value().count; ++i) {
      result.sources.push_back(remb.value().sources[i].value);
    }
    return pybind11::cast(std::move(result));
  }
  return pybind11::none();
}

/// Raises what the packet breaks.
inline pybind11::object rtcp_object(const rtp::RtcpPacketView& packet) {
  pybind11::object known = pybind11::none();
  switch (packet.type) {
    case rtp::RtcpType::sender_report: {
      const auto report = unwrap(rtp::SenderReport::parse(packet));
      return pybind11::cast(PySenderReport{report.sender.value, report.ntp_time.value,
                                           report.rtp_timestamp.value, report.packet_count,
                                           report.octet_count, to_vector(report.reports)});
    }
    case rtp::RtcpType::receiver_report: {
      const auto report = unwrap(rtp::ReceiverReport::parse(packet));
      return pybind11::cast(PyReceiverReport{report.sender.value, to_vector(report.reports)});
    }
    case rtp::RtcpType::source_description: {
      const auto description = unwrap(rtp::SourceDescription::parse(packet));
      PySourceDescription result{description.ssrc.value, std::string(description.cname), {}};
      rtp::SdesReader items(packet);
      for (rtp::SdesItem item; items.next(item);) {
        result.items.emplace_back(item.ssrc.value, static_cast<int>(item.type),
                                  std::string(item.text));
      }
      if (!items.ok()) raise(Error::truncated);
      return pybind11::cast(std::move(result));
    }
    case rtp::RtcpType::bye: {
      const auto bye = unwrap(rtp::Bye::parse(packet));
      return pybind11::cast(PyBye{to_numbers(bye), std::string(bye.reason)});
    }
    case rtp::RtcpType::transport_feedback:
    case rtp::RtcpType::payload_feedback:
      known = feedback_object(packet);
      break;
    default:
      break;
  }
  if (!known.is_none()) return known;
  return pybind11::cast(PyRtcpPacket{static_cast<int>(packet.type), packet.count_or_format,
                                     Bytes(packet.body.begin(), packet.body.end())});
}

}  // namespace sealroom::bindings
