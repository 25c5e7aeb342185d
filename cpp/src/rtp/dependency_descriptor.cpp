#include "sealroom/rtp/dependency_descriptor.h"

#include "bit_reader.h"

namespace sealroom::rtp {
namespace {

constexpr std::size_t kMandatorySize = 3;

Result<void> check(const BitReader& reader) {
  if (!reader.ok()) return Error::truncated;
  return {};
}

Result<void> read_layers(BitReader& reader, DependencyStructure& structure) {
  std::uint8_t spatial = 0;
  std::uint8_t temporal = 0;
  std::uint32_t next = 0;
  structure.templates = 0;
  do {
    if (structure.templates == kMaxTemplates) return Error::malformed;
    if (spatial >= kMaxSpatialLayers || temporal >= kMaxTemporalLayers) return Error::malformed;
    FrameDependencies& entry = structure.frame_templates[structure.templates++];
    entry.spatial_layer = spatial;
    entry.temporal_layer = temporal;
    next = reader.bits(2);
    if (!reader.ok()) return Error::truncated;
    if (next == 1) ++temporal;
    if (next == 2) {
      temporal = 0;
      ++spatial;
    }
  } while (next != 3);
  structure.spatial_layers = spatial + std::size_t{1};
  return {};
}

void read_indications(BitReader& reader, std::size_t count, FrameDependencies& entry) {
  for (std::size_t i = 0; i < count; ++i) {
    entry.decode_target_indications[i] = static_cast<DecodeTargetIndication>(reader.bits(2));
  }
}

Result<void> add_difference(std::uint32_t difference, FrameDependencies& entry) {
  if (entry.frame_difference_count == kMaxFrameDifferences) return Error::limit_exceeded;
  entry.frame_differences[entry.frame_difference_count++] = static_cast<std::uint16_t>(difference);
  return {};
}

Result<void> read_template_differences(BitReader& reader, FrameDependencies& entry) {
  entry.frame_difference_count = 0;
  while (reader.flag()) {
    if (const auto added = add_difference(reader.bits(4) + 1, entry); !added) return added;
  }
  return check(reader);
}

Result<void> read_custom_differences(BitReader& reader, FrameDependencies& entry) {
  entry.frame_difference_count = 0;
  while (const std::uint32_t size = reader.bits(2)) {
    if (const auto added = add_difference(reader.bits(4 * size) + 1, entry); !added) return added;
  }
  return check(reader);
}

void read_chains(BitReader& reader, DependencyStructure& structure) {
  const auto targets = static_cast<std::uint32_t>(structure.decode_targets);
  structure.chains = reader.below(targets + 1);
  if (structure.chains == 0) return;
  const auto chains = static_cast<std::uint32_t>(structure.chains);
  for (std::size_t i = 0; i < targets; ++i) {
    // ns(chains_cnt), as published and as sent; the drafts before 1.0 say ns(chains_cnt + 1).
    structure.protected_by[i] = static_cast<std::uint8_t>(reader.below(chains));
  }
  for (std::size_t i = 0; i < structure.templates; ++i) {
    for (std::size_t chain = 0; chain < chains; ++chain) {
      structure.frame_templates[i].chain_differences[chain] =
          static_cast<std::uint8_t>(reader.bits(4));
    }
  }
}

Result<void> read_structure(BitReader& reader, DependencyStructure& structure) {
  structure.template_id_offset = static_cast<std::uint8_t>(reader.bits(6));
  structure.decode_targets = reader.bits(5) + std::size_t{1};
  if (const auto layers = read_layers(reader, structure); !layers) return layers;
  for (std::size_t i = 0; i < structure.templates; ++i) {
    read_indications(reader, structure.decode_targets, structure.frame_templates[i]);
  }
  for (std::size_t i = 0; i < structure.templates; ++i) {
    const auto differences = read_template_differences(reader, structure.frame_templates[i]);
    if (!differences) return differences;
  }
  structure.protected_by = {};
  read_chains(reader, structure);
  structure.has_resolutions = reader.flag();
  for (std::size_t i = 0; structure.has_resolutions && i < structure.spatial_layers; ++i) {
    structure.resolutions[i].width = reader.bits(16) + 1;
    structure.resolutions[i].height = reader.bits(16) + 1;
  }
  return check(reader);
}

}  // namespace

Result<DependencyDescriptor> DependencyDescriptorReader::read(ByteView extension) {
  BitReader reader(extension);
  DependencyDescriptor descriptor;
  descriptor.starts_frame = reader.flag();
  descriptor.ends_frame = reader.flag();
  descriptor.template_id = static_cast<std::uint8_t>(reader.bits(6));
  descriptor.frame_number = static_cast<std::uint16_t>(reader.bits(16));
  if (!reader.ok()) return Error::truncated;

  const bool is_extended = extension.size() > kMandatorySize;
  descriptor.has_structure = is_extended && reader.flag();
  const bool has_active_targets = is_extended && reader.flag();
  const bool has_custom_indications = is_extended && reader.flag();
  const bool has_custom_differences = is_extended && reader.flag();
  const bool has_custom_chains = is_extended && reader.flag();
  const std::size_t index = descriptor.has_structure ? unused_structure() : current_;
  DependencyStructure& structure = structures_[index];
  if (descriptor.has_structure) {
    if (const auto read = read_structure(reader, structure); !read) return read.error();
    descriptor.active_decode_targets =
        static_cast<std::uint32_t>((std::uint64_t{1} << structure.decode_targets) - 1);
  } else if (!has_structure_) {
    return Error::not_ready;
  }
  if (has_active_targets) descriptor.active_decode_targets = reader.bits(structure.decode_targets);

  const std::size_t number =
      (descriptor.template_id + kMaxTemplates - structure.template_id_offset) % kMaxTemplates;
  if (number >= structure.templates) {
    return descriptor.has_structure ? Error::malformed : Error::not_ready;
  }
  descriptor.dependencies = structure.frame_templates[number];
  FrameDependencies& frame = descriptor.dependencies;
  if (has_custom_indications) read_indications(reader, structure.decode_targets, frame);
  if (has_custom_differences) {
    if (const auto read = read_custom_differences(reader, frame); !read) return read.error();
  }
  for (std::size_t i = 0; has_custom_chains && i < structure.chains; ++i) {
    frame.chain_differences[i] = static_cast<std::uint8_t>(reader.bits(8));
  }
  if (!reader.ok()) return Error::truncated;
  if (structure.has_resolutions) {
    descriptor.resolution = structure.resolutions[frame.spatial_layer];
  }
  last_used_ = index;
  if (descriptor.has_structure) {
    take_structure(index, descriptor.frame_number);
  } else {
    (void)frame_numbers_.unwrap(descriptor.frame_number);
  }
  return descriptor;
}

// A draft that is refused must not be what last_used() gives.
std::size_t DependencyDescriptorReader::unused_structure() const {
  std::size_t index = 0;
  while (index == current_ || index == last_used_) ++index;
  return index;
}

// What is left of an older key frame may still come when a newer one has begun.
void DependencyDescriptorReader::take_structure(std::size_t index, std::uint16_t frame_number) {
  std::int64_t frame = frame_numbers_.unwrap(frame_number);
  if (has_structure_ && frame < structure_frame_) {
    if (structure_frame_ - frame <= kMaxLateness) return;
    frame_numbers_.reset();
    frame = frame_numbers_.unwrap(frame_number);
  }
  structure_frame_ = frame;
  current_ = index;
  has_structure_ = true;
}

}  // namespace sealroom::rtp
