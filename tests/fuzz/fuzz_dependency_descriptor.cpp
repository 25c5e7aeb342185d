// Descriptors one after the other for one reader, each behind a byte with its size: the structure
// of one is what the next refers to.

#include <cstdlib>

#include "sealroom/base/byte_reader.h"
#include "sealroom/rtp/dependency_descriptor.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static DependencyDescriptorReader reader;
  reader = DependencyDescriptorReader();
  ByteReader input(ByteView(data, size));
  while (input.remaining() > 0) {
    const ByteView extension = input.bytes(input.u8());
    if (!input.ok()) break;
    const bool had_structure = reader.structure() != nullptr;
    const DependencyStructure* const used_before = reader.last_used();
    const std::size_t targets_before = had_structure ? used_before->decode_targets : 0;
    const auto read = reader.read(extension);
    if (!read.ok()) {
      require(had_structure == (reader.structure() != nullptr));
      require(reader.last_used() == used_before);
      require(!had_structure || used_before->decode_targets == targets_before);
      continue;
    }
    const DependencyDescriptor& descriptor = read.value();
    const DependencyStructure& structure = *reader.last_used();
    require(structure.templates >= 1 && structure.templates <= kMaxTemplates);
    require(structure.decode_targets >= 1 && structure.decode_targets <= kMaxDecodeTargets);
    require(structure.chains <= structure.decode_targets);
    require(descriptor.dependencies.spatial_layer < structure.spatial_layers);
    require(descriptor.dependencies.temporal_layer < kMaxTemporalLayers);
    require(descriptor.dependencies.frame_difference_count <= kMaxFrameDifferences);
    require(descriptor.resolution.has_value() == structure.has_resolutions);
    for (std::size_t i = 0; structure.chains > 0 && i < structure.decode_targets; ++i) {
      require(structure.protected_by[i] < structure.chains);
    }
  }
  return 0;
}
