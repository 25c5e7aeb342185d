#pragma once

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sealroom/jitter/video_jitter_buffer.h"

namespace sealroom::jitter {

inline TimePoint at(int ms) { return TimePoint(std::chrono::milliseconds(ms)); }

/// A packet that owns its payload.
struct TestPacket {
  std::uint16_t sequence_number = 0;
  RtpTimestamp timestamp{};
  bool marker = false;
  bool starts_frame = false;
  bool is_key_frame = false;
  Bytes payload;

  [[nodiscard]] VideoPacket view() const {
    return {sequence_number, timestamp, marker, starts_frame, is_key_frame, payload};
  }
};

/// Frame `number` in `count` packets from `sequence` on; its bytes tell the frame and the place in
/// it.
inline std::vector<TestPacket> make_frame(std::uint32_t number, std::uint16_t sequence, int count,
                                          bool is_key_frame, std::size_t payload_size = 10) {
  std::vector<TestPacket> packets;
  for (int i = 0; i < count; ++i) {
    TestPacket packet;
    packet.sequence_number = static_cast<std::uint16_t>(sequence + i);
    packet.timestamp = RtpTimestamp{number * 3000};
    packet.marker = i == count - 1;
    packet.starts_frame = i == 0;
    packet.is_key_frame = is_key_frame;
    packet.payload.assign(payload_size, static_cast<std::uint8_t>(number));
    packet.payload[0] = static_cast<std::uint8_t>(i);
    packets.push_back(packet);
  }
  return packets;
}

inline TestPacket make_padding(std::uint16_t sequence, std::uint32_t frame_number) {
  TestPacket packet;
  packet.sequence_number = sequence;
  packet.timestamp = RtpTimestamp{frame_number * 3000};
  return packet;
}

inline Bytes bytes_of(const std::vector<TestPacket>& packets) {
  Bytes bytes;
  for (const TestPacket& packet : packets) {
    bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
  }
  return bytes;
}

inline void insert(VideoJitterBuffer& buffer, const std::vector<TestPacket>& packets,
                   TimePoint now) {
  for (const TestPacket& packet : packets) buffer.insert(packet.view(), now);
}

/// The numbers of the frames that are ready, taken out.
inline std::vector<std::uint32_t> pop_numbers(VideoJitterBuffer& buffer) {
  std::vector<std::uint32_t> numbers;
  VideoFrame frame;
  while (buffer.pop(frame)) numbers.push_back(frame.timestamp.value / 3000);
  return numbers;
}

inline std::vector<int> take_nacks(VideoJitterBuffer& buffer, TimePoint now) {
  std::array<std::uint16_t, 512> out{};
  const std::size_t count = buffer.take_nacks(now, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)};
}

using Numbers = std::vector<std::uint32_t>;

}  // namespace sealroom::jitter
