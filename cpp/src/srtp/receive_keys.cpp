#include "srtp/receive_keys.h"

#include <algorithm>
#include <utility>

namespace sealroom::srtp {

Result<void> ReceiveKeys::set(ByteView master, ByteView mki, std::uint64_t& replaced) {
  if (mki.size() != layout_.mki_size()) return Error::invalid_argument;
  const std::size_t position = position_of(mki);
  if (position == keys_.size() && keys_.size() >= kMaxMasterKeys) return Error::limit_exceeded;
  auto rtp = PacketCipher::create(backend_, profile_, master, Protocol::rtp, mki);
  if (!rtp) return rtp.error();
  auto rtcp = PacketCipher::create(backend_, profile_, master, Protocol::rtcp, mki);
  if (!rtcp) return rtcp.error();
  // Its packets would be accepted once more: behind new windows, or with the other MKI, which AEAD
  // tags do not cover.
  for (const auto& known : keys_) {
    if (rtp.value().has_key_of(known->rtp)) return Error::invalid_argument;
  }
  std::unique_ptr<ReceiveKey> key(new ReceiveKey{next_serial_++, Bytes(mki.begin(), mki.end()),
                                                 std::move(rtp).value(), std::move(rtcp).value()});
  replaced = 0;
  if (position == keys_.size()) {
    keys_.push_back(std::move(key));
  } else {
    replaced = keys_[position]->serial;
    keys_[position] = std::move(key);
  }
  return {};
}

Result<std::uint64_t> ReceiveKeys::remove(ByteView mki) {
  const std::size_t position = position_of(mki);
  if (position == keys_.size()) return Error::unknown_key_id;
  const std::uint64_t serial = keys_[position]->serial;
  keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(position));
  last_ = 0;
  return serial;
}

ReceiveKey* ReceiveKeys::find(ByteView mki) {
  if (last_ < keys_.size() && std::ranges::equal(keys_[last_]->mki, mki)) return keys_[last_].get();
  const std::size_t position = position_of(mki);
  if (position == keys_.size()) return nullptr;
  last_ = position;
  return keys_[position].get();
}

const ReceiveKey* ReceiveKeys::find(ByteView mki) const {
  const std::size_t position = position_of(mki);
  return position == keys_.size() ? nullptr : keys_[position].get();
}

std::size_t ReceiveKeys::position_of(ByteView mki) const {
  const auto found = std::ranges::find_if(
      keys_, [&](const auto& key) { return std::ranges::equal(key->mki, mki); });
  return static_cast<std::size_t>(found - keys_.begin());
}

}  // namespace sealroom::srtp
