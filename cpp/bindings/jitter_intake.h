#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cmath>
#include <forward_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "sealroom/jitter/reception_statistics.h"
#include "sealroom/rtp/packet.h"
#include "sealroom/rtp/payload_format.h"

namespace sealroom::bindings {

namespace py = pybind11;

inline constexpr double kMaxSeconds =
    1e11;  // of any clock; microseconds of it fit twice into 64 bits

inline Duration to_duration(const char* name, double seconds) {
  if (!(std::abs(seconds) <= kMaxSeconds)) {
    raise(Error::invalid_argument, std::string(name) + ": seconds, a finite number within 1e11");
  }
  return Duration(std::llround(seconds * 1e6));
}

inline Duration positive_duration(const char* name, double seconds) {
  if (seconds < 0) raise(Error::invalid_argument, std::string(name) + ": seconds, not negative");
  return to_duration(name, seconds);
}

inline TimePoint to_time(double now) { return TimePoint(to_duration("now", now)); }

inline double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
inline double to_seconds(TimePoint time) { return to_seconds(time.time_since_epoch()); }

inline std::optional<double> to_timeout(TimePoint time) {
  if (time == kNever) return std::nullopt;
  return to_seconds(time);
}

/// A view of a list of packets, or of packets laid end to end. Made with the GIL held.
class PacketBatch {
 public:
  explicit PacketBatch(const py::list& packets) {
    views_.reserve(packets.size());
    references_.reserve(packets.size());
    for (const py::handle packet : packets) {
      // `bytes` cannot change or go away while the list is held: no buffer protocol needed, unless
      // the list itself is changed by another thread, which a reference guards against.
      if (PyBytes_CheckExact(packet.ptr())) {
        references_.push_back(py::reinterpret_borrow<py::object>(packet));
        add({reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(packet.ptr())),
             static_cast<std::size_t>(PyBytes_GET_SIZE(packet.ptr()))});
        continue;
      }
      if (!py::isinstance<py::buffer>(packet)) {
        throw py::type_error("packets: a list of bytes-like objects");
      }
      add(buffers_.emplace_front(py::reinterpret_borrow<py::buffer>(packet)).view());
    }
  }

  PacketBatch(const py::buffer& data, const py::array& sizes) {
    const ByteView all = buffers_.emplace_front(data).view();
    const char kind = sizes.dtype().kind();  // of an empty list it is that of floats
    if (sizes.ndim() != 1 || (kind != 'i' && kind != 'u' && sizes.size() > 0)) {
      raise(Error::invalid_argument, "sizes: a one-dimensional array of integers");
    }
    if (const auto plain = plain_array(sizes, false); plain && holds<std::int64_t>(*plain)) {
      add_all(all, {static_cast<const std::int64_t*>(plain->data()),
                    static_cast<std::size_t>(plain->shape(0))});
      return;
    }
    const auto numbers =
        py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(sizes);
    add_all(all, {numbers.data(), static_cast<std::size_t>(numbers.shape(0))});
  }

  [[nodiscard]] const std::vector<ByteView>& views() const { return views_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void add_all(ByteView all, std::span<const std::int64_t> sizes) {
    views_.reserve(sizes.size());
    std::size_t at = 0;
    for (const std::int64_t size : sizes) {
      if (size < 0 || static_cast<std::uint64_t>(size) > all.size() - at) {
        raise(Error::invalid_argument, "sizes: their sum must be the size of data");
      }
      add(all.subspan(at, static_cast<std::size_t>(size)));
      at += static_cast<std::size_t>(size);
    }
    if (at != all.size()) {
      raise(Error::invalid_argument, "sizes: their sum must be the size of data");
    }
  }
  void add(ByteView view) {
    views_.push_back(view);
    bytes_ += view.size();
  }

  std::vector<py::object> references_;
  std::forward_list<ReadBuffer> buffers_;
  std::vector<ByteView> views_;
  std::size_t bytes_ = 0;
};

/// What both jitter buffers do with a packet before it is media. Guarded by the owner's mutex.
struct Intake {
  explicit Intake(rtp::Codec which)
      : codec(which), reception(rtp::clock_rate(which)), clock_rate(rtp::clock_rate(which)) {}

  /// True for a packet of this stream.
  bool accepts(const rtp::RtpHeader& header, TimePoint now) {
    if (!ssrc) ssrc = header.ssrc;
    if (*ssrc != header.ssrc) {
      ++unmatched;
      return false;
    }
    reception.packet_received(header.sequence_number, header.timestamp, now);
    return true;
  }

  rtp::Codec codec;
  std::optional<Ssrc> ssrc;
  jitter::ReceptionStatistics reception;
  std::uint32_t clock_rate;
  std::uint64_t malformed = 0;
  std::uint64_t unmatched = 0;
};

inline rtp::Codec codec_of_kind(const std::string& name, MediaKind kind) {
  const rtp::Codec codec = codec_from_name(name);
  if (rtp::media_kind(codec) != kind) {
    raise(Error::invalid_argument,
          "codec: '" + name + "' is " + (kind == MediaKind::video ? "not video" : "not audio"));
  }
  return codec;
}

}  // namespace sealroom::bindings
