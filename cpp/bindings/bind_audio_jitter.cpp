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
#include "sealroom/jitter/audio_jitter_buffer.h"

namespace sealroom::bindings {
namespace {

using namespace py::literals;

struct PyAudioFrame {
  FrameData data;
  jitter::AudioFrame frame;
};

struct PyAudioStatistics {
  jitter::AudioJitterStatistics s;
  std::int64_t packets_lost = 0;
  double jitter = 0;
  std::uint64_t malformed = 0;
  std::uint64_t unmatched = 0;
};

const char* hint_name(jitter::PlayoutHint hint) {
  switch (hint) {
    case jitter::PlayoutHint::accelerate:
      return "accelerate";
    case jitter::PlayoutHint::expand:
      return "expand";
    case jitter::PlayoutHint::normal:
      break;
  }
  return "normal";
}

class PyAudioJitterBuffer {
 public:
  PyAudioJitterBuffer(const std::string& codec, std::optional<std::uint32_t> ssrc,
                      std::size_t max_packets, std::size_t max_bytes, double min_target_delay,
                      double max_target_delay, bool pull)
      : intake_(codec_of_kind(codec, MediaKind::audio)) {
    if (ssrc) intake_.ssrc = Ssrc{*ssrc};
    config_.clock_rate = intake_.clock_rate;
    config_.max_packets = max_packets;
    config_.max_bytes = max_bytes;
    config_.min_target_delay = positive_duration("min_target_delay", min_target_delay);
    config_.max_target_delay = positive_duration("max_target_delay", max_target_delay);
    config_.pull = pull;
    buffer_.emplace(config_);
  }

  void insert_list(const py::list& packets, double now) { insert(PacketBatch(packets), now); }
  void insert_batch(const py::buffer& data, const py::array& sizes, double now) {
    insert(PacketBatch(data, sizes), now);
  }

  py::list pop() {
    refuse_pull();
    std::vector<jitter::AudioFrame> frames;
    {
      const std::lock_guard lock(mutex_);
      jitter::AudioFrame frame;
      while (buffer_->pop(frame)) {
        frames.push_back(std::move(frame));
        frame = jitter::AudioFrame();
      }
    }
    py::list list(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) list[i] = to_object(std::move(frames[i]));
    return list;
  }

  py::tuple pop_batch() {
    refuse_pull();
    Bytes data;
    std::vector<std::int64_t> sizes;
    std::vector<std::uint32_t> timestamps;
    std::vector<std::uint8_t> missing;
    {
      const std::lock_guard lock(mutex_);
      while (buffer_->pop(frame_)) {
        data.insert(data.end(), frame_.data.begin(), frame_.data.end());
        sizes.push_back(static_cast<std::int64_t>(frame_.data.size()));
        timestamps.push_back(frame_.timestamp.value);
        missing.push_back(frame_.is_missing ? 1 : 0);
      }
    }
    const auto count = static_cast<py::ssize_t>(sizes.size());
    py::array_t<bool> mask(count);
    std::copy(missing.begin(), missing.end(), mask.mutable_data());
    return py::make_tuple(to_array(std::move(data)), py::array_t<std::int64_t>(count, sizes.data()),
                          py::array_t<std::uint32_t>(count, timestamps.data()), mask);
  }

  std::pair<const char*, py::object> next(double now) {
    if (!config_.pull) raise(Error::invalid_argument, "pull: next() needs pull=True; use pop()");
    const TimePoint time = to_time(now);
    jitter::AudioFrame frame;
    jitter::Playout playout{};
    {
      const std::lock_guard lock(mutex_);
      playout = buffer_->next(frame, time);
    }
    switch (playout) {
      case jitter::Playout::frame:
        return {"frame", to_object(std::move(frame))};
      case jitter::Playout::missing:
        return {"missing", to_object(std::move(frame))};
      case jitter::Playout::underrun:
        return {"underrun", py::none()};
      case jitter::Playout::filling:
        break;
    }
    return {"filling", py::none()};
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
  const char* hint() {
    const std::lock_guard lock(mutex_);
    return hint_name(buffer_->hint());
  }
  void reset(std::optional<std::uint32_t> ssrc) {
    const std::lock_guard lock(mutex_);
    const rtp::Codec codec = intake_.codec;
    intake_ = Intake(codec);
    if (ssrc) intake_.ssrc = Ssrc{*ssrc};
    buffer_.emplace(config_);
  }
  PyAudioStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return {buffer_->statistics(), intake_.reception.cumulative_lost(),
            static_cast<double>(intake_.reception.jitter()) / intake_.clock_rate, intake_.malformed,
            intake_.unmatched};
  }

 private:
  void refuse_pull() const {
    if (config_.pull)
      raise(Error::invalid_argument, "pull: frames of a pulled buffer leave by next()");
  }

  static py::object to_object(jitter::AudioFrame frame) {
    PyAudioFrame result;
    result.data.bytes = std::move(frame.data);
    result.frame = std::move(frame);
    return py::cast(std::move(result));
  }

  void insert(const PacketBatch& batch, double now) {
    const TimePoint time = to_time(now);
    run_native(batch.bytes(), [&] {
      const std::lock_guard lock(mutex_);
      for (const ByteView bytes : batch.views()) {
        const auto packet = intake_.open(bytes, time);
        if (!packet) continue;
        const rtp::RtpHeader& header = packet->header();
        buffer_->insert({header.sequence_number, header.timestamp, packet->payload()}, time);
      }
    });
  }

  std::mutex mutex_;
  Intake intake_;
  jitter::AudioJitterConfig config_;
  std::optional<jitter::AudioJitterBuffer> buffer_;
  jitter::AudioFrame frame_;
};

}  // namespace

void bind_audio_jitter(py::module_& m) {
  py::class_<PyAudioFrame>(m, "AudioFrame", "An encoded frame, or the mark of one that is missing.")
      .def_property_readonly(
          "data", [](PyAudioFrame& f) { return f.data.get(); },
          "uint8, one-dimensional; owns its native memory; empty where `is_missing`.")
      .def_property_readonly("timestamp",
                             [](const PyAudioFrame& f) { return f.frame.timestamp.value; })
      .def_property_readonly("sequence_number",
                             [](const PyAudioFrame& f) { return f.frame.sequence_number; })
      .def_property_readonly(
          "is_missing", [](const PyAudioFrame& f) { return f.frame.is_missing; },
          "Conceal this frame; its timestamp is interpolated.")
      .def_property_readonly(
          "arrival", [](const PyAudioFrame& f) { return to_seconds(f.frame.arrival); },
          "Seconds; of a missing frame: of the packet behind the gap.");

  using S = PyAudioStatistics;
  py::class_<S> statistics(m, "AudioStatistics",
                           "Counters under the names of W3C webrtc-stats; times are in seconds.");
  bind_common_statistics<S>(statistics);
  statistics
      .def_property_readonly(
          "jitter_buffer_delay", [](const S& s) { return s.s.jitter_buffer_delay; },
          "From arrival to leaving, summed over samples.")
      .def_property_readonly(
          "jitter_buffer_target_delay", [](const S& s) { return s.s.jitter_buffer_target_delay; },
          "The target, summed over samples.")
      .def_property_readonly(
          "jitter_buffer_minimum_delay", [](const S& s) { return s.s.jitter_buffer_minimum_delay; },
          "The target without the configured bounds, summed over samples.")
      .def_property_readonly(
          "concealed_samples", [](const S& s) { return s.s.concealed_samples; },
          "In missing frames and underruns handed out.")
      .def_property_readonly(
          "concealment_events", [](const S& s) { return s.s.concealment_events; }, "Runs of these.")
      .def_property_readonly(
          "target_delay", [](const S& s) { return to_seconds(s.s.target_delay); }, "Now.")
      .def_property_readonly(
          "buffered_delay", [](const S& s) { return to_seconds(s.s.buffered_delay); },
          "With `pull`: between the player and the newest packet, smoothed over a second.")
      .def_property_readonly(
          "clock_drift_ppm", [](const S& s) { return s.s.clock_drift_ppm; },
          "Positive if the sender's clock is faster than `now`; None in the first minute.");

  const jitter::AudioJitterConfig config;
  py::class_<PyAudioJitterBuffer>(
      m, "AudioJitterBuffer",
      "RTP packets of one audio stream in, frames in order out.\n\n"
      "In order a packet leaves at once; behind a gap it waits at most the target delay, then the\n"
      "gap leaves as frames with `is_missing`, at most 10. The target is the 0.95 quantile of the\n"
      "relative delay with forgetting, within `min_target_delay` and `max_target_delay`. With\n"
      "`pull` frames leave by next(), at the pace of a player with its own clock. Without `ssrc`\n"
      "the first packet decides which stream it is. Times are seconds on any one clock. Bounds:\n"
      "`max_packets` (16 to 16384), `max_bytes`; over one the oldest frames go. Thread-safe.")
      .def(py::init<const std::string&, std::optional<std::uint32_t>, std::size_t, std::size_t,
                    double, double, bool>(),
           "codec"_a = "opus", py::kw_only(), "ssrc"_a = py::none(),
           "max_packets"_a = config.max_packets, "max_bytes"_a = config.max_bytes,
           "min_target_delay"_a = to_seconds(config.min_target_delay),
           "max_target_delay"_a = to_seconds(config.max_target_delay), "pull"_a = false)
      .def("insert", &PyAudioJitterBuffer::insert_list, "packets"_a, "now"_a,
           "Takes a list of bytes-like RTP packets. What is not RTP or of another stream is "
           "counted\n"
           "and changes nothing.")
      .def("insert_batch", &PyAudioJitterBuffer::insert_batch, "data"_a, "sizes"_a, "now"_a,
           "The same for packets laid end to end in `data`: uint8, and their sizes in bytes, a\n"
           "one-dimensional integer array. Raises InvalidArgumentError, then nothing is taken.")
      .def("pop", &PyAudioJitterBuffer::pop, "The frames that are ready, taken out.")
      .def("pop_batch", &PyAudioJitterBuffer::pop_batch,
           "The same as four arrays: the frames end to end (uint8), their sizes (int64, 0 where "
           "one\n"
           "is missing), timestamps (uint32), and which are missing (bool).")
      .def(
          "next", &PyAudioJitterBuffer::next, "now"_a,
          "With `pull`: what the player needs now, once per frame of its clock. One of\n"
          "(\"frame\", AudioFrame), (\"missing\", AudioFrame) to conceal, (\"underrun\", None) to\n"
          "conceal without a packet to come, (\"filling\", None) to play silence.")
      .def(
          "hint", &PyAudioJitterBuffer::hint,
          "With `pull`: \"accelerate\", \"expand\" or \"normal\", to keep the delay at the target.")
      .def("handle_timeout", &PyAudioJitterBuffer::handle_timeout, "now"_a,
           "To be called at next_timeout(); then pop().")
      .def("next_timeout", &PyAudioJitterBuffer::next_timeout,
           "None if nothing waits, and with `pull`.")
      .def("reset", &PyAudioJitterBuffer::reset, "ssrc"_a = py::none(),
           "Starts anew, for the stream `ssrc` or that of the next packet; counters begin at zero.")
      .def_property_readonly("statistics", &PyAudioJitterBuffer::statistics, "A copy.");

  m.def(
      "playout_hint",
      [](double buffered_delay, double target_delay) {
        return hint_name(jitter::playout_hint(positive_duration("buffered_delay", buffered_delay),
                                              positive_duration("target_delay", target_delay)));
      },
      "buffered_delay"_a, "target_delay"_a,
      "What a player with `buffered_delay` seconds ahead of it should do: \"accelerate\",\n"
      "\"expand\" or \"normal\". NetEq's limits.");
}

}  // namespace sealroom::bindings
