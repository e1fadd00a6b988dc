/* fetch: whoever is behind asks for final blocks by height [Simplex R9], a pure step machine.
 *
 * There are no modes: it is always on.  Peers say how high they are; as long as one is higher than
 * we are, the blocks above our own are asked for, from one peer at a time, each answer checked by
 * itself before anything of it is believed: bodies that hang together by parent hashes from our
 * head on, up to one with a Finalization by the validators of our epoch.  An answer never reaches
 * over an epoch's end, since only the block there says who votes next.  Who gives no answer in time
 * is passed over for a while; who gives a false one is named, and not asked again for long.
 *
 * It owns no clock, heap or socket: events and the time go in, effects come out, equal inputs give
 * equal effects.  Memory is fixed.  Thread: one at a time. */
#ifndef KL_SYNC_FETCH_H
#define KL_SYNC_FETCH_H

#include "sync/message.h"

enum {
    KL_FETCH_PEERS_MAX = 256,
    KL_FETCH_BATCH = 64, /* blocks of one request */
};

typedef u32 kl_fetch_peer; /* the host's number for it */

typedef struct kl_fetch_config {
    kl_vote_domain domain;
    u64 timeout_ns; /* for an answer */
    u64 rest_ns;    /* before somebody who failed is asked again */
    bool records;   /* answers are RECORDS: ledger records in the place of bodies */
} kl_fetch_config;

/* Where we are: our newest final block, and who votes for those behind it. */
typedef struct kl_fetch_head {
    u64 height;
    kl_hash hash;
    u64 epoch;            /* of the next block */
    u64 last_height;      /* of that epoch */
    const kl_valset *set; /* the caller's, until the next head */
} kl_fetch_head;

typedef enum kl_fetch_event_kind {
    KL_FETCH_HEAD,   /* head: at the start, and whenever ours has moved */
    KL_FETCH_HEIGHT, /* peer, height: it says that it has this much */
    KL_FETCH_GONE,   /* peer: cannot be asked any more */
    KL_FETCH_BLOCKS, /* peer, message: its answer */
    KL_FETCH_FAILED, /* the blocks that were taken could not be executed: verdict rule */
    KL_FETCH_TIMER,
} kl_fetch_event_kind;

typedef struct kl_fetch_event {
    kl_fetch_event_kind kind;
    kl_fetch_peer peer;
    u64 height;
    const kl_fetch_head *head;
    const kl_message *message;
    kl_rule rule;
} kl_fetch_event;

typedef enum kl_fetch_effect_kind {
    KL_FETCH_ASK,       /* peer, from, to: heights */
    KL_FETCH_TAKE,      /* count blocks of the event's message, checked: execute them in order, make
                           them final, then say HEAD; or FAILED */
    KL_FETCH_PENALIZE,  /* peer, rule */
    KL_FETCH_SET_TIMER, /* at_ns; UINT64_MAX: none */
} kl_fetch_effect_kind;

typedef struct kl_fetch_effect {
    kl_fetch_effect_kind kind;
    kl_fetch_peer peer;
    u64 from, to, at_ns;
    usize count;
    kl_rule rule;
} kl_fetch_effect;

enum { KL_FETCH_EFFECTS_MAX = 8 }; /* of one step */
typedef struct kl_fetch_effects {
    kl_fetch_effect list[KL_FETCH_EFFECTS_MAX];
    usize count;
} kl_fetch_effects;

struct kl_fetch;

usize kl_fetch_footprint(void);
struct kl_fetch *kl_fetch_init(void *room, const kl_fetch_config *config);
/* Fills out anew. */
void kl_fetch_step(struct kl_fetch *fetch, const kl_fetch_event *event, u64 now_ns,
                   kl_fetch_effects *out);

/* Whether this peer was asked for that, and has not answered yet. */
bool kl_fetch_expects(const struct kl_fetch *fetch, kl_fetch_peer peer, const kl_message *message);
/* Is something under way, or is there a peer above us that may be asked? */
bool kl_fetch_is_behind(const struct kl_fetch *fetch, u64 now_ns);
/* The height that more than a third of those heard of, and `least` of them, say they have, or more;
 * 0: there is none. */
u64 kl_fetch_credible(const struct kl_fetch *fetch, u32 least);
/* The highest that a peer says it is; our own where nobody is higher. */
u64 kl_fetch_target(const struct kl_fetch *fetch);

/* The block behind ours, where each of those who are above us, so many, was asked for it and gave
 * nothing: they have dropped it.  number 0: that is not so. */
typedef struct kl_fetch_lack {
    u64 number;
    u32 peers;
} kl_fetch_lack;
kl_fetch_lack kl_fetch_lack_of(const struct kl_fetch *fetch);

/* What is the matter and what helps, in words; "" where nothing is. */
enum { KL_FETCH_LACK_MAX = 200 };
void kl_fetch_lack_text(char out[KL_FETCH_LACK_MAX], const kl_fetch_lack *lack);

#endif
