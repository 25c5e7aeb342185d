#include "sealroom/rtp/header_extension.h"

#include <gtest/gtest.h>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using test::ExactCopy;
using test::from_hex;
using test::to_bytes;

constexpr RtpHeader kHeader{true, PayloadType{111}, 0x1234, RtpTimestamp{0x01020304},
                            Ssrc{0x05060708}};

ExtensionMap make_map(std::uint8_t shift = 0) {
  ExtensionMap map;
  for (std::size_t i = 0; i < kExtensionTypes; ++i) {
    EXPECT_TRUE(
        map.set(static_cast<ExtensionType>(i), static_cast<std::uint8_t>(i + 1 + shift)).ok());
  }
  return map;
}

HeaderExtensions all_extensions() {
  HeaderExtensions extensions;
  extensions.mid = "video-0";
  extensions.rid = "hi";
  extensions.repaired_rid = "sixteen_bytes_id";
  extensions.abs_send_time = 0xabcdef;
  extensions.transport_sequence_number = 0xfffe;
  extensions.audio_level = AudioLevel{true, 37};
  extensions.video_orientation = VideoOrientation{true, false, 270};
  extensions.dependency_descriptor = as_bytes("descriptor");
  return extensions;
}

void expect_all(const HeaderExtensions& read) {
  EXPECT_EQ(read.mid, "video-0");
  EXPECT_EQ(read.rid, "hi");
  EXPECT_EQ(read.repaired_rid, "sixteen_bytes_id");
  EXPECT_EQ(read.abs_send_time, 0xabcdefU);
  EXPECT_EQ(read.transport_sequence_number, 0xfffe);
  ASSERT_TRUE(read.audio_level.has_value());
  EXPECT_TRUE(read.audio_level->voice_activity);
  EXPECT_EQ(read.audio_level->level, 37);
  ASSERT_TRUE(read.video_orientation.has_value());
  EXPECT_TRUE(read.video_orientation->back_camera);
  EXPECT_FALSE(read.video_orientation->flip);
  EXPECT_EQ(read.video_orientation->rotation, 270);
  EXPECT_EQ(to_bytes(read.dependency_descriptor), to_bytes(as_bytes("descriptor")));
}

Bytes packet_with(const char* profile_and_length, const char* data) {
  return from_hex(std::string("906012340102030400000001") + profile_and_length + data);
}

// The views inside point into `packet`, so no temporary is taken.
HeaderExtensions read(const Bytes& packet, const ExtensionMap& map) {
  const auto parsed = RtpPacketView::parse(packet);
  EXPECT_TRUE(parsed.ok());
  return read_extensions(parsed.value(), map);
}

HeaderExtensions read(Bytes&&, const ExtensionMap&) = delete;

TEST(ExtensionMap, AnIdNamesOneType) {
  ExtensionMap map;
  EXPECT_TRUE(map.set(ExtensionType::mid, 3).ok());
  EXPECT_EQ(map.set(ExtensionType::rid, 3).error(), Error::invalid_argument);
  EXPECT_TRUE(map.set(ExtensionType::mid, 3).ok());
  EXPECT_EQ(map.type(3), ExtensionType::mid);
  EXPECT_TRUE(map.set(ExtensionType::mid, 0).ok());
  EXPECT_EQ(map.type(3), std::nullopt);
  EXPECT_TRUE(map.set(ExtensionType::rid, 3).ok());
  EXPECT_EQ(map.type(0), std::nullopt);
}

TEST(WriteHeader, RoundTripsInOneByteForm) {
  std::array<std::uint8_t, 128> buffer{};
  const auto size = write_header(kHeader, all_extensions(), make_map(), buffer);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size.value(), header_size(all_extensions(), make_map()));
  EXPECT_EQ(size.value() % 4, 0U);
  const auto parsed = RtpPacketView::parse(ByteView(buffer).first(size.value()));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().extension_profile(), kOneByteExtensionProfile);
  EXPECT_EQ(parsed.value().header_size(), size.value());
  EXPECT_EQ(parsed.value().header().sequence_number, 0x1234);
  EXPECT_TRUE(parsed.value().header().marker);
  expect_all(read_extensions(parsed.value(), make_map()));
}

TEST(WriteHeader, OneLargeIdMakesItTwoByteForm) {
  std::array<std::uint8_t, 128> buffer{};
  const ExtensionMap map = make_map(9);  // ids 10..17
  const auto size = write_header(kHeader, all_extensions(), map, buffer);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size.value(), header_size(all_extensions(), map));
  const auto parsed = RtpPacketView::parse(ByteView(buffer).first(size.value()));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().extension_profile(), 0x1000);
  expect_all(read_extensions(parsed.value(), map));
}

TEST(WriteHeader, LargeIdOfAnAbsentValueKeepsTheOneByteForm) {
  HeaderExtensions extensions;
  extensions.mid = "0";
  std::array<std::uint8_t, 20> buffer{};
  ASSERT_TRUE(write_header(kHeader, extensions, make_map(9), buffer).ok());
  EXPECT_EQ(to_bytes(buffer), from_hex("90ef12340102030405060708bede0001a0300000"));
}

TEST(WriteHeader, WithoutAnyExtensionItIsTheFixedHeader) {
  std::array<std::uint8_t, kFixedHeaderSize> buffer{};
  EXPECT_EQ(write_header(kHeader, {}, make_map(), buffer).value(), kFixedHeaderSize);
  EXPECT_EQ(to_bytes(buffer), from_hex("80ef12340102030405060708"));
  EXPECT_EQ(write_header(kHeader, all_extensions(), {}, buffer).value(), kFixedHeaderSize);
}

TEST(WriteHeader, NeedsItsWholeSize) {
  const std::size_t needed = header_size(all_extensions(), make_map());
  for (std::size_t size = 0; size < needed; ++size) {
    Bytes buffer(size);
    EXPECT_EQ(write_header(kHeader, all_extensions(), make_map(), buffer).error(),
              Error::buffer_too_small);
  }
}

TEST(WriteHeader, RefusesValuesThatDoNotFit) {
  std::array<std::uint8_t, 128> buffer{};
  const auto error = [&](const RtpHeader& header, const HeaderExtensions& extensions) {
    const auto result = write_header(header, extensions, make_map(), buffer);
    return !result.ok() && result.error() == Error::invalid_argument;
  };
  HeaderExtensions extensions;
  extensions.mid = "seventeen_bytes__";
  EXPECT_TRUE(error(kHeader, extensions));
  extensions = {};
  extensions.abs_send_time = 0x1000000;
  EXPECT_TRUE(error(kHeader, extensions));
  extensions = {};
  extensions.audio_level = AudioLevel{false, 128};
  EXPECT_TRUE(error(kHeader, extensions));
  extensions = {};
  extensions.video_orientation = VideoOrientation{false, false, 45};
  EXPECT_TRUE(error(kHeader, extensions));
  extensions.video_orientation->rotation = 360;
  EXPECT_TRUE(error(kHeader, extensions));
  RtpHeader header = kHeader;
  header.payload_type = PayloadType{128};
  EXPECT_TRUE(error(header, {}));
}

TEST(ReadExtensions, FollowsTheExampleOfRfc8285) {
  // Section 4.2: elements of 1, 2 and 4 bytes with padding between them.
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::audio_level, 1).ok());
  ASSERT_TRUE(map.set(ExtensionType::transport_sequence_number, 2).ok());
  ASSERT_TRUE(map.set(ExtensionType::mid, 3).ok());
  const Bytes packet = packet_with("bede0003", "10ff21123400003361626364");
  const auto extensions = read(packet, map);
  EXPECT_EQ(extensions.audio_level->level, 127);
  EXPECT_EQ(extensions.transport_sequence_number, 0x1234);
  EXPECT_EQ(extensions.mid, "abcd");
}

TEST(ReadExtensions, FollowsTheTwoByteExampleOfRfc8285) {
  // Section 4.3: an element without data, one of 1 byte, one of 4, and padding; appbits are
  // ignored.
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::rid, 1).ok());
  ASSERT_TRUE(map.set(ExtensionType::audio_level, 2).ok());
  ASSERT_TRUE(map.set(ExtensionType::mid, 200).ok());
  const Bytes packet = packet_with("100f0003", "010002018500c80461626364");
  const auto extensions = read(packet, map);
  EXPECT_EQ(extensions.rid, "");
  EXPECT_TRUE(extensions.audio_level->voice_activity);
  EXPECT_EQ(extensions.audio_level->level, 5);
  EXPECT_EQ(extensions.mid, "abcd");
}

TEST(ReadExtensions, SkipsIdsItDoesNotKnowAndSizesThatAreWrong) {
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::abs_send_time, 2).ok());
  ASSERT_TRUE(map.set(ExtensionType::mid, 3).ok());
  // Unknown id 9, then abs-send-time of two bytes, then the mid.
  const Bytes packet = packet_with("bede0002", "90ff211234303000");
  const auto extensions = read(packet, map);
  EXPECT_EQ(extensions.abs_send_time, std::nullopt);
  EXPECT_EQ(extensions.mid, "0");
}

TEST(ReadExtensions, EndsAtIdFifteenAndAtAPaddingWithLength) {
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::mid, 1).ok());
  ASSERT_TRUE(map.set(ExtensionType::rid, 2).ok());
  for (const std::string stop : {"f06100", "016161"}) {
    const Bytes packet = packet_with("bede0002", ("1061" + stop + "206200").c_str());
    const auto extensions = read(packet, map);
    EXPECT_EQ(extensions.mid, "a") << stop;
    EXPECT_EQ(extensions.rid, "") << stop;
  }
}

TEST(ReadExtensions, ElementPastTheEndEndsTheReading) {
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::mid, 1).ok());
  ASSERT_TRUE(map.set(ExtensionType::rid, 2).ok());
  const Bytes one_byte = packet_with("bede0001", "10612f62");
  EXPECT_EQ(read(one_byte, map).mid, "a");
  EXPECT_EQ(read(one_byte, map).rid, "");
  const Bytes two_byte = packet_with("10000001", "01016102");
  EXPECT_EQ(read(two_byte, map).mid, "a");
  EXPECT_EQ(read(two_byte, map).rid, "");
}

TEST(WriteHeader, AValueOfMoreThanSixteenBytesMakesItTwoByteForm) {
  for (const std::size_t size : {1U, 16U, 17U, 255U}) {
    HeaderExtensions extensions;
    extensions.mid = "0";
    const Bytes descriptor(size, 0xDD);
    extensions.dependency_descriptor = descriptor;
    std::array<std::uint8_t, 300> buffer{};
    const auto written = write_header(kHeader, extensions, make_map(), buffer);
    ASSERT_TRUE(written.ok());
    const auto parsed = RtpPacketView::parse(ByteView(buffer).first(written.value()));
    EXPECT_EQ(parsed.value().extension_profile(), size <= 16 ? kOneByteExtensionProfile : 0x1000);
    const auto read = read_extensions(parsed.value(), make_map());
    EXPECT_EQ(read.mid, "0");
    EXPECT_EQ(to_bytes(read.dependency_descriptor), descriptor);
  }
  HeaderExtensions extensions;
  const Bytes descriptor(256);
  extensions.dependency_descriptor = descriptor;
  std::array<std::uint8_t, 300> buffer{};
  EXPECT_EQ(write_header(kHeader, extensions, make_map(), buffer).error(), Error::invalid_argument);
}

TEST(ReadExtensions, ReadsTheOrientationBits) {
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::video_orientation, 1).ok());
  const Bytes packet = packet_with("bede0001", "10fd0000");  // reserved bits are ignored
  const auto orientation = read(packet, map).video_orientation;
  ASSERT_TRUE(orientation.has_value());
  EXPECT_TRUE(orientation->back_camera);
  EXPECT_TRUE(orientation->flip);
  EXPECT_EQ(orientation->rotation, 90);
}

TEST(ReadExtensions, IgnoresOtherProfiles) {
  const Bytes packet = packet_with("abac0001", "10610000");
  EXPECT_EQ(read(packet, make_map()).mid, "");
}

TEST(ReadExtensions, StaysInsideForEveryTwoByteStart) {
  const ExtensionMap map = make_map();
  for (const char* profile : {"bede0001", "10000001"}) {
    Bytes packet = packet_with(profile, "00000000");
    for (unsigned start = 0; start < 0x10000; ++start) {
      packet[16] = static_cast<std::uint8_t>(start >> 8);
      packet[17] = static_cast<std::uint8_t>(start);
      const ExactCopy copy(packet);
      const auto extensions = read_extensions(RtpPacketView::parse(copy.view()).value(), map);
      ASSERT_LE(extensions.mid.size(), 3U);
    }
  }
}

TEST(ToAbsSendTime, KeepsSixBitsOfSecondsAndEighteenOfFraction) {
  EXPECT_EQ(to_abs_send_time(NtpTime{0}), 0U);
  EXPECT_EQ(to_abs_send_time(NtpTime{1ULL << 32}), 1U << 18);
  EXPECT_EQ(to_abs_send_time(NtpTime{1ULL << 31}), 1U << 17);
  EXPECT_EQ(to_abs_send_time(NtpTime{64ULL << 32}), 0U);
  EXPECT_EQ(to_abs_send_time(NtpTime{~0ULL}), 0xFFFFFFU);
}

TEST(ExtensionUri, IsDistinctForEveryType) {
  for (std::size_t i = 0; i < kExtensionTypes; ++i) {
    EXPECT_FALSE(extension_uri(static_cast<ExtensionType>(i)).empty());
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(extension_uri(static_cast<ExtensionType>(i)),
                extension_uri(static_cast<ExtensionType>(j)));
    }
  }
}

}  // namespace
}  // namespace sealroom::rtp
