#pragma once

#include <array>
#include <optional>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/sequence.h"

namespace sealroom::rtp {

/// The bounds of the AV1 RTP specification, appendix A.4, and one of our own: it does not limit how
/// many frames one frame refers to.
inline constexpr std::size_t kMaxTemplates = 64;
inline constexpr std::size_t kMaxDecodeTargets = 32;
inline constexpr std::size_t kMaxChains = 32;
inline constexpr std::size_t kMaxSpatialLayers = 4;
inline constexpr std::size_t kMaxTemporalLayers = 8;
inline constexpr std::size_t kMaxFrameDifferences = 16;

enum class DecodeTargetIndication : std::uint8_t {
  not_present = 0,
  discardable = 1,
  switchable = 2,
  required = 3,
};

/// What a template, or a frame after its template, says. Only the first `decode_targets`, `chains`
/// (of the structure) and `frame_difference_count` entries mean something.
struct FrameDependencies {
  std::uint8_t spatial_layer = 0;
  std::uint8_t temporal_layer = 0;
  std::array<DecodeTargetIndication, kMaxDecodeTargets> decode_target_indications{};
  /// By how much the frame number of each frame it refers to is smaller, 1..4096.
  std::array<std::uint16_t, kMaxFrameDifferences> frame_differences{};
  std::uint8_t frame_difference_count = 0;
  /// By how much the number of the previous frame of each chain is smaller; 0: the chain begins.
  std::array<std::uint8_t, kMaxChains> chain_differences{};
};

struct RenderResolution {
  std::uint32_t width = 0;  ///< 1..65536
  std::uint32_t height = 0;
};

struct DependencyStructure {
  std::uint8_t template_id_offset = 0;
  std::size_t templates = 0;
  std::size_t decode_targets = 0;
  std::size_t chains = 0;
  std::size_t spatial_layers = 0;
  std::array<FrameDependencies, kMaxTemplates> frame_templates{};
  /// The chain that protects each decode target; means nothing without chains.
  std::array<std::uint8_t, kMaxDecodeTargets> protected_by{};
  bool has_resolutions = false;
  std::array<RenderResolution, kMaxSpatialLayers> resolutions{};
};

struct DependencyDescriptor {
  bool starts_frame = false;  ///< the packet begins a frame of one layer
  bool ends_frame = false;
  std::uint8_t template_id = 0;
  std::uint16_t frame_number = 0;
  /// The packet brought a structure; it holds from now on, unless the frame is older than the one
  /// that the present structure came with.
  bool has_structure = false;
  /// Bit i: decode target i is being produced. Only where the packet says so.
  std::optional<std::uint32_t> active_decode_targets;
  FrameDependencies dependencies;
  std::optional<RenderResolution> resolution;  ///< of the frame's spatial layer
};

/// Reads the dependency descriptor header extension of one stream (AV1 RTP specification, appendix
/// A) and keeps the last structure, which most packets only refer to. Give it authenticated packets
/// in any order; a descriptor that is refused changes nothing. Its tables are part of it: about
/// 30 KB, no allocation. One thread.
class DependencyDescriptorReader {
 public:
  /// Errors: truncated, malformed, limit_exceeded (more than kMaxFrameDifferences), not_ready for a
  /// template that no structure so far has: ask for a key frame.
  Result<DependencyDescriptor> read(ByteView extension);

  /// The one that holds; null before the first.
  [[nodiscard]] const DependencyStructure* structure() const {
    return has_structure_ ? &structures_[current_] : nullptr;
  }
  /// The one that the last descriptor was read with: of an older frame that came late, its own.
  [[nodiscard]] const DependencyStructure* last_used() const {
    return has_structure_ ? &structures_[last_used_] : nullptr;
  }

 private:
  /// By so many frames a frame is late; one further back is of a sender that began anew.
  static constexpr std::int64_t kMaxLateness = 1024;

  [[nodiscard]] std::size_t unused_structure() const;
  void take_structure(std::size_t index, std::uint16_t frame_number);

  /// The one that holds, the one last used, and at least one more to read into.
  std::array<DependencyStructure, 3> structures_{};
  std::size_t current_ = 0;
  std::size_t last_used_ = 0;
  SequenceUnwrapper frame_numbers_;
  std::int64_t structure_frame_ = 0;  ///< that brought structures_[current_]
  bool has_structure_ = false;
};

}  // namespace sealroom::rtp
