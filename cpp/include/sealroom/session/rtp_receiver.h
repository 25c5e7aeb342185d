#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "sealroom/crypto/backend.h"
#include "sealroom/jitter/audio_jitter_buffer.h"
#include "sealroom/jitter/reception_statistics.h"
#include "sealroom/jitter/ring_queue.h"
#include "sealroom/jitter/video_jitter_buffer.h"
#include "sealroom/rtp/packet.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/rtp/rtcp.h"
#include "sealroom/session/events.h"
#include "sealroom/session/recent_packets.h"
#include "sealroom/sframe/media_frame.h"
#include "sealroom/sframe/pending_queue.h"

namespace sealroom::session {

/// A stream of retransmissions (RFC 4588) for the media of the same receiver.
struct RtxReceiverConfig {
  PayloadType payload_type{};
  std::optional<Ssrc> ssrc;  ///< absent: latched from mid, repaired rid or payload type
  std::string repaired_rid;  ///< if not empty, only a stream that names it (RFC 8852)
};

struct ReceiverConfig {
  rtp::Codec codec{};
  PayloadType payload_type{};
  std::optional<Ssrc> ssrc;  ///< absent: latched from mid or payload type
  std::string mid;
  bool protection =
      true;  ///< false: frames are taken as they come, from peers without end-to-end encryption
  /// What it carries has the payload type of `red` where that is set, else that of the media.
  std::optional<RtxReceiverConfig> rtx;
  std::optional<PayloadType> red;  ///< Opus only: redundant payloads (RFC 2198) fill gaps
};

struct ReceiverLimits {
  std::size_t max_queued_frames = 256;
  std::size_t max_queued_bytes = 16u << 20;
};

/// One track on its way in: jitter buffer, SFrame, queue of frames for the application. The queue
/// is bounded: video that is not fetched is dropped up to the next key frame, audio oldest first.
/// Frames whose key id lies above every key's so far overtook their key: they are held, bounded by
/// sframe::PendingLimits, and open in order when it comes; too many or too old, or when a later
/// frame opens first, they are rejected as unknown_key_id. One thread.
class RtpReceiver {
 public:
  RtpReceiver(crypto::Backend backend, ReceiverId id, ReceiverConfig config, ReceiverLimits limits);

  /// The first key decides the cipher suite; others must use the same (invalid_argument). Frames
  /// that waited for this key become events.
  Result<void> add_key(sframe::CipherSuite suite, KeyId key_id, ByteView base_key);
  bool remove_key(KeyId key_id);
  void set_drop_broken_frames(bool drop) { drop_broken_frames_ = drop; }

  /// Whether a packet of `ssrc` may be handled. One that another SSRC took the place of is late:
  /// it must not throw away the stream that runs now, unless that one has fallen silent.
  [[nodiscard]] bool accepts(Ssrc ssrc, TimePoint now) const;
  /// An authenticated packet of this track. Another SSRC than before restarts the stream.
  void handle_packet(const rtp::RtpPacketView& packet, TimePoint now);
  /// Whether a packet of RTX stream `ssrc` may be handled: not when it belongs to a stream that
  /// another SSRC took the place of, whose numbers mean other packets. Only with `config().rtx`.
  [[nodiscard]] bool accepts_rtx(Ssrc ssrc) const;
  /// An authenticated packet of its RTX stream.
  void handle_rtx(const rtp::RtpPacketView& packet, TimePoint now);
  [[nodiscard]] bool takes(PayloadType media) const {
    return media == config_.payload_type || media == config_.red;
  }
  void handle_sender_report(const rtp::SenderReport& report, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;

  bool poll_event(Event& event, TimePoint now);
  [[nodiscard]] bool has_event(TimePoint now) const;
  std::size_t take_nacks(TimePoint now, std::span<std::uint16_t> out);
  bool take_key_frame_request(TimePoint now);
  void request_key_frame();

  [[nodiscard]] std::optional<rtp::ReportBlock> take_report_block(TimePoint now);
  void set_round_trip_time(Duration round_trip_time);

  [[nodiscard]] const ReceiverConfig& config() const { return config_; }
  [[nodiscard]] std::optional<Ssrc> ssrc() const { return ssrc_; }
  [[nodiscard]] ReceiverStatistics statistics() const;

 private:
  static constexpr Duration kRejectionEventInterval = std::chrono::seconds(1);
  static constexpr Duration kSilence = std::chrono::seconds(3);
  static constexpr Duration kReplacementInterval = std::chrono::seconds(1);
  static constexpr std::size_t kMaxReplaced = 8;

  struct Replaced {
    Ssrc media;
    std::optional<Ssrc> rtx;
  };
  struct HeldFrame {
    FrameReceived frame;
    bool follows_a_gap = false;  ///< video: what came before it under its key id was dropped
  };
  struct Rejections {
    std::uint64_t unreported = 0;
    bool is_due = false;     ///< its time-out is over: it waits to be fetched
    TimePoint last_event{};  // the epoch of the clock is long past
  };

  void start_stream(Ssrc ssrc, TimePoint now);
  void insert(const rtp::RtpHeader& header, ByteView payload, TimePoint now);
  void insert_red(const rtp::RtpHeader& header, ByteView payload, TimePoint now);
  void drain_jitter_buffer(TimePoint now);
  void deliver(FrameReceived frame, TimePoint now);
  Result<void> unprotect(FrameReceived& frame);
  [[nodiscard]] bool may_wait_for_its_key(KeyId key_id) const;
  void hold(KeyId key_id, FrameReceived frame, TimePoint now);
  void refuse(FrameReceived frame, RejectReason reason);
  void reject_frame(FrameReceived frame, RejectReason reason);
  void drop_held(KeyId key_id, FrameReceived frame);
  void release_held(KeyId key_id);
  void refuse_held();
  void reject(RejectReason reason);
  bool enqueue(FrameReceived frame);
  void drop_queued(std::size_t count);
  [[nodiscard]] bool is_video() const;

  crypto::Backend backend_;
  ReceiverId id_;
  ReceiverConfig config_;
  ReceiverLimits limits_;
  std::optional<Ssrc> ssrc_;
  std::optional<Ssrc> rtx_ssrc_;                   ///< of the retransmissions for ssrc_
  std::array<Replaced, kMaxReplaced> replaced_{};  ///< the last ones before ssrc_, a ring
  std::size_t replacements_ = 0;
  TimePoint replaced_at_{};
  TimePoint last_packet_at_{};
  std::variant<jitter::VideoJitterBuffer, jitter::AudioJitterBuffer> jitter_;
  jitter::ReceptionStatistics reception_;
  RecentPackets recent_;  ///< with RED
  sframe::Receiver sframe_;
  std::optional<sframe::CipherSuite> suite_;  ///< of sframe_, once it has had a key
  sframe::PendingQueue<HeldFrame> pending_;
  KeyId last_held_{};  ///< what an audio gap behind held frames waits for
  Bytes plaintext_;    ///< the buffer of an earlier frame, for the next one to be opened into
  jitter::RingQueue<FrameReceived> queue_;
  std::size_t queued_bytes_ = 0;
  std::array<Rejections, kRejectReasons> rejections_{};
  std::optional<rtp::SenderReport> last_sender_report_;
  TimePoint last_sender_report_at_{};
  bool drop_broken_frames_ = true;
  ReceiverStatistics counters_;
};

}  // namespace sealroom::session
