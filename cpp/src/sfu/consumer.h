#pragma once

#include "sealroom/rtp/packet.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/rtp/retransmission_limiter.h"
#include "sequence_rewriter.h"
#include "transport.h"

namespace sealroom::sfu {

/// Packets of a producer that can be sent again, each a power of two: eight seconds of 2.5 Mbit/s,
/// and two of Opus.
constexpr std::size_t cached_packets(MediaKind kind) {
  return kind == MediaKind::video ? 2048 : 128;
}

/// An opened packet of a producer with what consumers need of it. Views point into the packet.
struct OpenedPacket {
  std::int64_t sequence = 0;  ///< unwrapped
  rtp::RtpHeader header;
  rtp::HeaderExtensions extensions;  ///< only those that are passed on
  ByteView payload;
  bool starts_key_frame = false;
  bool starts_frame = false;
  bool may_be_preceded = false;  ///< as in rtp::PayloadStart
  rtp::KeyFrameSigns signs{};
};

/// Where a producer's time line stands: from its last sender report, or from the report that is
/// derived of it.
struct TimeMapping {
  NtpTime ntp{};
  RtpTimestamp timestamp{};
};

/// A track on its way to one subscriber. A packet it sends is a pure function of the producer's
/// packet, the run it belongs to and the configuration, all of which stay as they are, so a
/// retransmission is byte-identical.
class Consumer {
 public:
  Consumer(ConsumerId id, Producer& producer, Transport& transport, ConsumerConfig config,
           MediaKind kind);

  /// From the producer's packet `sequence` on, which for video is the first of a key frame. False
  /// if nothing may be sent.
  bool begin_run(std::int64_t sequence);
  /// True if the packet was sent. A video consumer waits for begin_run().
  bool forward(const OpenedPacket& packet, TimePoint now);
  /// Sends again what its receiver calls `number`: finds the producer's number for it, if it may go
  /// out.
  [[nodiscard]] std::optional<SequenceRewriter::Origin> find(std::uint16_t number) const {
    return rewriter_.find(number);
  }
  void retransmit(const OpenedPacket& packet, std::int64_t output, TimePoint now);

  /// Only before the first packet: a retransmission must not differ.
  void set_extensions(const rtp::ExtensionMap& map) {
    if (!has_started_) extensions_ = map;
  }
  void set_paused(bool paused);
  [[nodiscard]] bool is_paused() const { return is_paused_; }
  /// What is forwarded is sent.
  [[nodiscard]] bool is_ready() const { return !is_paused_ && transport_.has_keys(); }
  /// The producer's stream broke off: go on behind the gap as after a pause.
  void restart() { is_running_ = false; }
  [[nodiscard]] bool needs_key_frame() const { return kind_ == MediaKind::video && !is_running_; }

  void send_report(const TimeMapping& mapping, std::string_view cname, TimePoint now);
  void send_bye(std::string_view cname);
  void handle_report(const rtp::ReportBlock& block, TimePoint now);
  void count_nack() { ++statistics_.nacks_received; }
  void count_key_frame_request() { ++statistics_.key_frame_requests_received; }

  [[nodiscard]] ConsumerId id() const { return id_; }
  [[nodiscard]] Producer& producer() const { return producer_; }
  [[nodiscard]] Transport& transport() const { return transport_; }
  [[nodiscard]] Ssrc ssrc() const { return config_.ssrc; }
  [[nodiscard]] const ConsumerStatistics& statistics() const { return statistics_; }

 private:
  /// The size of what was queued, with SRTP; zero if nothing was.
  std::size_t send(const OpenedPacket& packet, std::int64_t output);
  /// What send() would return.
  [[nodiscard]] std::size_t sealed_size(const OpenedPacket& packet) const;
  [[nodiscard]] rtp::HeaderExtensions outgoing_extensions(const OpenedPacket& packet) const;

  ConsumerId id_;
  Producer& producer_;
  Transport& transport_;
  ConsumerConfig config_;
  rtp::ExtensionMap extensions_;
  MediaKind kind_;
  bool is_paused_ = false;
  bool has_started_ = false;
  bool is_running_ = false;  ///< a run has begun and packets are passed on
  SequenceRewriter rewriter_;
  rtp::RetransmissionLimiter limiter_;
  ConsumerStatistics statistics_;
  std::uint32_t last_report_ = 0;  ///< middle 32 bits of its NTP time
  TimePoint last_report_at_{};
};

}  // namespace sealroom::sfu
