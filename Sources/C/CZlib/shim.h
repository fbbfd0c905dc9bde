/* Door to zlib: gzip bodies. inflateInit2 is a macro, so it is wrapped. */
#ifndef NUDGED_CZLIB_H
#define NUDGED_CZLIB_H
#include <string.h>
#include <zlib.h>

static inline int czlib_start_gunzip(z_stream *stream) {
  memset(stream, 0, sizeof *stream);
  return inflateInit2(stream, 15 + 32); /* gzip or zlib, told by the header */
}
#endif
