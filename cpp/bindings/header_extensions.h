#pragma once

#include <pybind11/pybind11.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "sealroom/rtp/header_extension.h"

namespace sealroom::bindings {

using ExtensionIds = std::map<std::string, int>;

inline std::optional<std::string> owned(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

/// The values of a packet as Python sees them; they fit their fields.
struct PyHeaderExtensions {
  std::optional<std::string> mid;
  std::optional<std::string> rid;
  std::optional<std::string> repaired_rid;
  std::optional<std::uint32_t> abs_send_time;
  std::optional<std::uint16_t> transport_sequence_number;
  std::optional<std::pair<bool, std::uint8_t>> audio_level;
  std::optional<std::tuple<int, bool, bool>> video_orientation;
  std::optional<Bytes> dependency_descriptor;

  static PyHeaderExtensions from(const rtp::HeaderExtensions& read) {
    PyHeaderExtensions result{owned(read.mid),
                              owned(read.rid),
                              owned(read.repaired_rid),
                              read.abs_send_time,
                              read.transport_sequence_number,
                              std::nullopt,
                              std::nullopt,
                              std::nullopt};
    if (read.audio_level) {
      result.audio_level.emplace(read.audio_level->voice_activity, read.audio_level->level);
    }
    if (const auto& orientation = read.video_orientation) {
      result.video_orientation.emplace(orientation->rotation, orientation->flip,
                                       orientation->back_camera);
    }
    if (const ByteView descriptor = read.dependency_descriptor; !descriptor.empty()) {
      result.dependency_descriptor.emplace(descriptor.begin(), descriptor.end());
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
    if (video_orientation) {
      const auto& [rotation, flip, back_camera] = *video_orientation;
      result.video_orientation =
          rtp::VideoOrientation{back_camera, flip, static_cast<std::uint16_t>(rotation)};
    }
    if (dependency_descriptor) result.dependency_descriptor = *dependency_descriptor;
    return result;
  }
};

}  // namespace sealroom::bindings
