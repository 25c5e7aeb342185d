#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace sealroom::sfu {

/// The numbers of one consumer: unwrapped producer numbers in, unwrapped outgoing numbers out.
/// Within a run the distance is constant, so reordering and gaps pass through unchanged. Each new
/// run (after a pause or a jump) continues right behind the last number used, so no outgoing number
/// ever stands for two packets: it would be one SRTP index, and so one key stream, used twice. SRTP
/// sees 16 bits of a number and takes it for the one nearest to its newest: so only what was sealed
/// counts as used, and no run gets further ahead of that than kMaxLead.
class SequenceRewriter {
 public:
  /// Runs whose packets can still be asked for again.
  static constexpr std::size_t kRememberedRuns = 8;
  /// More than any step within a run, far less than the 2^15 from which SRTP would mistake it.
  static constexpr std::int64_t kMaxLead = 8192;

  explicit SequenceRewriter(std::uint16_t first) : newest_(std::int64_t{first} - 1) {}

  /// From the packet `input` on; older ones are not sent any more.
  void begin_run(std::int64_t input) {
    runs_[run_count_++ % kRememberedRuns] = {input, newest_ + 1};
  }

  /// The outgoing number, none for a packet from before the run or after its lead.
  [[nodiscard]] std::optional<std::int64_t> to_output(std::int64_t input) const {
    if (run_count_ == 0) return std::nullopt;
    const Run& run = runs_[(run_count_ - 1) % kRememberedRuns];
    if (input < run.first_input) return std::nullopt;
    const std::int64_t output = run.first_output + (input - run.first_input);
    if (output > newest_ + kMaxLead) return std::nullopt;
    return output;
  }
  /// Nothing was sealed for so long that the run must end: `to_output` gives no number any more.
  [[nodiscard]] bool has_lost_touch(std::int64_t input) const {
    if (run_count_ == 0) return false;
    const Run& run = runs_[(run_count_ - 1) % kRememberedRuns];
    return run.first_output + (input - run.first_input) > newest_ + kMaxLead;
  }
  /// From now on the number stands for its packet.
  void mark_used(std::int64_t output) { newest_ = std::max(newest_, output); }

  struct Origin {
    std::int64_t input;
    std::int64_t output;
  };
  /// What a receiver means by a 16-bit number: of the last 2^16 used, if its run is remembered.
  [[nodiscard]] std::optional<Origin> find(std::uint16_t number) const {
    const auto behind = static_cast<std::uint16_t>(static_cast<std::uint16_t>(newest_) - number);
    const std::int64_t output = newest_ - behind;
    const std::size_t remembered = run_count_ < kRememberedRuns ? run_count_ : kRememberedRuns;
    for (std::size_t i = 0; i < remembered; ++i) {
      const Run& run = runs_[(run_count_ - 1 - i) % kRememberedRuns];
      if (output < run.first_output) continue;
      return Origin{run.first_input + (output - run.first_output), output};
    }
    return std::nullopt;
  }

 private:
  struct Run {
    std::int64_t first_input = 0;
    std::int64_t first_output = 0;
  };

  std::array<Run, kRememberedRuns> runs_{};
  std::size_t run_count_ = 0;
  std::int64_t newest_;
};

}  // namespace sealroom::sfu
