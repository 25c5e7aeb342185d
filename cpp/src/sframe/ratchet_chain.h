#pragma once

#include <memory>
#include <vector>

#include "key_schedule.h"
#include "receive_key.h"
#include "sealroom/sframe/ratchet.h"

namespace sealroom::sframe {

/// The keys of one generation of a ratchet that a receiver follows. The keys ahead of the current
/// step are derived when a frame first asks for them and kept, so that frames which do not
/// authenticate cost at most max_steps_ahead derivations until an authentic one moves the step.
/// Base keys of steps that have a key are gone.
class RatchetChain {
 public:
  /// `options` are valid.
  static Result<RatchetChain> create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                                     ByteView base_key, RatchetOptions options);

  [[nodiscard]] bool is_generation_of(KeyId key_id) const {
    return key_id.value >> options_.bits == current().key_id.value >> options_.bits;
  }
  /// Whether a frame of this KID could be opened: a step within reach, ahead or kept.
  [[nodiscard]] bool reaches(KeyId key_id) const;
  /// The key of a KID that is_generation_of; unknown_key_id out of reach.
  Result<ReceiveKey*> find(KeyId key_id);
  /// A frame under `key` has authenticated: its step becomes the current one if it is ahead.
  void accept(const ReceiveKey& key);

  [[nodiscard]] const ReceiveKey& current() const { return *keys_[current_]; }

 private:
  RatchetChain(crypto::Backend backend, CipherSuite suite, RatchetOptions options)
      : backend_(backend), suite_(suite), options_(options) {}

  [[nodiscard]] std::uint64_t steps_between(KeyId from, KeyId to) const {
    return (to.value - from.value) & ratchet_step_mask(options_.bits);
  }
  Result<void> derive_next(KeyId key_id, ByteView base_key);

  crypto::Backend backend_;
  CipherSuite suite_;
  RatchetOptions options_;
  std::vector<std::unique_ptr<ReceiveKey>> keys_;  ///< kept steps, the current one, those ahead
  std::size_t current_ = 0;
  Secret next_base_key_;  ///< of the step after keys_.back()
};

}  // namespace sealroom::sframe
