#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audio_frame.h"
#include "frames.h"
#include "jitter_object.h"
#include "sealroom/jitter/audio_jitter_buffer.h"

namespace sealroom::bindings {
namespace {

using namespace py::literals;

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

/// Frames one behind the other, on their way out of the buffer.
struct PoppedFrames {
  struct Frame {
    AudioFrameFields fields;
    std::size_t size;
  };
  Bytes data;
  std::vector<Frame> frames;
};

AudioFrameFields fields_of(const jitter::AudioFrame& frame) {
  return {frame.arrival, frame.timestamp, frame.sequence_number, frame.is_missing};
}

class PyAudioJitterBuffer
    : public JitterObject<PyAudioJitterBuffer, jitter::AudioJitterBuffer, jitter::AudioJitterConfig,
                          jitter::AudioJitterStatistics> {
 public:
  PyAudioJitterBuffer(const std::string& codec, const std::optional<Integer>& ssrc,
                      const Integer& max_packets, const Integer& max_bytes, double min_target_delay,
                      double max_target_delay, bool pull)
      : JitterObject(codec_of_kind(codec, MediaKind::audio)) {
    config_.clock_rate = intake_.clock_rate;
    config_.max_packets = within("max_packets", max_packets, kMinJitterPackets, kMaxJitterPackets);
    config_.max_bytes = within("max_bytes", max_bytes, kMinJitterBytes, kMaxJitterBytes);
    config_.min_target_delay = positive_duration("min_target_delay", min_target_delay);
    config_.max_target_delay = positive_duration("max_target_delay", max_target_delay);
    if (config_.min_target_delay > config_.max_target_delay) {
      raise(Error::invalid_argument, "min_target_delay: at most max_target_delay");
    }
    config_.pull = pull;
    start(intake_.codec, number<std::uint32_t>("ssrc", ssrc));
  }

  void insert_one(const rtp::RtpPacketView& packet, TimePoint now) {
    const rtp::RtpHeader& header = packet.header();
    buffer_->insert({header.sequence_number, header.timestamp, packet.payload()}, now);
  }

  py::list pop() {
    PoppedFrames popped = take_ready();
    py::list list(popped.frames.size());
    ByteView rest = popped.data;
    for (std::size_t i = 0; i < popped.frames.size(); ++i) {
      const PoppedFrames::Frame& frame = popped.frames[i];
      PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i),
                      make_audio_frame(frame.fields, rest.first(frame.size)).release().ptr());
      rest = rest.subspan(frame.size);
    }
    const std::lock_guard lock(mutex_);
    spare_ = std::move(popped);
    return list;
  }

  py::tuple pop_batch() {
    PoppedFrames popped = take_ready();
    const auto count = static_cast<py::ssize_t>(popped.frames.size());
    py::array_t<std::int32_t> sizes(count);  // what the batches of sframe and srtp take
    py::array_t<std::uint32_t> timestamps(count);
    py::array_t<bool> missing(count);
    std::int32_t* size = sizes.mutable_data();
    std::uint32_t* timestamp = timestamps.mutable_data();
    bool* is_missing = missing.mutable_data();
    for (const PoppedFrames::Frame& frame : popped.frames) {
      *size++ = static_cast<std::int32_t>(frame.size);
      *timestamp++ = frame.fields.timestamp.value;
      *is_missing++ = frame.fields.is_missing;
    }
    trim(popped.data);  // it may lie in the memory of a larger batch
    return py::make_tuple(to_array(std::move(popped.data)), std::move(sizes), std::move(timestamps),
                          std::move(missing));
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
        return {"frame", make_audio_frame(fields_of(frame), frame.data)};
      case jitter::Playout::missing:
        return {"missing", make_audio_frame(fields_of(frame), frame.data)};
      case jitter::Playout::underrun:
        return {"underrun", py::none()};
      case jitter::Playout::filling:
        break;
    }
    return {"filling", py::none()};
  }

  const char* hint() {
    const std::lock_guard lock(mutex_);
    return hint_name(buffer_->hint());
  }

 private:
  /// The memory is that of an earlier call, bounded by what the buffer may hold.
  PoppedFrames take_ready() {
    if (config_.pull)
      raise(Error::invalid_argument, "pull: frames of a pulled buffer leave by next()");
    const std::lock_guard lock(mutex_);
    PoppedFrames popped = std::exchange(spare_, {});
    popped.data.clear();
    popped.frames.clear();
    while (buffer_->pop(frame_)) {
      popped.data.insert(popped.data.end(), frame_.data.begin(), frame_.data.end());
      popped.frames.push_back({fields_of(frame_), frame_.data.size()});
    }
    return popped;
  }

  jitter::AudioFrame frame_;
  PoppedFrames spare_;
};

}  // namespace

void bind_audio_jitter(py::module_& m) {
  bind_audio_frame(m);

  using S = PyAudioJitterBuffer::Statistics;
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
          "target_delay", [](const S& s) { return to_seconds(s.s.target_delay); },
          "The target now, seconds.")
      .def_property_readonly(
          "buffered_delay", [](const S& s) { return to_seconds(s.s.buffered_delay); },
          "With `pull`: between the player and the newest packet, smoothed over a second.")
      .def_property_readonly(
          "clock_drift_ppm", [](const S& s) { return s.s.clock_drift_ppm; },
          "Positive if the sender's clock is faster than `now`; None in the first minute.");

  const jitter::AudioJitterConfig config;
  py::class_<PyAudioJitterBuffer> buffer(
      m, "AudioJitterBuffer",
      "RTP packets of one audio stream in, frames in order out.\n\n"
      "In order a packet leaves at once; behind a gap it waits at most the target delay, then the\n"
      "gap leaves as frames with `is_missing`, at most 10. The target is the 0.95 quantile of the\n"
      "relative delay with forgetting, within `min_target_delay` and `max_target_delay`. With\n"
      "`pull` frames leave by next(), at the pace of a player with its own clock. Without `ssrc`\n"
      "the first packet decides which stream it is. Times are seconds on any one clock. Bounds:\n"
      "`max_packets` (16 to 16384), `max_bytes` (1500 to 2**30); over one the oldest frames go.\n"
      "Thread-safe.\n\n"
      "Raises InvalidArgumentError for a codec that is not audio and what is out of its range.");
  PyAudioJitterBuffer::bind(
      buffer, "not RTP or of another stream", "To be called at next_timeout(); then pop().",
      "Seconds on the clock of `now`; None if nothing waits, and with `pull`.");
  buffer
      .def(py::init<const std::string&, const std::optional<Integer>&, const Integer&,
                    const Integer&, double, double, bool>(),
           "codec"_a = "opus", py::kw_only(), "ssrc"_a = py::none(),
           "max_packets"_a = config.max_packets, "max_bytes"_a = config.max_bytes,
           "min_target_delay"_a = to_seconds(config.min_target_delay),
           "max_target_delay"_a = to_seconds(config.max_target_delay), "pull"_a = false)
      .def("pop", &PyAudioJitterBuffer::pop,
           "The frames that are ready, taken out, in order. Raises InvalidArgumentError with "
           "`pull`.")
      .def("pop_batch", &PyAudioJitterBuffer::pop_batch,
           "The same as four arrays: the frames end to end (uint8, shape (bytes,)), and of each, "
           "shape\n"
           "(frames,), its size (int32, 0 where it is missing), timestamp (uint32), and whether it "
           "is\n"
           "missing (bool).")
      .def(
          "next", &PyAudioJitterBuffer::next, "now"_a,
          "With `pull`: what the player needs now, once per frame of its clock. One of\n"
          "(\"frame\", AudioFrame), (\"missing\", AudioFrame) to conceal, (\"underrun\", None) to\n"
          "conceal without a packet to come, (\"filling\", None) to play silence. "
          "Raises\nInvalidArgumentError without `pull`.")
      .def("hint", &PyAudioJitterBuffer::hint,
           "With `pull`: \"accelerate\", \"expand\" or \"normal\", to keep the delay at the "
           "target.");

  m.def(
      "playout_hint",
      [](double buffered_delay, double target_delay) {
        return hint_name(jitter::playout_hint(positive_duration("buffered_delay", buffered_delay),
                                              positive_duration("target_delay", target_delay)));
      },
      "buffered_delay"_a, "target_delay"_a,
      "What a player with `buffered_delay` seconds ahead of it should do: \"accelerate\",\n"
      "\"expand\" or \"normal\". NetEq's limits. Raises InvalidArgumentError for negative ones.");
}

}  // namespace sealroom::bindings
