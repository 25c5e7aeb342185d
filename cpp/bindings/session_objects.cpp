#include "session_objects.h"

#include <pybind11/numpy.h>

#include <chrono>
#include <utility>
#include <variant>

#include "frames.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;

const char* reason_name(session::RejectReason reason) {
  switch (reason) {
    case session::RejectReason::not_encrypted:
      return "not_encrypted";
    case session::RejectReason::unknown_key_id:
      return "unknown_key_id";
    case session::RejectReason::replayed:
      return "replayed";
    case session::RejectReason::authentication_failed:
      return "authentication_failed";
    case session::RejectReason::queue_overflow:
      return "queue_overflow";
  }
  return "unknown";
}

struct PyFrameReceived {
  std::uint64_t receiver;
  py::array_t<std::uint8_t> data;
  std::uint32_t rtp_timestamp;
  bool is_key_frame;
  bool is_missing;
  py::object rejected;
  double arrival;
};

struct PyFrameRejected {
  std::uint64_t receiver;
  const char* reason;
  std::uint64_t count;
};

struct PyKeyFrameRequested {
  std::uint64_t sender;
};

struct PyRemoteBye {
  std::uint64_t receiver;
};

struct ToPython {
  py::object operator()(session::FrameReceived& event) const {
    return py::cast(PyFrameReceived{
        event.receiver.value, to_array(std::move(event.data)), event.timestamp.value,
        event.is_key_frame, event.is_missing,
        event.rejected ? py::object(py::str(reason_name(*event.rejected))) : py::object(py::none()),
        std::chrono::duration<double>(event.arrival.time_since_epoch()).count()});
  }
  py::object operator()(session::FrameRejected& event) const {
    return py::cast(PyFrameRejected{event.receiver.value, reason_name(event.reason), event.count});
  }
  py::object operator()(session::KeyFrameRequested& event) const {
    return py::cast(PyKeyFrameRequested{event.sender.value});
  }
  py::object operator()(session::RemoteBye& event) const {
    return py::cast(PyRemoteBye{event.receiver.value});
  }
};

}  // namespace

py::object to_python(session::Event& event) { return std::visit(ToPython{}, event); }

void bind_session_events(py::module_& m) {
  py::class_<PyFrameReceived>(
      m, "FrameReceived", "A whole encoded frame, authentic unless `rejected` names why it is not.")
      .def_readonly("receiver", &PyFrameReceived::receiver)
      .def_readonly("data", &PyFrameReceived::data, "Owns its memory; empty where `is_missing`.")
      .def_readonly("rtp_timestamp", &PyFrameReceived::rtp_timestamp)
      .def_readonly("is_key_frame", &PyFrameReceived::is_key_frame)
      .def_readonly("is_missing", &PyFrameReceived::is_missing, "Audio: conceal this frame.")
      .def_readonly("rejected", &PyFrameReceived::rejected,
                    "Why it is not authentic; None unless broken frames are not dropped.")
      .def_readonly("arrival", &PyFrameReceived::arrival,
                    "CLOCK_MONOTONIC seconds of its first packet.");
  py::class_<PyFrameRejected>(
      m, "FrameRejected", "Frames refused since the last such event of this receiver and reason.")
      .def_readonly("receiver", &PyFrameRejected::receiver)
      .def_readonly("reason", &PyFrameRejected::reason)
      .def_readonly("count", &PyFrameRejected::count);
  py::class_<PyKeyFrameRequested>(m, "KeyFrameRequested", "The other end needs a key frame.")
      .def_readonly("sender", &PyKeyFrameRequested::sender);
  py::class_<PyRemoteBye>(m, "RemoteBye", "The other end stopped this stream (RTCP BYE).")
      .def_readonly("receiver", &PyRemoteBye::receiver);
}

void bind_session_statistics(py::module_& m) {
  using session::ReceiverStatistics;
  using session::SenderStatistics;
  using session::SessionStatistics;
  py::class_<SessionStatistics>(m, "SessionStatistics", "Counters of a MediaSession.")
      .def_readonly("datagrams_received", &SessionStatistics::datagrams_received)
      .def_readonly(
          "datagrams_rejected", &SessionStatistics::datagrams_rejected,
          "Before keys, not authentic, replayed, malformed or of a stream that was given up.")
      .def_readonly("datagrams_replayed", &SessionStatistics::datagrams_replayed,
                    "Of these: replayed or too old.")
      .def_readonly(
          "datagrams_unrouted", &SessionStatistics::datagrams_unrouted,
          "Authentic, but of no receiver, or of a stream that another took the place of.");
  py::class_<SenderStatistics>(m, "SenderStatistics", "Counters of one sender.")
      .def_readonly("frames_sent", &SenderStatistics::frames_sent)
      .def_readonly("packets_sent", &SenderStatistics::packets_sent)
      .def_readonly("bytes_sent", &SenderStatistics::bytes_sent,
                    "RTP payload, without retransmissions.")
      .def_readonly("packets_retransmitted", &SenderStatistics::packets_retransmitted)
      .def_readonly("nacks_received", &SenderStatistics::nacks_received, "Packets asked for.")
      .def_readonly("key_frame_requests_received", &SenderStatistics::key_frame_requests_received)
      .def_property_readonly(
          "fraction_lost", [](const SenderStatistics& s) { return s.fraction_lost / 256.0; },
          "0 to 1, from the last receiver report.")
      .def_property_readonly(
          "round_trip_time",
          [](const SenderStatistics& s) {
            return std::chrono::duration<double>(s.round_trip_time).count();
          },
          "Seconds; 0 until measured.");
  py::class_<ReceiverStatistics>(m, "ReceiverStatistics", "Counters of one receiver.")
      .def_readonly("packets_received", &ReceiverStatistics::packets_received)
      .def_readonly("bytes_received", &ReceiverStatistics::bytes_received, "RTP payload.")
      .def_readonly("packets_lost", &ReceiverStatistics::packets_lost,
                    "As in the receiver report (RFC 3550).")
      .def_readonly("packets_duplicated", &ReceiverStatistics::packets_duplicated)
      .def_readonly("packets_discarded", &ReceiverStatistics::packets_discarded)
      .def_readonly("packets_malformed", &ReceiverStatistics::packets_malformed,
                    "Authentic, but with a payload that breaks its format.")
      .def_readonly("packets_recovered", &ReceiverStatistics::packets_recovered,
                    "Arrived after a NACK.")
      .def_readonly("retransmissions_received", &ReceiverStatistics::retransmissions_received,
                    "On the RTX stream (RFC 4588); not among packets_received.")
      .def_readonly("packets_from_redundancy", &ReceiverStatistics::packets_from_redundancy,
                    "Lost, or late, and taken from a RED packet (RFC 2198).")
      .def_readonly("frames_received", &ReceiverStatistics::frames_received, "Authentic ones.")
      .def_readonly("frames_missing", &ReceiverStatistics::frames_missing,
                    "Audio: handed on to be concealed.")
      .def_readonly("frames_dropped", &ReceiverStatistics::frames_dropped,
                    "Incomplete, or undecodable after a loss.")
      .def_readonly("nacks_sent", &ReceiverStatistics::nacks_sent)
      .def_readonly("key_frame_requests_sent", &ReceiverStatistics::key_frame_requests_sent)
      .def_readonly("jitter", &ReceiverStatistics::jitter, "RFC 3550, in timestamp units.")
      .def_property_readonly(
          "rejected",
          [](const ReceiverStatistics& s) {
            py::dict reasons;
            for (std::size_t i = 0; i < session::kRejectReasons; ++i) {
              reasons[reason_name(static_cast<session::RejectReason>(i))] = s.rejected[i];
            }
            return reasons;
          },
          "Frames not handed on, by reason.");
}

}  // namespace sealroom::bindings
