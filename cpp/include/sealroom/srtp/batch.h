#pragma once

#include <cstddef>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"

namespace sealroom::srtp {

/// One packet of Sender::protect_rtp_batch; the fields are the arguments of protect_rtp. No two
/// packets of a batch share memory.
struct ProtectTask {
  MutableByteView buffer;
  std::size_t header_size = 0;
  ByteView payload;
  Result<std::size_t> size = Error::not_ready;  ///< out
};

/// One packet of Receiver::unprotect_rtp_batch; the fields are the arguments of unprotect_rtp.
struct UnprotectTask {
  ByteView packet;
  MutableByteView out;
  Result<std::size_t> size = Error::not_ready;  ///< out
};

}  // namespace sealroom::srtp
