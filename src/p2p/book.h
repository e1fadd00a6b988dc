/* book: the peers that a node knows of, where they are, and who is to be dialled next.
 *
 * Friends are those the node is to be connected with whatever happens: peers of its config, other
 * validators.  The swarm dials them, and asks the book where they are (kl_book_where); they never
 * leave it.  Doors are addresses of the config that do not say who is behind them: the book says
 * when they are to be dialled, as long as nobody is met there.  Everybody else is a stranger:
 * dialled as long as fewer connections with strangers were made from here than are wanted.
 *
 * Of strangers only signed records are believed, and what a peer says of itself over its own
 * connection; a higher seq replaces a lower one.  Addresses that strangers tell are passed over
 * when they lie further in than our own network (reach.h).  The book is bounded, and nobody can
 * fill it: strangers whom we have never reached are few for each peer that told of them, few for
 * each network that they are said to be in, and the first to go.
 *
 * A stranger or door that was not reached is dialled again after 100 ms, doubled each time, 30 s at
 * most, less a random part of up to a quarter; each time at its next address.  A connection that
 * lasted for 10 s makes the pause small again.
 *
 * A pure machine: the time (above 0) and the seed of its choices are handed in.  Memory is fixed.
 * Thread: one at a time. */
#ifndef KL_P2P_BOOK_H
#define KL_P2P_BOOK_H

#include "base/buf.h"
#include "base/status.h"
#include "p2p/peer_record.h"
#include "p2p/reach.h"

enum {
    KL_BOOK_PEERS_MAX = 1024,
    KL_BOOK_ADDRS_MAX = KL_RECORD_ADDRS_MAX,
    KL_BOOK_FIXED_MAX = 4, /* addresses of a friend that the config names */
    KL_BOOK_DOORS_MAX = 16,
    KL_BOOK_FRIENDS_MAX = 512,
    KL_BOOK_SOURCE_MAX = 64,  /* strangers never met, by who told of them first */
    KL_BOOK_NETWORK_MAX = 32, /* the same, by an IPv4 /24, an IPv6 /48, a name */
    KL_BOOK_OUTBOUND = 16,    /* connections with strangers, made from here: what is usual */
};
#define KL_BOOK_PAUSE_NS     UINT64_C(100000000)
#define KL_BOOK_PAUSE_MAX_NS UINT64_C(30000000000)
#define KL_BOOK_STAYED_NS    UINT64_C(10000000000)
#define KL_BOOK_DIAL_NS      UINT64_C(60000000000) /* a silent dial has failed */
#define KL_BOOK_TEXT_MAX     ((usize)4 << 20)

typedef struct kl_book_config {
    kl_peer_id self; /* never in the book */
    u64 seed;
    u32 outbound;   /* strangers that are wanted; 0: none are dialled */
    bool closed;    /* strangers are not even kept */
    kl_reach reach; /* the innermost network that we are on */
} kl_book_config;

/* What is known of a peer. */
typedef struct kl_book_peer {
    bool is_friend, is_met;
    u32 count;
    kl_multiaddr addrs[KL_BOOK_ADDRS_MAX]; /* without a peer */
} kl_book_peer;

struct kl_book;

usize kl_book_footprint(void);
/* In room, aligned for u64. */
struct kl_book *kl_book_init(void *room, const kl_book_config *config);

/* A friend, with the addresses of the config, which records do not replace; more than
 * KL_BOOK_FIXED_MAX are passed over.  A friend already: the addresses are added.  KL_LIMIT: too
 * many friends. */
KL_MUST_USE kl_status kl_book_befriend(struct kl_book *book, const kl_peer_id *peer,
                                       const kl_multiaddr *addrs, usize count, u64 now_ns);
/* A stranger from here on. */
void kl_book_unfriend(struct kl_book *book, const kl_peer_id *peer);
bool kl_book_is_friend(const struct kl_book *book, const kl_peer_id *peer);
KL_MUST_USE kl_status kl_book_door(struct kl_book *book, const kl_multiaddr *addr, u64 now_ns);

/* A record that kl_peer_record_open took, told by source; or, with seq 0, what the source says of
 * itself unsigned.  True when the book has it. */
bool kl_book_tell(struct kl_book *book, const kl_peer_id *source, const kl_peer_record *record,
                  u64 now_ns);

/* Where a peer is, the best first; how many there are. */
usize kl_book_where(const struct kl_book *book, const kl_peer_id *peer,
                    kl_multiaddr out[KL_BOOK_ADDRS_MAX]);

/* The next door or stranger that is due, a stranger with its id; it counts as being dialled until
 * kl_book_tried is told of it, for KL_BOOK_DIAL_NS at most. */
bool kl_book_next(struct kl_book *book, kl_multiaddr *out, u64 now_ns);
/* When kl_book_next may have something; UINT64_MAX: not by time alone. */
u64 kl_book_due_ns(struct kl_book *book);

/* How a dial of addr ended, friends' too.  good: peer was there.  Else peer is who was dialled, or
 * NULL. */
void kl_book_tried(struct kl_book *book, const kl_peer_id *peer, const kl_multiaddr *addr,
                   bool good, u64 now_ns, u64 wall_s);
/* A peer is connected, and is not any more. */
void kl_book_met(struct kl_book *book, const kl_peer_id *peer, bool is_outbound, u64 now_ns);
void kl_book_lost(struct kl_book *book, const kl_peer_id *peer, u64 now_ns);
/* A stranger that broke a rule is not dialled until then. */
void kl_book_shun(struct kl_book *book, const kl_peer_id *peer, u64 until_ns);

bool kl_book_find(const struct kl_book *book, const kl_peer_id *peer, kl_book_peer *out);
u32 kl_book_count(const struct kl_book *book);

/* The book as JSON text, KL_BOOK_TEXT_MAX at most: who is where, by whom, with which seq, reached
 * when; and beside it own_seq, that of our own last record.  Without the addresses of the config,
 * which may have changed by the next time. */
void kl_book_put(const struct kl_book *book, u64 own_seq, struct kl_buf *out);
/* Adds what a text has to the book, up to its bounds, as strangers.  *own_seq:
 * what was put.  BOOK_FORM, JSON_…: the book is as it was.  KL_NOMEM. */
KL_MUST_USE kl_status kl_book_get(struct kl_book *book, u64 *own_seq, kl_span text, u64 now_ns,
                                  kl_rule *broken);

#endif
