#include "sealroom/sframe/receiver.h"

#include <algorithm>
#include <vector>

#include "aad.h"
#include "ratchet_chain.h"
#include "receive_key.h"
#include "sealroom/sframe/key_commitment.h"

namespace sealroom::sframe {

struct Receiver::State {
  crypto::Backend backend;
  CipherSuite suite;
  std::size_t tag_size;                           ///< of the suite
  std::vector<std::unique_ptr<ReceiveKey>> keys;  ///< one or two in practice: a scan beats a map
  std::vector<RatchetChain> ratchets;
  KeyId unknown{};

  [[nodiscard]] auto find(KeyId key_id) {
    return std::find_if(keys.begin(), keys.end(),
                        [&](const auto& key) { return key->key_id == key_id; });
  }
  [[nodiscard]] auto find_ratchet(KeyId key_id) {
    return std::find_if(ratchets.begin(), ratchets.end(),
                        [&](const auto& ratchet) { return ratchet.is_generation_of(key_id); });
  }

  Result<void> check(KeyId key_id, ByteView base_key, ByteView commitment) const {
    return commitment.empty() ? Result<void>()
                              : check_commitment(suite, key_id, base_key, commitment);
  }
};

Receiver::Receiver(crypto::Backend backend, CipherSuite suite)
    : state_(std::make_unique<State>(State{backend, suite, 0, {}, {}})) {
  // Of a suite that is none no key can be added, and without a key no frame is opened.
  if (const auto parameters = suite_parameters(suite)) {
    state_->tag_size = parameters.value().tag_size;
  }
}
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;
Receiver::~Receiver() = default;

Result<void> Receiver::add_key(KeyId key_id, ByteView base_key, ByteView commitment) {
  State& state = *state_;
  if (state.find(key_id) != state.keys.end()) return Error::invalid_argument;
  if (state.find_ratchet(key_id) != state.ratchets.end()) return Error::invalid_argument;
  if (state.keys.size() >= kMaxReceiverKeys) return Error::limit_exceeded;
  const auto checked = state.check(key_id, base_key, commitment);
  if (!checked) return checked.error();
  auto key = ReceiveKey::create(state.backend, state.suite, key_id, base_key);
  if (!key) return key.error();
  state.keys.push_back(std::move(key).value());
  return {};
}

Result<void> Receiver::add_ratchet(KeyId key_id, ByteView base_key, RatchetOptions options,
                                   ByteView commitment) {
  State& state = *state_;
  if (!is_valid(options)) return Error::invalid_argument;
  const std::uint64_t generation = key_id.value >> options.bits;
  const bool key_is_of_it = std::any_of(state.keys.begin(), state.keys.end(), [&](const auto& key) {
    return key->key_id.value >> options.bits == generation;
  });
  // Ratchets of other bits overlap if either takes the other's KID for its own.
  const bool ratchet_overlaps =
      std::any_of(state.ratchets.begin(), state.ratchets.end(), [&](const auto& ratchet) {
        return ratchet.is_generation_of(key_id) ||
               ratchet.current().key_id.value >> options.bits == generation;
      });
  if (key_is_of_it || ratchet_overlaps) return Error::invalid_argument;
  if (state.ratchets.size() >= kMaxReceiverRatchets) return Error::limit_exceeded;
  const auto checked = state.check(key_id, base_key, commitment);
  if (!checked) return checked.error();
  auto ratchet = RatchetChain::create(state.backend, state.suite, key_id, base_key, options);
  if (!ratchet) return ratchet.error();
  state.ratchets.push_back(std::move(ratchet).value());
  return {};
}

Result<void> Receiver::add_mls_epoch(const MlsKeyIdLayout& layout, const MlsKeyId& id,
                                     ByteView base_key, ByteView commitment) {
  State& state = *state_;
  const auto key_id = layout.encode(id);
  if (!key_id) return key_id.error();
  const auto old = state.find(key_id.value());
  if (old == state.keys.end()) {
    const auto added = add_key(key_id.value(), base_key, commitment);
    if (added) state.keys.back()->mls_epoch = id.epoch;
    return added;
  }
  if (!(*old)->mls_epoch || *(*old)->mls_epoch >= id.epoch) return Error::invalid_argument;
  const auto checked = state.check(key_id.value(), base_key, commitment);
  if (!checked) return checked.error();
  auto key = ReceiveKey::create(state.backend, state.suite, key_id.value(), base_key);
  if (!key) return key.error();
  *old = std::move(key).value();
  (*old)->mls_epoch = id.epoch;
  return {};
}

bool Receiver::remove_key(KeyId key_id) {
  if (const auto key = state_->find(key_id); key != state_->keys.end()) {
    state_->keys.erase(key);
    return true;
  }
  const auto ratchet = state_->find_ratchet(key_id);
  if (ratchet == state_->ratchets.end()) return false;
  state_->ratchets.erase(ratchet);
  return true;
}

std::vector<KeyId> Receiver::key_ids() const {
  std::vector<KeyId> key_ids;
  for (const auto& key : state_->keys) key_ids.push_back(key->key_id);
  for (const RatchetChain& ratchet : state_->ratchets) key_ids.push_back(ratchet.current().key_id);
  return key_ids;
}

bool Receiver::has_key(KeyId key_id) const {
  if (state_->find(key_id) != state_->keys.end()) return true;
  const auto ratchet = state_->find_ratchet(key_id);
  return ratchet != state_->ratchets.end() && ratchet->reaches(key_id);
}

Result<KeyId> Receiver::ratchet_position(KeyId key_id) const {
  const auto ratchet = state_->find_ratchet(key_id);
  if (ratchet == state_->ratchets.end()) return Error::unknown_key_id;
  return ratchet->current().key_id;
}

Result<std::size_t> Receiver::unprotect(ByteView metadata, ByteView frame, MutableByteView out) {
  State& state = *state_;
  if (metadata.size() > kMaxMetadataSize) return Error::invalid_argument;
  const auto parsed = Header::parse(frame);
  if (!parsed) return parsed.error();
  const Header header = parsed.value().header;

  ReceiveKey* key = nullptr;
  RatchetChain* ratchet = nullptr;
  if (const auto found = state.find(header.key_id); found != state.keys.end()) {
    key = found->get();
  } else if (const auto chain = state.find_ratchet(header.key_id); chain != state.ratchets.end()) {
    // No derivation for what is no frame at all.
    if (frame.size() < parsed.value().size + state.tag_size) return Error::truncated;
    const auto step = chain->find(header.key_id);
    if (!step && step.error() != Error::unknown_key_id) return step.error();
    if (step) {
      key = step.value();
      ratchet = &*chain;
    }
  }
  if (key == nullptr) {
    state.unknown = header.key_id;
    return Error::unknown_key_id;
  }

  const ByteView ciphertext = frame.subspan(parsed.value().size);
  if (ciphertext.size() < state.tag_size) return Error::truncated;
  const std::size_t size = ciphertext.size() - state.tag_size;
  if (out.size() < size) return Error::buffer_too_small;
  const ByteView encoded_header = frame.first(parsed.value().size);

  const auto fresh = key->window.check(header.counter);
  if (!fresh) return fresh.error();
  const MutableByteView plaintext = out.first(size);
  const auto opened = metadata.empty()
                          ? key->cipher.open(header.counter, encoded_header, ciphertext, plaintext)
                          : key->cipher.open(header.counter, Aad(encoded_header, metadata).view(),
                                             ciphertext, plaintext);
  if (!opened) {
    if (opened.error() == Error::crypto_failure) secure_wipe(plaintext);
    return opened.error();
  }
  key->window.accept(header.counter);
  if (ratchet != nullptr) ratchet->accept(*key);
  return size;
}

Result<std::size_t> Receiver::plaintext_size(ByteView frame) const {
  const auto parsed = Header::parse(frame);
  if (!parsed) return parsed.error();
  const std::size_t overhead = parsed.value().size + state_->tag_size;
  if (frame.size() < overhead) return Error::truncated;
  return frame.size() - overhead;
}

KeyId Receiver::unknown_key_id() const { return state_->unknown; }

}  // namespace sealroom::sframe
