#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "sealroom/base/types.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {

/// Tells a full intra request from its repetitions, which have its command sequence number and are
/// sent in case it was lost (RFC 5104 section 4.3.1.1). Remembers the last command of each of a few
/// pairs of sender and media; one that a new pair has pushed out counts once more.
class FirFilter {
 public:
  static constexpr std::size_t kRemembered = 8;
  /// Longer than a request is repeated; who begins anew may begin with the same number.
  static constexpr Duration kMemory = std::chrono::seconds(2);

  /// Whether this is a command of its own; remembers it if so.
  bool accept(Ssrc sender, const FirEntry& entry, TimePoint now) {
    const auto found = std::ranges::find_if(commands_, [&](const Command& command) {
      return command.is_used && command.sender == sender && command.media == entry.ssrc;
    });
    if (found != commands_.end() && found->number == entry.command_sequence_number &&
        now - found->at < kMemory) {
      return false;
    }
    Command& place =
        found != commands_.end()
            ? *found
            : *std::ranges::min_element(commands_, {}, [](const Command& it) { return it.at; });
    place = {sender, entry.ssrc, entry.command_sequence_number, true, now};
    return true;
  }

 private:
  struct Command {
    Ssrc sender{};
    Ssrc media{};
    std::uint8_t number = 0;
    bool is_used = false;
    TimePoint at{};
  };

  std::array<Command, kRemembered> commands_{};
};

}  // namespace sealroom::rtp
