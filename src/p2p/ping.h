/* ping: somebody asks whether we are there [libp2p specs: ping, /ipfs/ping/1.0.0].
 *
 * Who opened the stream sends 32 bytes, the other end sends them back; again and again until the
 * first ends the stream.  Here is the other end, a pure machine; we ask by pings of yamux. */
#ifndef KL_P2P_PING_H
#define KL_P2P_PING_H

#include "base/buf.h"

#define KL_PING_NAME "/ipfs/ping/1.0.0"
enum { KL_PING_LEN = 32 };

/* Gives back whole pings, keeps what there is of the next. */
typedef struct kl_ping_echo {
    u8 part[KL_PING_LEN];
    usize got;
} kl_ping_echo;

void kl_ping_echo_feed(kl_ping_echo *echo, kl_span in, struct kl_buf *send);

#endif
