#pragma once

#include "sealroom/net/io_thread.h"

namespace sealroom::bindings {

/// The I/O thread that sessions and routers share when the caller names none. Started on first use,
/// in a child of fork anew, and never destroyed: the interpreter may still hold sessions while it
/// shuts down. Needs the GIL.
net::IoThread& default_io_thread();

}  // namespace sealroom::bindings
