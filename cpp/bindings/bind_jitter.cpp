#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jitter_object.h"
#include "sealroom/jitter/video_jitter_buffer.h"
#include "video_frame.h"

namespace sealroom::bindings {

void bind_audio_jitter(py::module_& m);

namespace {

using namespace py::literals;

class PyVideoJitterBuffer
    : public JitterObject<PyVideoJitterBuffer, jitter::VideoJitterBuffer, jitter::VideoJitterConfig,
                          jitter::VideoJitterStatistics> {
 public:
  PyVideoJitterBuffer(const std::string& codec, const std::optional<Integer>& ssrc,
                      const Integer& max_packets, const Integer& max_bytes, double max_gap_wait,
                      double key_frame_interval, double nack_retry, double nack_reorder_wait,
                      const Integer& nack_max_tries, const Integer& nack_max_packets)
      : JitterObject(codec_of_kind(codec, MediaKind::video)) {
    config_.max_packets = within("max_packets", max_packets, kMinJitterPackets, kMaxJitterPackets);
    config_.max_bytes = within("max_bytes", max_bytes, kMinJitterBytes, kMaxJitterBytes);
    config_.max_gap_wait = positive_duration("max_gap_wait", max_gap_wait);
    config_.key_frame_interval = positive_duration("key_frame_interval", key_frame_interval);
    config_.nack_retry = positive_duration("nack_retry", nack_retry);
    config_.nack_reorder_wait = positive_duration("nack_reorder_wait", nack_reorder_wait);
    config_.nack_max_tries = static_cast<int>(within("nack_max_tries", nack_max_tries, 0, 1000));
    config_.nack_max_packets = within("nack_max_packets", nack_max_packets, 1, kMaxJitterPackets);
    start(intake_.codec, number<std::uint32_t>("ssrc", ssrc));
  }

  py::list pop() {
    std::vector<jitter::VideoFrame> frames;
    {
      const std::lock_guard lock(mutex_);
      jitter::VideoFrame frame;
      while (buffer_->pop(frame)) {
        if (!rtp::finish_frame(intake_.codec, frame.data)) {
          ++intake_.malformed;
          buffer_->require_key_frame();
          continue;
        }
        frames.push_back(std::move(frame));
        frame = jitter::VideoFrame();
      }
    }
    py::list list(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i),
                      make_video_frame(std::move(frames[i])).release().ptr());
    }
    return list;
  }

  py::array_t<std::uint16_t> take_nacks(double now) {
    const TimePoint time = to_time(now);
    std::vector<std::uint16_t> numbers(config_.nack_max_packets);
    {
      const std::lock_guard lock(mutex_);
      numbers.resize(buffer_->take_nacks(time, numbers));
    }
    return py::array_t<std::uint16_t>(static_cast<py::ssize_t>(numbers.size()), numbers.data());
  }
  bool take_key_frame_request(double now) {
    const TimePoint time = to_time(now);
    const std::lock_guard lock(mutex_);
    return buffer_->take_key_frame_request(time);
  }
  void require_key_frame() {
    const std::lock_guard lock(mutex_);
    buffer_->require_key_frame();
  }
  void set_round_trip_time(double seconds) {
    const Duration duration = positive_duration("round_trip_time", seconds);
    const std::lock_guard lock(mutex_);
    buffer_->set_round_trip_time(duration);
  }
  void insert_one(const rtp::RtpPacketView& packet, TimePoint now) {
    const rtp::RtpHeader& header = packet.header();
    jitter::VideoPacket part;
    part.sequence_number = header.sequence_number;
    part.timestamp = header.timestamp;
    part.marker = header.marker;
    if (!packet.payload().empty()) {  // otherwise padding, which only fills its place
      const std::size_t scratch =
          rtp::depacketize_scratch_size(intake_.codec, packet.payload().size());
      if (scratch_.size() < scratch) scratch_.resize(scratch);
      const auto payload = rtp::depacketize(intake_.codec, packet.payload(), scratch_);
      if (!payload) {
        ++intake_.malformed;
        buffer_->insert_unusable(header.sequence_number, now);
        return;
      }
      part.payload = payload.value().data;
      part.starts_frame = payload.value().starts_frame;
      part.is_key_frame = part.starts_frame && payload.value().is_key_frame;
      part.may_be_preceded = payload.value().may_be_preceded;
      part.signs = payload.value().signs;
    }
    buffer_->insert(part, now);
  }

 private:
  Bytes scratch_;
};

void bind_video(py::module_& m) {
  bind_video_frame(m);

  using S = PyVideoJitterBuffer::Statistics;
  py::class_<S> statistics(m, "VideoStatistics",
                           "Counters under the names of W3C webrtc-stats; times are in seconds.");
  bind_common_statistics<S>(statistics);
  statistics
      .def_property_readonly(
          "packets_recovered", [](const S& s) { return s.s.packets_recovered; },
          "Arrived after they were asked for.")
      .def_property_readonly(
          "nack_count", [](const S& s) { return s.s.nack_count; },
          "Requests taken, for any number of packets.")
      .def_property_readonly(
          "packets_requested", [](const S& s) { return s.s.nacks_sent; },
          "Packets in these requests, retries counted.")
      .def_property_readonly(
          "pli_count", [](const S& s) { return s.s.key_frame_requests; },
          "Key-frame requests taken.")
      .def_property_readonly(
          "frames_received", [](const S& s) { return s.s.frames_received; },
          "Complete, in order and decodable.")
      .def_property_readonly(
          "frames_dropped", [](const S& s) { return s.s.frames_dropped; },
          "Incomplete, undecodable after a loss, or not fetched.")
      .def_property_readonly(
          "key_frames_received", [](const S& s) { return s.s.key_frames_received; },
          "Of frames_received.")
      .def_property_readonly(
          "frames_assembled_from_multiple_packets",
          [](const S& s) { return s.s.frames_assembled_from_multiple_packets; },
          "Of frames_received.")
      .def_property_readonly(
          "total_assembly_time", [](const S& s) { return to_seconds(s.s.total_assembly_time); },
          "From first to last packet of these frames, summed.")
      .def_property_readonly(
          "jitter_buffer_delay", [](const S& s) { return to_seconds(s.s.jitter_buffer_delay); },
          "From a frame's first packet until it could be popped, summed.")
      .def_property_readonly(
          "freeze_count", [](const S& s) { return s.s.freeze_count; },
          "As if every frame were shown in the moment it leaves.")
      .def_property_readonly(
          "total_freezes_duration",
          [](const S& s) { return to_seconds(s.s.total_freezes_duration); },
          "Their length, seconds, summed.");

  const jitter::VideoJitterConfig config;
  py::class_<PyVideoJitterBuffer> buffer(
      m, "VideoJitterBuffer",
      "RTP packets of one video stream in, complete frames in order out, the first a key frame.\n\n"
      "`codec` is a name of sealroom.rtp; without `ssrc` the first packet decides which stream it\n"
      "is. Times are seconds on any one clock. Bounds: `max_packets` (16 to 16384) between the\n"
      "oldest and the newest, `max_bytes` (1500 to 2**30), `nack_max_packets` (1 to 16384)\n"
      "missing ones. A missing packet is\n"
      "asked for `nack_reorder_wait` after a later one, every `nack_retry` (until\n"
      "set_round_trip_time), `nack_max_tries` times (0 to 1000), and given up after "
      "`max_gap_wait`; then a "
      "key\n"
      "frame is. Thread-safe.\n\n"
      "Raises InvalidArgumentError for a codec that is not video and what is out of its range.");
  PyVideoJitterBuffer::bind(buffer, "not RTP, of another stream or malformed",
                            "To be called at next_timeout(); then drain as after insert().",
                            "Seconds on the clock of `now`; None if nothing waits.");
  buffer
      .def(py::init<const std::string&, const std::optional<Integer>&, const Integer&,
                    const Integer&, double, double, double, double, const Integer&,
                    const Integer&>(),
           "codec"_a, py::kw_only(), "ssrc"_a = py::none(), "max_packets"_a = config.max_packets,
           "max_bytes"_a = config.max_bytes, "max_gap_wait"_a = to_seconds(config.max_gap_wait),
           "key_frame_interval"_a = to_seconds(config.key_frame_interval),
           "nack_retry"_a = to_seconds(config.nack_retry), "nack_reorder_wait"_a = 0.01,
           "nack_max_tries"_a = config.nack_max_tries,
           "nack_max_packets"_a = config.nack_max_packets)
      .def("pop", &PyVideoJitterBuffer::pop, "The frames that are ready, taken out, in order.")
      .def("take_nacks", &PyVideoJitterBuffer::take_nacks, "now"_a,
           "Sequence numbers to ask for now (RFC 4585 section 6.2.1): uint16, shape (n,), "
           "ascending,\nat most `nack_max_packets`.")
      .def("take_key_frame_request", &PyVideoJitterBuffer::take_key_frame_request, "now"_a,
           "True at most once per `key_frame_interval` while a key frame is needed: send a "
           "PLI\n(RFC 4585 section 6.3.1).")
      .def("require_key_frame", &PyVideoJitterBuffer::require_key_frame,
           "Decryption (AuthenticationError of sframe) or the decoder cannot go on: drop frames "
           "until a key frame and ask for one.")
      .def("set_round_trip_time", &PyVideoJitterBuffer::set_round_trip_time, "round_trip_time"_a,
           "Seconds; from now on the time between two requests for a packet, at least 10 ms. "
           "Raises\nInvalidArgumentError for a negative one.");
}

}  // namespace

void bind_jitter(py::module_& parent) {
  py::module_ m = parent.def_submodule("jitter", "Jitter buffers for RTP streams.");
  bind_video(m);
  bind_audio_jitter(m);
}

}  // namespace sealroom::bindings
