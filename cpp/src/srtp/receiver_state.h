#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sealroom/srtp/packet_header.h"
#include "sealroom/srtp/receiver.h"
#include "srtp/receive_keys.h"
#include "srtp/replay_window.h"
#include "srtp/stream_table.h"

namespace sealroom::srtp {

/// What was accepted of one stream under one master key.
struct ReplayWindows {
  std::uint64_t key_serial;
  ReplayWindow rtp;
  ReplayWindow rtcp;
};

/// An SSRC that has authenticated. The roll-over counter belongs to the stream whatever the key,
/// the replay windows to stream and key.
struct ReceiveStream {
  bool rtp_started = false;
  std::uint64_t newest_rtp_index = 0;
  std::vector<ReplayWindows> windows;  ///< at most one per master key

  [[nodiscard]] ReplayWindows* find(const ReceiveKey& key) {
    for (ReplayWindows& it : windows) {
      if (it.key_serial == key.serial) return &it;
    }
    return nullptr;
  }
};

/// A packet that may be accepted: its index, and where it is entered if these are there yet.
struct Judged {
  std::uint64_t index;
  ReceiveStream* stream;
  ReplayWindows* windows;
};

/// An RTP packet whose sizes are right and whose key is there.
struct ParsedRtp {
  RtpPacketHeader header;
  std::size_t size;  ///< of the packet in clear
  ReceiveKey* key;
};

struct Receiver::State {
  ReceiverOptions options;
  ReceiveKeys keys;
  StreamTable<ReceiveStream> streams;                      // only SSRCs that authenticated
  StreamTable<std::uint32_t> expected_roll_over_counters;  // told by the application, for others

  /// What can be said of a packet without knowing its stream.
  Result<ParsedRtp> parse_rtp(ByteView packet, MutableByteView out);
  /// By what has been accepted so far.
  Result<Judged> judge_rtp(const ParsedRtp& packet);
  /// Enters an authenticated packet that `judge_rtp` has just allowed.
  void commit_rtp(const ParsedRtp& packet, const Judged& judged);

  /// Receiver::unprotect_rtp_batch for at most kMaxBatch packets.
  std::size_t unprotect_rtp_part(Receiver& receiver, std::span<UnprotectTask> tasks);

  /// For a packet that has just been authenticated.
  ReplayWindows& windows_for(ReceiveStream& stream, const ReceiveKey& key);
  ReceiveStream& stream_for(Ssrc ssrc);
  void forget_windows(std::uint64_t key_serial);
};

}  // namespace sealroom::srtp
