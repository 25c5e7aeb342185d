#include "ratchet_chain.h"

#include <algorithm>

namespace sealroom::sframe {

Result<RatchetChain> RatchetChain::create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                                          ByteView base_key, RatchetOptions options) {
  RatchetChain chain(backend, suite, options);
  chain.keys_.reserve(options.kept_steps + 1 + options.max_steps_ahead);
  const auto derived = chain.derive_next(key_id, base_key);
  if (!derived) return derived.error();
  return chain;
}

Result<void> RatchetChain::derive_next(KeyId key_id, ByteView base_key) {
  auto key = ReceiveKey::create(backend_, suite_, key_id, base_key);
  if (!key) return key.error();
  auto next = next_base_key(suite_, base_key);
  if (!next) return next.error();
  keys_.push_back(std::move(key).value());
  next_base_key_ = std::move(next).value();
  return {};
}

bool RatchetChain::reaches(KeyId key_id) const {
  return is_generation_of(key_id) &&
         (steps_between(current().key_id, key_id) <= options_.max_steps_ahead ||
          steps_between(key_id, current().key_id) <= current_);
}

Result<ReceiveKey*> RatchetChain::find(KeyId key_id) {
  const std::uint64_t ahead = steps_between(current().key_id, key_id);
  if (ahead > options_.max_steps_ahead) {
    const std::uint64_t back = steps_between(key_id, current().key_id);
    if (back > current_) return Error::unknown_key_id;
    return keys_[current_ - back].get();
  }
  const std::size_t index = current_ + ahead;
  while (keys_.size() <= index) {
    const KeyId next = next_ratchet_key_id(keys_.back()->key_id, options_.bits);
    const auto derived = derive_next(next, next_base_key_.view());
    if (!derived) return derived.error();
  }
  return keys_[index].get();
}

void RatchetChain::accept(const ReceiveKey& key) {
  if (&key == keys_[current_].get()) return;
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [&](const auto& one) { return one.get() == &key; });
  const auto index = static_cast<std::size_t>(found - keys_.begin());
  if (index <= current_) return;
  const std::size_t passed = index - std::min(index, options_.kept_steps);
  keys_.erase(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(passed));
  current_ = index - passed;
}

}  // namespace sealroom::sframe
