#pragma once

#include <memory>
#include <optional>

#include "frame_cipher.h"
#include "replay_window.h"

namespace sealroom::sframe {

/// What a receiver holds for one KID.
struct ReceiveKey {
  KeyId key_id;
  FrameCipher cipher;
  ReplayWindow window;
  std::optional<std::uint64_t> mls_epoch;

  static Result<std::unique_ptr<ReceiveKey>> create(crypto::Backend backend, CipherSuite suite,
                                                    KeyId key_id, ByteView base_key) {
    auto cipher = FrameCipher::create(backend, suite, key_id, base_key);
    if (!cipher) return cipher.error();
    return std::make_unique<ReceiveKey>(
        ReceiveKey{key_id, std::move(cipher).value(), ReplayWindow(), std::nullopt});
  }
};

}  // namespace sealroom::sframe
