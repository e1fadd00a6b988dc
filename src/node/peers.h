/* peers: whom a node knows, whom it is to be connected with, and what others are told of that:
 * network.json (roster.h), the address book (p2p/book.h) and announcements of validators (herald.h)
 * put to use over a net.
 *
 * Who is named in network.json is wanted from the start.  Validators, and those who stand in front
 * of some, want every validator that has announced itself as well, or, where it has sentries,
 * KL_PEERS_SENTRIES_MAX of these; strangers are dialled as long as the book wants more of them.  A
 * validator behind sentries wants these alone, and tells others where they are, not where it is.
 *
 * Where strangers are not let in, a validator of the set that is not known yet is, and who stands
 * in front of one: its hello brings the announcement that says so (kl_peers_put_pass,
 * kl_peers_introduced).
 *
 * What was learned is kept over a restart in peers.json (docs/formats/network.md).
 *
 * A machine behind a lock of its own: it is told of time and of what happens at the net, and says
 * to `wire` what is to be done there, with the lock held.  Thread: any. */
#ifndef KL_NODE_PEERS_H
#define KL_NODE_PEERS_H

#include "node/herald.h"
#include "node/roster.h"
#include "p2p/book.h"

enum { KL_PEERS_SENTRIES_MAX = 4 }; /* of one validator, that others keep connected with */

struct kl_peers;

/* What the net does, as in net.h; must not call back. */
struct kl_peers_wire {
    void (*want)(struct kl_peers_wire *wire, const kl_peer_id *id, kl_swarm_standing standing);
    void (*unwant)(struct kl_peers_wire *wire, const kl_peer_id *id);
    void (*dial)(struct kl_peers_wire *wire, const kl_multiaddr *addr);
    void (*set_addrs)(struct kl_peers_wire *wire, const kl_multiaddr *addrs, usize count);
    void (*publish)(struct kl_peers_wire *wire, kl_span announcement);
    void (*send)(struct kl_peers_wire *wire, u32 peer, kl_span announcement);
};

typedef struct kl_peers_config {
    const kl_roster *roster;     /* copied */
    const kl_secret32 *identity; /* copied, wiped at the end */
    const kl_vote_domain *domain;
    const kl_vote_scheme *scheme;
    const kl_secret32 *vote_secret; /* copied, wiped at the end; NULL: none */
    struct kl_clock *clock;
    struct kl_peers_wire *wire;
    u64 seed;
} kl_peers_config;

/* KL_NOMEM. */
KL_MUST_USE kl_status kl_peers_new(struct kl_peers **out, const kl_peers_config *config);
void kl_peers_free(struct kl_peers *peers); /* NULL is fine */

/* What peers.json held: BOOK_FORM, JSON_…: nothing is known then but network.json.  KL_NOTFOUND:
 * there is no file; KL_LIMIT: too long a one; KL_NOMEM, KL_IO. */
KL_MUST_USE kl_status kl_peers_load(struct kl_peers *peers, struct kl_fs *fs, kl_rule *broken);
/* Appends what is to be kept; and writes such a text, durable when it returns KL_OK. */
void kl_peers_text(struct kl_peers *peers, struct kl_buf *out);
KL_MUST_USE kl_status kl_peers_save(struct kl_fs *fs, kl_span text);

/* The net listens at port, and hears wire from here on. */
void kl_peers_begin(struct kl_peers *peers, u16 port);

/* For the net's config. */
struct kl_net_addresses *kl_peers_addresses(struct kl_peers *peers);

/* Who votes from here on. */
void kl_peers_set_validators(struct kl_peers *peers, const kl_valset *set);

/* As the net tells it: see kl_net_user. */
void kl_peers_met(struct kl_peers *peers, const kl_peer_id *id, bool is_outbound);
void kl_peers_lost(struct kl_peers *peers, const kl_peer_id *id);
void kl_peers_up(struct kl_peers *peers, u32 peer);
void kl_peers_identified(struct kl_peers *peers, const kl_peer_id *id, const kl_identify *said,
                         const kl_peer_record *record);
void kl_peers_heard_of(struct kl_peers *peers, const kl_peer_id *from,
                       const kl_peer_record *record);
/* A connection was ended by a rule. */
void kl_peers_dropped(struct kl_peers *peers, const kl_peer_id *id);
/* An announcement, from a peer or by gossip; *broken of a FALSE one. */
kl_herald_news kl_peers_hear(struct kl_peers *peers, const kl_peer_id *from, kl_span announcement,
                             bool by_gossip, kl_rule *broken);

/* Appends the announcement by which we are let in: our own, whether or not we are in the set yet,
 * or as a sentry a ward's that is known; or nothing. */
void kl_peers_put_pass(struct kl_peers *peers, struct kl_buf *out);
/* Somebody unknown brings one; its standing.  STRANGER: it is to be let in by nothing that is known
 * now. */
kl_swarm_standing kl_peers_introduced(struct kl_peers *peers, const kl_peer_id *id, kl_span pass);

/* Time passes; when it wants to be called next. */
void kl_peers_tick(struct kl_peers *peers);
u64 kl_peers_due_ns(struct kl_peers *peers);

/* Whether this is one whom network.json names as a ward; and whether it is to be kept connected. */
bool kl_peers_guards(const struct kl_peers *peers, const kl_peer_id *id);
bool kl_peers_wants(struct kl_peers *peers, const kl_peer_id *id);

/* Whether a validator of the set, by its vote key, is to be spoken to now: its node is connected,
 * or a sentry of its; behind sentries of our own, one of these.  True of ourselves, and always
 * where no connection with all of them is kept, see above. */
bool kl_peers_reaches(struct kl_peers *peers, const u8 *key);

#endif
