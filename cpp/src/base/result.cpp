#include "sealroom/base/result.h"

#include <array>

namespace sealroom {
namespace {

struct Description {
  Error error;
  std::string_view name;
  std::string_view message;
};

constexpr std::array kDescriptions{
    Description{Error::invalid_argument, "invalid_argument",
                "an argument is outside its documented range"},
    Description{Error::buffer_too_small, "buffer_too_small", "the output buffer is too small"},
    Description{Error::truncated, "truncated", "the input ends inside a field"},
    Description{Error::malformed, "malformed", "the input breaks its wire format"},
    Description{Error::unsupported, "unsupported", "not supported by this build"},
    Description{Error::authentication_failed, "authentication_failed", "authentication failed"},
    Description{Error::replayed, "replayed", "replayed: this counter was accepted before"},
    Description{Error::too_old, "too_old", "older than the replay window reaches"},
    Description{Error::unknown_key_id, "unknown_key_id", "no key is installed for this key id"},
    Description{Error::unknown_ssrc, "unknown_ssrc", "no stream is registered for this SSRC"},
    Description{Error::not_encrypted, "not_encrypted", "the frame is not encrypted"},
    Description{Error::key_exhausted, "key_exhausted",
                "the key has reached its limit: install a new key"},
    Description{Error::not_ready, "not_ready", "keys or route are not installed yet"},
    Description{Error::limit_exceeded, "limit_exceeded", "a stated limit is reached"},
    Description{Error::commitment_mismatch, "commitment_mismatch",
                "the key is not the one that was committed to"},
    Description{Error::crypto_failure, "crypto_failure",
                "the crypto library refused the operation"},
    Description{Error::system_error, "system_error", "a system call failed"},
};

constexpr Description kNoError{Error::system_error, "unknown", "no error of this core"};

const Description& describe(Error error) {
  const auto index = static_cast<std::size_t>(error);
  return index < kDescriptions.size() ? kDescriptions[index] : kNoError;
}

}  // namespace

std::string_view error_name(Error error) { return describe(error).name; }
std::string_view error_message(Error error) { return describe(error).message; }

}  // namespace sealroom
