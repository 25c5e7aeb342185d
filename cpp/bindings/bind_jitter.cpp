#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jitter_intake.h"
#include "native_call.h"
#include "sealroom/jitter/video_jitter_buffer.h"

namespace sealroom::bindings {

void bind_audio_jitter(py::module_& m);

namespace {

using namespace py::literals;

struct PyVideoFrame {
  FrameData data;
  jitter::VideoFrame frame;
};

struct PyVideoStatistics {
  jitter::VideoJitterStatistics s;
  std::int64_t packets_lost = 0;
  double jitter = 0;
  std::uint64_t malformed = 0;
  std::uint64_t unmatched = 0;
};

class PyVideoJitterBuffer {
 public:
  PyVideoJitterBuffer(const std::string& codec, std::optional<std::uint32_t> ssrc,
                      std::size_t max_packets, std::size_t max_bytes, double max_gap_wait,
                      double key_frame_interval, double nack_retry, double nack_reorder_wait,
                      int nack_max_tries, std::size_t nack_max_packets)
      : intake_(codec_of_kind(codec, MediaKind::video)) {
    if (ssrc) intake_.ssrc = Ssrc{*ssrc};
    config_.max_packets = max_packets;
    config_.max_bytes = max_bytes;
    config_.max_gap_wait = positive_duration("max_gap_wait", max_gap_wait);
    config_.key_frame_interval = positive_duration("key_frame_interval", key_frame_interval);
    config_.nack_retry = positive_duration("nack_retry", nack_retry);
    config_.nack_reorder_wait = positive_duration("nack_reorder_wait", nack_reorder_wait);
    config_.nack_max_tries = nack_max_tries;
    config_.nack_max_packets = nack_max_packets;
    buffer_.emplace(config_);
  }

  void insert_list(const py::list& packets, double now) { insert(PacketBatch(packets), now); }
  void insert_batch(const py::buffer& data, const py::array& sizes, double now) {
    insert(PacketBatch(data, sizes), now);
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
      PyVideoFrame frame;
      frame.data.bytes = std::move(frames[i].data);
      frame.frame = std::move(frames[i]);
      list[i] = py::cast(std::move(frame));
    }
    return list;
  }

  void handle_timeout(double now) {
    const TimePoint time = to_time(now);
    const std::lock_guard lock(mutex_);
    buffer_->handle_timeout(time);
  }
  std::optional<double> next_timeout() {
    const std::lock_guard lock(mutex_);
    return to_timeout(buffer_->next_timeout());
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
  void reset(std::optional<std::uint32_t> ssrc) {
    const std::lock_guard lock(mutex_);
    const rtp::Codec codec = intake_.codec;
    intake_ = Intake(codec);
    if (ssrc) intake_.ssrc = Ssrc{*ssrc};
    buffer_.emplace(config_);
  }
  PyVideoStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return {buffer_->statistics(), intake_.reception.cumulative_lost(),
            static_cast<double>(intake_.reception.jitter()) / intake_.clock_rate, intake_.malformed,
            intake_.unmatched};
  }

 private:
  void insert(const PacketBatch& batch, double now) {
    const TimePoint time = to_time(now);
    run_native(batch.bytes(), [&] {
      const std::lock_guard lock(mutex_);
      for (const ByteView packet : batch.views()) insert_one(packet, time);
    });
  }

  void insert_one(ByteView bytes, TimePoint now) {
    const auto packet = intake_.open(bytes, now);
    if (!packet) return;
    const rtp::RtpHeader& header = packet->header();
    jitter::VideoPacket part;
    part.sequence_number = header.sequence_number;
    part.timestamp = header.timestamp;
    part.marker = header.marker;
    if (!packet->payload().empty()) {  // otherwise padding, which only fills its place
      const std::size_t scratch =
          rtp::depacketize_scratch_size(intake_.codec, packet->payload().size());
      if (scratch_.size() < scratch) scratch_.resize(scratch);
      const auto payload = rtp::depacketize(intake_.codec, packet->payload(), scratch_);
      if (!payload) {
        ++intake_.malformed;
        return;
      }
      part.payload = payload.value().data;
      part.starts_frame = payload.value().starts_frame;
      part.is_key_frame = payload.value().is_key_frame;
    }
    buffer_->insert(part, now);
  }

  std::mutex mutex_;
  Intake intake_;
  jitter::VideoJitterConfig config_;
  std::optional<jitter::VideoJitterBuffer> buffer_;
  Bytes scratch_;
};

void bind_video(py::module_& m) {
  py::class_<PyVideoFrame>(m, "VideoFrame", "A complete encoded frame.")
      .def_property_readonly(
          "data", [](PyVideoFrame& f) { return f.data.get(); },
          "uint8, one-dimensional; owns its native memory.")
      .def_property_readonly("timestamp",
                             [](const PyVideoFrame& f) { return f.frame.timestamp.value; })
      .def_property_readonly("is_key_frame",
                             [](const PyVideoFrame& f) { return f.frame.is_key_frame; })
      .def_property_readonly("first_sequence_number",
                             [](const PyVideoFrame& f) { return f.frame.first_sequence_number; })
      .def_property_readonly("last_sequence_number",
                             [](const PyVideoFrame& f) { return f.frame.last_sequence_number; })
      .def_property_readonly(
          "first_packet_arrival",
          [](const PyVideoFrame& f) { return to_seconds(f.frame.first_packet_arrival); },
          "Seconds, on the time line of `now`.")
      .def_property_readonly(
          "completed_at", [](const PyVideoFrame& f) { return to_seconds(f.frame.completed_at); },
          "Seconds: arrival of the packet that made it whole.");

  using S = PyVideoStatistics;
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
      .def_property_readonly("key_frames_received",
                             [](const S& s) { return s.s.key_frames_received; })
      .def_property_readonly("frames_assembled_from_multiple_packets",
                             [](const S& s) { return s.s.frames_assembled_from_multiple_packets; })
      .def_property_readonly(
          "total_assembly_time", [](const S& s) { return to_seconds(s.s.total_assembly_time); },
          "From first to last packet of these frames, summed.")
      .def_property_readonly(
          "jitter_buffer_delay", [](const S& s) { return to_seconds(s.s.jitter_buffer_delay); },
          "From a frame's first packet until it could be popped, summed.")
      .def_property_readonly(
          "freeze_count", [](const S& s) { return s.s.freeze_count; },
          "As if every frame were shown in the moment it leaves.")
      .def_property_readonly("total_freezes_duration",
                             [](const S& s) { return to_seconds(s.s.total_freezes_duration); });

  const jitter::VideoJitterConfig config;
  py::class_<PyVideoJitterBuffer>(
      m, "VideoJitterBuffer",
      "RTP packets of one video stream in, complete frames in order out, the first a key frame.\n\n"
      "`codec` is a name of sealroom.rtp; without `ssrc` the first packet decides which stream it\n"
      "is. Times are seconds on any one clock. Bounds: `max_packets` (16 to 16384) between the\n"
      "oldest and the newest, `max_bytes`, `nack_max_packets` missing ones. A missing packet is\n"
      "asked for `nack_reorder_wait` after a later one, every `nack_retry` (until\n"
      "set_round_trip_time), `nack_max_tries` times, and given up after `max_gap_wait`; then a "
      "key\n"
      "frame is. Thread-safe.")
      .def(py::init<const std::string&, std::optional<std::uint32_t>, std::size_t, std::size_t,
                    double, double, double, double, int, std::size_t>(),
           "codec"_a, py::kw_only(), "ssrc"_a = py::none(), "max_packets"_a = config.max_packets,
           "max_bytes"_a = config.max_bytes, "max_gap_wait"_a = to_seconds(config.max_gap_wait),
           "key_frame_interval"_a = to_seconds(config.key_frame_interval),
           "nack_retry"_a = to_seconds(config.nack_retry), "nack_reorder_wait"_a = 0.01,
           "nack_max_tries"_a = config.nack_max_tries,
           "nack_max_packets"_a = config.nack_max_packets)
      .def("insert", &PyVideoJitterBuffer::insert_list, "packets"_a, "now"_a,
           "Takes a list of bytes-like RTP packets. What is not RTP, of another stream or "
           "malformed\n"
           "is counted and changes nothing.")
      .def("insert_batch", &PyVideoJitterBuffer::insert_batch, "data"_a, "sizes"_a, "now"_a,
           "The same for packets laid end to end in `data`: uint8, and their sizes in bytes, a\n"
           "one-dimensional integer array. Raises InvalidArgumentError, then nothing is taken.")
      .def("pop", &PyVideoJitterBuffer::pop, "The frames that are ready, taken out.")
      .def("take_nacks", &PyVideoJitterBuffer::take_nacks, "now"_a,
           "Sequence numbers to ask for now: uint16, ascending, at most `nack_max_packets`.")
      .def("take_key_frame_request", &PyVideoJitterBuffer::take_key_frame_request, "now"_a,
           "True at most once per `key_frame_interval` while a key frame is needed.")
      .def("require_key_frame", &PyVideoJitterBuffer::require_key_frame,
           "The decoder cannot go on: drop frames until a key frame and ask for one.")
      .def("handle_timeout", &PyVideoJitterBuffer::handle_timeout, "now"_a,
           "To be called at next_timeout(); then drain as after insert().")
      .def("next_timeout", &PyVideoJitterBuffer::next_timeout, "None if nothing waits.")
      .def("set_round_trip_time", &PyVideoJitterBuffer::set_round_trip_time, "round_trip_time"_a,
           "Seconds; from now on the time between two requests for a packet, at least 10 ms.")
      .def("reset", &PyVideoJitterBuffer::reset, "ssrc"_a = py::none(),
           "Starts anew, for the stream `ssrc` or that of the next packet; counters begin at zero.")
      .def_property_readonly("statistics", &PyVideoJitterBuffer::statistics, "A copy.");
}

}  // namespace

void bind_jitter(py::module_& parent) {
  py::module_ m = parent.def_submodule("jitter", "Jitter buffers for RTP streams.");
  bind_video(m);
  bind_audio_jitter(m);
}

}  // namespace sealroom::bindings
