/* ping: is the peer there, and how far away [libp2p specs: ping, /ipfs/ping/1.0.0].
 *
 * Who opened the stream sends 32 bytes, the other end sends them back; again and again until the
 * first ends the stream.  Pure machines: the bytes are handed in (unpredictable ones, so that no
 * peer answers early), and so is all knowledge of time. */
#ifndef KL_P2P_PING_H
#define KL_P2P_PING_H

#include "base/buf.h"
#include "base/rule.h"

#define KL_PING_NAME "/ipfs/ping/1.0.0"
enum { KL_PING_LEN = 32 };

typedef struct kl_ping {
    u8 wanted[KL_PING_LEN];
    bool waits;
    usize got; /* bytes of the answer */
} kl_ping;

/* Sends; only while none waits (asserted). */
void kl_ping_send(kl_ping *ping, const u8 bytes[KL_PING_LEN], struct kl_buf *send);
/* *pong: the answer is whole.  PING_ANSWER: other bytes, or more than were asked for; ends the
 * stream. */
kl_rule kl_ping_feed(kl_ping *ping, kl_span in, bool *pong);

/* The other end: gives back whole pings, keeps what there is of the next. */
typedef struct kl_ping_echo {
    u8 part[KL_PING_LEN];
    usize got;
} kl_ping_echo;

void kl_ping_echo_feed(kl_ping_echo *echo, kl_span in, struct kl_buf *send);

#endif
