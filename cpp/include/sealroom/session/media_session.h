#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>

#include "sealroom/base/datagram_batch.h"
#include "sealroom/rtp/fir_filter.h"
#include "sealroom/session/events.h"
#include "sealroom/session/rtp_receiver.h"
#include "sealroom/session/rtp_sender.h"
#include "sealroom/srtp/idle_streams.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

namespace sealroom::session {

struct SessionConfig {
  crypto::Backend backend = crypto::Backend::openssl;
  std::string cname;  ///< at most 255 bytes
  Ssrc rtcp_ssrc{};   ///< sender of RTCP while the session has no sender of its own
  rtp::ExtensionMap extensions;
  ReceiverLimits receiver_limits;
};

inline constexpr std::size_t kMaxSenders = 256;
inline constexpr std::size_t kMaxReceivers = 1024;
/// SSRCs a session may send under in its life, RTX among them: they are remembered, see
/// MediaSession::can_send_as.
inline constexpr std::size_t kMaxSentSsrcs = 65'536;
inline constexpr std::size_t kMaxPendingEvents =
    256;  ///< besides frames, which each receiver bounds

/// One DTLS-SRTP association: encoded frames in, datagrams out, and back. Routes what it receives
/// by SSRC, else by mid, else by a payload type that only one receiver has; a route is learned only
/// from authenticated packets. Sans-IO, one thread: give it one input (frame, datagram, time-out),
/// then drain poll_transmit and poll_event.
class MediaSession {
 public:
  explicit MediaSession(SessionConfig config);

  /// `send` and `receive` are master key and salt of each direction. May be called once
  /// (invalid_argument).
  Result<void> set_keys(srtp::Profile profile, ByteView send, ByteView receive);
  [[nodiscard]] bool has_keys() const { return srtp_sender_.has_value(); }
  void set_extensions(const rtp::ExtensionMap& extensions) { config_.extensions = extensions; }

  /// Every SSRC in it must be one that this session can_send_as.
  Result<SenderId> add_sender(SenderConfig config);
  /// False for an SSRC of another sender, of one that was removed, of either one's RTX, or of the
  /// session's RTCP: under one key, its packets would go out with the key stream of others.
  [[nodiscard]] bool can_send_as(Ssrc ssrc) const;
  Result<void> set_sender_key(SenderId id, sframe::CipherSuite suite, KeyId key_id,
                              ByteView base_key);
  Result<void> send_frame(SenderId id, const OutgoingFrame& frame, TimePoint now,
                          NtpTime wall_clock);
  /// Sends a BYE for it.
  Result<void> remove_sender(SenderId id);

  Result<ReceiverId> add_receiver(ReceiverConfig config);
  Result<void> add_receiver_key(ReceiverId id, sframe::CipherSuite suite, KeyId key_id,
                                ByteView base_key);
  Result<void> remove_receiver_key(ReceiverId id, KeyId key_id);
  Result<void> set_drop_broken_frames(ReceiverId id, bool drop);
  Result<void> request_key_frame(ReceiverId id, TimePoint now);
  Result<void> remove_receiver(ReceiverId id);

  /// SRTP and SRTCP datagrams in order of arrival, opened in place; no two share memory. What came
  /// together is best given together: some profiles open several packets in the time of one.
  void handle_datagrams(std::span<const MutableByteView> datagrams, TimePoint now,
                        NtpTime wall_clock);
  void handle_datagram(MutableByteView datagram, TimePoint now, NtpTime wall_clock) {
    handle_datagrams({&datagram, 1}, now, wall_clock);
  }
  void handle_timeout(TimePoint now, NtpTime wall_clock);
  [[nodiscard]] TimePoint next_timeout() const;
  /// Once after a batch of datagrams or a time-out: emits the NACKs and key-frame requests that are
  /// due.
  void flush_feedback(TimePoint now);

  /// False when nothing is left. Views live until the next call of another method.
  bool poll_transmit(DatagramBatch::Run& run) { return batch_.next(run); }
  bool poll_event(Event& event, TimePoint now);
  [[nodiscard]] bool has_event(TimePoint now) const;

  [[nodiscard]] const SessionStatistics& statistics() const { return statistics_; }
  [[nodiscard]] Result<SenderStatistics> sender_statistics(SenderId id) const;
  [[nodiscard]] Result<ReceiverStatistics> receiver_statistics(ReceiverId id) const;

 private:
  static constexpr Duration kReportInterval = std::chrono::seconds(1);

  void open(std::span<const MutableByteView> datagrams, TimePoint now, NtpTime wall_clock);
  void handle_rtp(MutableByteView datagram, Result<std::size_t> size, TimePoint now);
  void handle_rtcp(MutableByteView datagram, TimePoint now, NtpTime wall_clock);
  void handle_reports(const rtp::ReportBlocks& reports, NtpTime wall_clock);
  void handle_feedback(const rtp::RtcpPacketView& packet, TimePoint now, NtpTime wall_clock);
  RtpReceiver* route(const rtp::RtpPacketView& packet, TimePoint now);
  RtpReceiver* route_rtx(const rtp::RtpPacketView& packet);
  RtpSender* sender_by_ssrc(Ssrc ssrc);
  void retire(Ssrc sent);
  using Routes = std::map<Ssrc, ReceiverId>;
  void set_route(Routes& routes, Ssrc ssrc, ReceiverId to);  ///< in place of another one to it
  void remove_routes(Routes& routes, ReceiverId to);
  void note_unused(Ssrc ssrc);
  void send_bye(Ssrc sender, std::span<const Ssrc> streams);
  void send_reports(TimePoint now, NtpTime wall_clock);
  [[nodiscard]] Ssrc rtcp_ssrc() const;
  void push_event(Event event);

  template <class Write>
  void send_rtcp(Write write);

  SessionConfig config_;
  std::optional<srtp::Sender> srtp_sender_;
  std::optional<srtp::Receiver> srtp_receiver_;
  std::map<SenderId, RtpSender> senders_;
  /// Of senders that are gone, media and RTX, from the keys on. Used anew, an SSRC would begin
  /// again with the SRTP indices, and so the key stream, of the one before.
  std::unordered_set<std::uint32_t> spent_ssrcs_;
  std::map<ReceiverId, RtpReceiver> receivers_;
  Routes routes_;
  Routes rtx_routes_;               ///< one per receiver at most
  srtp::IdleStreams idle_streams_;  ///< those without a route
  rtp::FirFilter fir_filter_;
  std::uint64_t next_id_ = 1;
  DatagramBatch batch_;
  std::deque<Event> events_;
  TimePoint next_report_ = kNever;
  SessionStatistics statistics_;
};

}  // namespace sealroom::session
