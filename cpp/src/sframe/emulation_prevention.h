#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"

namespace sealroom::sframe {

// Emulation prevention (H.264 section 7.4.1): inside a NAL unit a byte of at most 3 never follows
// two zero bytes; an inserted 3 keeps them apart. The functions take the unit without its header
// byte, which is never zero.

/// The first position, at least `from + 2`, of a byte of at most 3 behind two zero bytes that lie
/// at `from` or later; `data.size()` if there is none.
[[nodiscard]] std::size_t find_emulation(ByteView data, std::size_t from);

/// The most bytes that escape_in_place makes of `size`.
[[nodiscard]] constexpr std::size_t max_escaped_size(std::size_t size) { return size + size / 2; }

/// Escapes the first `size` bytes of `buffer`, which has max_escaped_size(size) bytes, and returns
/// the new size.
std::size_t escape_in_place(MutableByteView buffer, std::size_t size);

/// The inverse, from `data` into `out` (at least as many bytes, no overlap); returns the size.
/// `data` must be what escape_in_place makes of something, else malformed: a start code, an escape
/// that was not needed or one that is missing would give two spellings to one content.
Result<std::size_t> unescape(ByteView data, MutableByteView out);

}  // namespace sealroom::sframe
