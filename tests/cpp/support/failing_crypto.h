#pragma once

#include <cstddef>

namespace sealroom::test {

/// Which kind of call into the crypto library.
enum class CryptoCall { aead_seal, aead_open, crypt, crypt_many, hmac, hmac_many };

/// Linked with failing_crypto.cpp a test program makes its Aead, AesCtr and Hmac through a wrapper
/// whose calls fail when they are told to, as a library does that is out of memory. `count` calls
/// of this kind pass, the `failures` after them return crypto_failure, then all pass again. A call
/// that fails has written all of its output before, a batch half of its messages': no output may be
/// kept for nothing having been written to it. Calls are counted for the whole program.
void fail_crypto(CryptoCall call, std::size_t count = 0, std::size_t failures = 1);

/// All calls pass; also the end of what an earlier test left.
void mend_crypto();

/// Failures that have happened since the last mend_crypto.
std::size_t crypto_failures();

}  // namespace sealroom::test
