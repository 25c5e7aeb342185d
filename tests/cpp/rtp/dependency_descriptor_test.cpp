#include "sealroom/rtp/dependency_descriptor.h"

#include <gtest/gtest.h>

#include <memory>

#include "rtp/support.h"
#include "support/netem.h"

namespace sealroom::rtp {
namespace {

using test::ExactCopy;
using test::for_each_truncation;
using test::from_hex;

// Sent by Chromium 110 (one layer) and 112 (three spatial and three temporal layers), see
// tests/vectors/SOURCES.md.
const std::string kOneLayer = "80000180003a410180ef808680";
const std::string kScalable =
    "d0013481e81485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a800060000"
    "40001d954926e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230ec"
    "a87753013f00b3027f016704ff02cf";
const std::string kScalableDelta = "d10146401c";

class Bits {
 public:
  Bits& put(std::uint32_t value, std::size_t count) {
    for (std::size_t i = count; i > 0; --i) {
      if (used_ % 8 == 0) bytes.push_back(0);
      bytes.back() =
          static_cast<std::uint8_t>(bytes.back() | (value >> (i - 1) & 1) << (7 - used_ % 8));
      ++used_;
    }
    return *this;
  }
  Bytes bytes;

 private:
  std::size_t used_ = 0;
};

/// Mandatory fields and the flags of the extended ones.
Bits begin(std::uint32_t template_id, std::uint32_t frame_number, std::uint32_t flags) {
  Bits bits;
  bits.put(3, 2).put(template_id, 6).put(frame_number, 16).put(flags, 5);
  return bits;
}
constexpr std::uint32_t kStructure = 16;
constexpr std::uint32_t kActive = 8;
constexpr std::uint32_t kCustomIndications = 4;
constexpr std::uint32_t kCustomDifferences = 2;
constexpr std::uint32_t kCustomChains = 1;

/// L1T3 as in appendix A.6.1, the first template with id 60 so that ids wrap.
Bytes l1t3(std::uint32_t template_id, std::uint32_t frame_number) {
  Bits bits = begin(template_id, frame_number, kStructure);
  bits.put(60, 6).put(2, 5);
  bits.put(0, 2).put(1, 2).put(1, 2).put(0, 2).put(3, 2);
  for (const std::uint32_t dtis : {0b101010, 0b101010, 0b100100, 0b010000, 0b010000}) {
    bits.put(dtis, 6);
  }
  bits.put(0, 1);
  for (const std::uint32_t fdiff : {4, 2, 1, 1}) bits.put(1, 1).put(fdiff - 1, 4).put(0, 1);
  bits.put(1, 2);  // one chain, ns(4); that it protects all three takes no bits, ns(1)
  for (const std::uint32_t chain : {0, 4, 2, 1, 3}) bits.put(chain, 4);
  bits.put(0, 1);
  return bits.bytes;
}

class DependencyDescriptorTest : public ::testing::Test {
 protected:
  Result<DependencyDescriptor> read(const Bytes& bytes) {
    const ExactCopy copy(bytes);
    return reader->read(copy.view());
  }
  Result<DependencyDescriptor> read(const std::string& hex) { return read(from_hex(hex)); }

  std::unique_ptr<DependencyDescriptorReader> reader =
      std::make_unique<DependencyDescriptorReader>();
};

TEST_F(DependencyDescriptorTest, ReadsTheSingleLayerOfChromium) {
  const auto first = read(kOneLayer);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first.value().starts_frame);
  EXPECT_FALSE(first.value().ends_frame);
  EXPECT_EQ(first.value().frame_number, 1);
  EXPECT_TRUE(first.value().has_structure);
  EXPECT_EQ(first.value().active_decode_targets, 1U);
  EXPECT_EQ(first.value().dependencies.frame_difference_count, 0);
  EXPECT_EQ(first.value().dependencies.decode_target_indications[0],
            DecodeTargetIndication::switchable);
  ASSERT_TRUE(first.value().resolution.has_value());
  EXPECT_EQ(first.value().resolution->width, 480U);
  EXPECT_EQ(first.value().resolution->height, 270U);
  ASSERT_NE(reader->structure(), nullptr);
  EXPECT_EQ(reader->structure()->decode_targets, 1U);

  const auto second = read("400001");
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second.value().starts_frame);
  EXPECT_TRUE(second.value().ends_frame);
  EXPECT_FALSE(second.value().has_structure);
  EXPECT_EQ(second.value().active_decode_targets, std::nullopt);
}

TEST_F(DependencyDescriptorTest, ReadsThreeByThreeLayersOfChromium) {
  const auto key = read(kScalable);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key.value().frame_number, 0x0134);
  EXPECT_EQ(key.value().active_decode_targets, 0x1ffU);
  const DependencyStructure& structure = *reader->structure();
  EXPECT_EQ(structure.decode_targets, 9U);
  EXPECT_EQ(structure.chains, 3U);
  EXPECT_EQ(structure.spatial_layers, 3U);
  ASSERT_TRUE(structure.has_resolutions);
  EXPECT_EQ(structure.resolutions[0].width, 320U);
  EXPECT_EQ(structure.resolutions[0].height, 180U);
  EXPECT_EQ(structure.resolutions[1].width, 640U);
  EXPECT_EQ(structure.resolutions[2].width, 1280U);
  EXPECT_EQ(structure.resolutions[2].height, 720U);
  EXPECT_EQ(key.value().resolution->width, 320U);

  const auto delta = read(kScalableDelta);
  ASSERT_TRUE(delta.ok());
  EXPECT_EQ(delta.value().frame_number, 0x0146);
  EXPECT_EQ(delta.value().active_decode_targets, 7U);
  EXPECT_EQ(delta.value().dependencies.spatial_layer, 0);
  EXPECT_EQ(delta.value().dependencies.temporal_layer, 1);
}

TEST_F(DependencyDescriptorTest, ReadsTheExampleOfTheSpecification) {
  ASSERT_TRUE(read(l1t3(60, 65535)).ok());
  const auto frame = read(Bits().put(3, 2).put(2, 6).put(7, 16).bytes);  // 60 + 6 wraps to 2
  EXPECT_EQ(frame.error(), Error::not_ready);
  const auto last = read(Bits().put(3, 2).put(0, 6).put(7, 16).bytes);  // the fifth template
  ASSERT_TRUE(last.ok());
  const FrameDependencies& dependencies = last.value().dependencies;
  EXPECT_EQ(dependencies.temporal_layer, 2);
  EXPECT_EQ(dependencies.frame_difference_count, 1);
  EXPECT_EQ(dependencies.frame_differences[0], 1);
  EXPECT_EQ(dependencies.chain_differences[0], 3);
  EXPECT_EQ(dependencies.decode_target_indications[0], DecodeTargetIndication::discardable);
  EXPECT_EQ(dependencies.decode_target_indications[1], DecodeTargetIndication::not_present);
  EXPECT_EQ(reader->structure()->protected_by[2], 0);
  EXPECT_EQ(last.value().resolution, std::nullopt);
}

TEST_F(DependencyDescriptorTest, CustomFieldsStandInForThoseOfTheTemplate) {
  ASSERT_TRUE(read(l1t3(60, 1)).ok());
  Bits bits = begin(61, 2, kActive | kCustomIndications | kCustomDifferences | kCustomChains);
  bits.put(0b011, 3).put(0b110110, 6);
  bits.put(1, 2).put(15, 4).put(2, 2).put(255, 8).put(3, 2).put(4095, 12).put(0, 2);
  bits.put(200, 8);
  const auto frame = read(bits.bytes);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame.value().active_decode_targets, 3U);
  const FrameDependencies& dependencies = frame.value().dependencies;
  EXPECT_EQ(dependencies.decode_target_indications[0], DecodeTargetIndication::required);
  EXPECT_EQ(dependencies.decode_target_indications[1], DecodeTargetIndication::discardable);
  EXPECT_EQ(dependencies.decode_target_indications[2], DecodeTargetIndication::switchable);
  ASSERT_EQ(dependencies.frame_difference_count, 3);
  EXPECT_EQ(dependencies.frame_differences[0], 16);
  EXPECT_EQ(dependencies.frame_differences[1], 256);
  EXPECT_EQ(dependencies.frame_differences[2], 4096);
  EXPECT_EQ(dependencies.chain_differences[0], 200);
  // The template itself is as it was.
  EXPECT_EQ(
      read(Bits().put(3, 2).put(61, 6).put(3, 16).bytes).value().dependencies.frame_differences[0],
      4);
}

TEST_F(DependencyDescriptorTest, WithoutAStructureItIsNotReady) {
  EXPECT_EQ(read("400001").error(), Error::not_ready);
  EXPECT_EQ(read(kScalableDelta).error(), Error::not_ready);
  EXPECT_EQ(reader->structure(), nullptr);
}

TEST_F(DependencyDescriptorTest, EveryTruncationIsRefusedAndKeepsTheStructure) {
  ASSERT_TRUE(read(kOneLayer).ok());
  const Bytes whole = from_hex(kScalable);
  for_each_truncation(whole, [&](ByteView view, std::size_t size) {
    if (size == whole.size()) return;
    const auto result = reader->read(view);
    // Three bytes are a whole descriptor; its template is none of the structure.
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error(), size == 3 ? Error::not_ready : Error::truncated) << size;
    ASSERT_EQ(reader->structure()->decode_targets, 1U);
  });
  EXPECT_TRUE(read("400002").ok());
}

TEST_F(DependencyDescriptorTest, ARefusedStructureBehindALateOneKeepsWhatTheLateOneWasReadWith) {
  ASSERT_TRUE(read(l1t3(60, 100)).ok());
  ASSERT_TRUE(read("80003280003a410180ef808680").ok());  // kOneLayer's structure, of frame 50
  EXPECT_EQ(reader->last_used()->decode_targets, 1U);
  ASSERT_FALSE(read(l1t3(59, 101)).ok());
  EXPECT_EQ(reader->last_used()->decode_targets, 1U);
  EXPECT_EQ(reader->structure()->decode_targets, 3U);
}

TEST_F(DependencyDescriptorTest, MoreTemplatesLayersOrDifferencesThanThereMayBeAreRefused) {
  for (const std::uint32_t next : {0U, 1U, 2U}) {
    Bits bits = begin(0, 0, kStructure);
    bits.put(0, 6).put(0, 5);
    for (int i = 0; i < 70; ++i) bits.put(next, 2);
    bits.put(3, 2);
    bits.bytes.resize(200);
    EXPECT_EQ(read(bits.bytes).error(), Error::malformed) << next;
  }
  Bits bits = begin(0, 0, kStructure);
  bits.put(0, 6).put(0, 5).put(3, 2).put(0, 2);
  for (int i = 0; i < 17; ++i) bits.put(0b10000, 5);
  bits.bytes.resize(200);
  EXPECT_EQ(read(bits.bytes).error(), Error::limit_exceeded);
}

TEST_F(DependencyDescriptorTest, ATemplateOutsideItsOwnStructureIsMalformed) {
  EXPECT_EQ(read(l1t3(1, 1)).error(), Error::malformed);
  EXPECT_EQ(reader->structure(), nullptr);
}

TEST_F(DependencyDescriptorTest, RandomChangesAreSurvived) {
  sealroom::test::Random random(1);
  for (int round = 0; round < 50'000; ++round) {
    Bytes bytes = from_hex(round % 2 == 0 ? kScalable : kOneLayer);
    for (std::uint64_t i = random.between(1, 4); i > 0; --i) {
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
    }
    const auto result = read(bytes);
    if (!result.ok()) continue;
    ASSERT_LE(result.value().dependencies.frame_difference_count, kMaxFrameDifferences);
    ASSERT_LT(result.value().dependencies.spatial_layer, kMaxSpatialLayers);
  }
}

}  // namespace
}  // namespace sealroom::rtp
