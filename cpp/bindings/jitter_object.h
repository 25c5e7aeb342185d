#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "integers.h"
#include "jitter_intake.h"
#include "native_call.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::bindings {

/// What the buffers' own clamps are, told in the constructor.
inline constexpr std::uint64_t kMinJitterPackets = 16;
inline constexpr std::uint64_t kMaxJitterPackets = 16384;
inline constexpr std::uint64_t kMinJitterBytes = 1500;  ///< a packet
inline constexpr std::uint64_t kMaxJitterBytes = std::uint64_t{1} << 30;

/// The counters of a jitter buffer, of its intake and of RFC 3550 as one object.
template <class Counters>
struct JitterStatistics {
  Counters s;
  std::int64_t packets_lost = 0;
  double jitter = 0;
  std::uint64_t malformed = 0;
  std::uint64_t unmatched = 0;
};

/// What the bound video and audio buffers share: packets in, time-outs, counters, starting anew.
/// `Bound` derives from this and has `insert_one(packet, now)`, which is called with the mutex held
/// and perhaps without the GIL. Nothing makes Python objects under the mutex: that may run
/// finalisers, which may call the buffer.
template <class Bound, class Buffer, class Config, class Counters>
class JitterObject {
 public:
  using Statistics = JitterStatistics<Counters>;

  template <class Class>
  static void bind(Class& cls, const char* refused, const char* on_timeout,
                   const char* no_timeout) {
    using namespace py::literals;
    const std::string insert_doc =
        std::string(
            "Takes a list of bytes-like RTP packets (RFC 3550) that came at `now`, in "
            "seconds. What is\n") +
        refused +
        " is counted and changes nothing. Raises TypeError for another list,\n"
        "InvalidArgumentError for a `now` that is no finite number within 1e11.";
    cls.def("take_report_block", &JitterObject::take_report_block, py::kw_only(),
            "last_sender_report"_a = 0, "delay_since_last_sender_report"_a = 0,
            "The stream's ReportBlock for rtp.write_receiver_report or a sender report (RFC 3550\n"
            "section 6.4.1): fraction lost since the last call, packets lost, highest sequence "
            "number,\n"
            "jitter. The two arguments are what the stream's last SenderReport gives: the middle "
            "32\n"
            "bits of its NTP time, and the time since, in 1/65536 s. None before the first packet.")
        .def("insert", &JitterObject::insert_list, "packets"_a, "now"_a, insert_doc.c_str())
        .def("insert_batch", &JitterObject::insert_batch, "data"_a, "sizes"_a, "now"_a,
             "The same for packets laid end to end in `data`: uint8, shape (bytes,), and their\n"
             "`sizes` in bytes, integers, shape (packets,). Raises InvalidArgumentError where "
             "sizes\n"
             "do not add up to the bytes; then nothing is taken.")
        .def("handle_timeout", &JitterObject::handle_timeout, "now"_a, on_timeout)
        .def("next_timeout", &JitterObject::next_timeout, no_timeout)
        .def("reset", &JitterObject::reset, "ssrc"_a = py::none(),
             "Starts anew, for the stream `ssrc` or that of the next packet; counters begin at "
             "zero.")
        .def_property_readonly("statistics", &JitterObject::statistics, "A copy of the counters.");
  }

  void insert_list(const py::list& packets, double now) { insert(PacketBatch(packets), now); }
  void insert_batch(const py::buffer& data, const py::array& sizes, double now) {
    insert(PacketBatch(data, sizes), now);
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
  void reset(const std::optional<Integer>& new_ssrc) {
    const auto ssrc = number<std::uint32_t>("ssrc", new_ssrc);
    const std::lock_guard lock(mutex_);
    start(intake_.codec, ssrc);
  }
  std::optional<rtp::ReportBlock> take_report_block(const Integer& last_sender_report,
                                                    const Integer& delay) {
    rtp::ReportBlock block;
    block.last_sender_report = number<std::uint32_t>("last_sender_report", last_sender_report);
    block.delay_since_last_sender_report =
        number<std::uint32_t>("delay_since_last_sender_report", delay);
    const std::lock_guard lock(mutex_);
    jitter::ReceptionStatistics& reception = intake_.reception;
    if (!intake_.ssrc || reception.packets_received() == 0) return std::nullopt;
    block.ssrc = *intake_.ssrc;
    block.fraction_lost = reception.take_fraction_lost();
    block.cumulative_lost = reception.cumulative_lost();
    block.extended_highest_sequence = reception.extended_highest_sequence();
    block.jitter = reception.jitter();
    return block;
  }
  Statistics statistics() {
    const std::lock_guard lock(mutex_);
    return {buffer_->statistics(), intake_.reception.cumulative_lost(),
            static_cast<double>(intake_.reception.jitter()) / intake_.clock_rate, intake_.malformed,
            intake_.unmatched};
  }

 protected:
  explicit JitterObject(rtp::Codec codec) : intake_(codec) {}

  /// With the config as it is now.
  void start(rtp::Codec codec, std::optional<std::uint32_t> ssrc) {
    intake_ = Intake(codec);
    if (ssrc) intake_.ssrc = Ssrc{*ssrc};
    buffer_.emplace(config_);
  }

  std::mutex mutex_;
  Intake intake_;
  Config config_;
  std::optional<Buffer> buffer_;

 private:
  void insert(const PacketBatch& batch, double now) {
    const TimePoint time = to_time(now);
    run_native(batch.bytes(), [&] {
      const std::lock_guard lock(mutex_);
      for (const ByteView bytes : batch.views()) {
        const auto packet = rtp::RtpPacketView::parse(bytes);
        if (!packet) {
          ++intake_.malformed;
        } else if (intake_.accepts(packet.value().header(), time)) {
          static_cast<Bound*>(this)->insert_one(packet.value(), time);
        }
      }
    });
  }
};

/// The counters that both kinds of buffer have.
template <class Statistics, class Class>
void bind_common_statistics(Class& c) {
  c.def_property_readonly(
       "packets_received", [](const Statistics& s) { return s.s.packets_received; },
       "Of this stream; also duplicates and what was discarded.")
      .def_readonly(
          "packets_lost", &Statistics::packets_lost,
          "Expected less received (RFC 3550): negative where duplicates, or packets from\n"
          "before the first one that came, prevail.")
      .def_property_readonly(
          "packets_discarded", [](const Statistics& s) { return s.s.packets_discarded; },
          "Too late, out of range, or over a bound.")
      .def_property_readonly(
          "packets_duplicated", [](const Statistics& s) { return s.s.packets_duplicated; },
          "Came before.")
      .def_property_readonly(
          "packets_given_up", [](const Statistics& s) { return s.s.packets_lost; },
          "Not there when they were needed.")
      .def_readonly("packets_malformed", &Statistics::malformed,
                    "Not RTP, or a payload that breaks its format.")
      .def_readonly("packets_unmatched", &Statistics::unmatched, "Of another SSRC.")
      .def_readonly("jitter", &Statistics::jitter,
                    "Interarrival jitter (RFC 3550 section 6.4.1), in seconds.")
      .def_property_readonly(
          "frames_delivered", [](const Statistics& s) { return s.s.frames_delivered; },
          "Taken out, without missing ones.")
      .def_property_readonly(
          "jitter_buffer_emitted_count",
          [](const Statistics& s) { return s.s.jitter_buffer_emitted_count; },
          "Video: frames. Audio: samples at the clock rate.");
}

}  // namespace sealroom::bindings
