/* peer: what a lane does with its clients; see server_priv.h.  Thread: the lane's owner, but where
 * it says otherwise. */
#ifndef KL_RPC_PEER_PRIV_H
#define KL_RPC_PEER_PRIV_H

#include "rpc/server_priv.h"

/* In lane.word. */
enum { KL_LANE_IN_CALL = 1 };

/* Does what the connection asks for until it has to wait; the peer may be no more then.  False when
 * the lane has been taken. */
bool kl_peer_serve(struct kl_peer *peer);
/* To be served before the turn ends, or in the next one. */
void kl_peer_later(struct kl_peer *peer);
/* Sends the news it has not been told; false when the peer is no more. */
bool kl_peer_tell(struct kl_peer *peer, struct kl_rpc_thread *thread);
/* Counts it among those that have subscriptions, or no longer. */
void kl_peer_hear(struct kl_peer *peer, bool hears);
/* What becomes of it when the lane stops. */
void kl_peer_stop(struct kl_peer *peer);
/* Sees to it that its deadline is noticed. */
void kl_peer_arm(struct kl_peer *peer);

/* Handlers for the loop. */
bool kl_peer_ready(struct kl_watch *watch, unsigned what);
void kl_peer_late(struct kl_timer *timer);

/* Closes it; it must not be busy. */
void kl_peer_drop(struct kl_peer *peer);
/* The same for one that no lane knows yet. */
void kl_peer_free(struct kl_peer *peer);

/* The time of this turn. */
const kl_moment *kl_lane_now(struct kl_lane *lane);
/* Hands a new peer, or one whose call is done, to its lane.  Any thread. */
void kl_lane_post(struct kl_peer *peer);

#endif
