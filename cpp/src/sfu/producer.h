#pragma once

#include <memory>
#include <string>

#include "consumer.h"
#include "frame_tap.h"
#include "key_frame_pacer.h"
#include "packet_cache.h"
#include "sealroom/base/sequence.h"
#include "sealroom/base/timer_heap.h"
#include "sealroom/jitter/nack_generator.h"
#include "sealroom/jitter/reception_statistics.h"

namespace sealroom::sfu {

/// What was sent to consumers for the first time.
struct Forwarded {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  ///< RTP payload
};

/// A track that somebody sends to the router: what came of it, what to ask its sender for, and who
/// wants it.
class Producer {
 public:
  Producer(ProducerId id, Transport& transport, ProducerConfig config);

  /// An authenticated packet of it. False if it was not passed on: of another payload type, a
  /// duplicate, or larger than the cache keeps. `forwarded` grows by what was sent to consumers.
  bool receive(const rtp::RtpPacketView& view, TimePoint now, Forwarded& forwarded);
  /// Only before the first packet: a retransmission must not differ.
  void set_extensions(const rtp::ExtensionMap& map) {
    if (next_receiver_report_ == kNever) extensions_ = map;
  }
  /// True of the first, from which on the consumers get reports.
  bool handle_sender_report(const rtp::SenderReport& report, TimePoint now);
  /// Answers a consumer's NACK; looks at no more than `max_packets` of it.
  void answer_nack(Consumer& consumer, const rtp::NackList& nack, std::size_t max_packets,
                   TimePoint now);
  /// Asks as soon as the pacer allows; see `service`. The second is for who has no picture yet.
  /// True if nobody had asked yet: only then is there anything to do.
  bool request_key_frame() { return key_frames_.want(); }
  void request_first_key_frame() { key_frames_.want_first(); }

  /// Does what is due: NACKs, key-frame request, reports.
  void service(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;

  void set_tap(bool enabled, std::size_t max_frames);
  std::vector<TappedFrame> take_tapped_frames();

  [[nodiscard]] ProducerId id() const { return id_; }
  [[nodiscard]] Transport& transport() const { return transport_; }
  [[nodiscard]] const ProducerConfig& config() const { return config_; }
  [[nodiscard]] MediaKind kind() const { return kind_; }
  [[nodiscard]] std::string_view cname() const { return cname_; }
  [[nodiscard]] const std::optional<Ssrc>& ssrc() const { return ssrc_; }
  void latch(Ssrc ssrc) { ssrc_ = ssrc; }
  [[nodiscard]] ProducerStatistics statistics() const;

  std::vector<Consumer*> consumers;
  struct Timer : TimerHeap::Timer {
    Producer* owner = nullptr;
  } timer;  ///< in the router's heap

 private:
  [[nodiscard]] OpenedPacket open(const rtp::RtpPacketView& view, std::int64_t sequence) const;
  std::optional<std::int64_t> note_key_frame(const OpenedPacket& packet);
  std::optional<std::int64_t> find_run_start(const OpenedPacket& key_start);
  void forward_from(Consumer& consumer, std::int64_t first, const OpenedPacket& packet,
                    TimePoint now, Forwarded& forwarded);
  template <class Write>
  bool send_feedback(Write write);
  void send_nacks(TimePoint now);
  [[nodiscard]] TimePoint next_key_frame_request() const;
  void send_key_frame_request(TimePoint now);
  void send_receiver_report(TimePoint now);
  void send_sender_reports(TimePoint now);
  [[nodiscard]] TimeMapping mapping_at(TimePoint now) const;

  ProducerId id_;
  Transport& transport_;
  ProducerConfig config_;
  rtp::ExtensionMap extensions_;
  MediaKind kind_;
  std::string cname_;  ///< one per publisher, so that its tracks are played in step
  std::optional<Ssrc> ssrc_;

  SequenceUnwrapper unwrapper_;
  jitter::ReceptionStatistics reception_;
  jitter::NackGenerator nacks_{jitter::NackConfig{.reorder_wait = jitter::kReorderWait}};
  PacketCache cache_;
  std::unique_ptr<FrameTap> tap_;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t key_frame_requests_ = 0;

  KeyFramePacer key_frames_;
  /// Of a key frame that consumers wait for: what made it known, and the packet that would tell
  /// whether it begins there.
  std::int64_t undecided_key_start_ = 0;
  std::optional<std::int64_t> deciding_packet_;
  TimePoint next_receiver_report_ = kNever;  ///< from the first packet on
  TimePoint next_sender_reports_ = kNever;   ///< from the first sender report on
  NtpTime report_ntp_{};  ///< of the producer's last sender report, as the next two
  RtpTimestamp report_timestamp_{};
  TimePoint report_arrival_{};
};

}  // namespace sealroom::sfu
