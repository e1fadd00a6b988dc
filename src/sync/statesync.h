/* statesync: the state behind one final block, from many peers [Simplex R9], a pure step machine.
 *
 * The leaves of the account trie are asked for in 16 parts, then the storage and the code of
 * accounts that lack theirs, where that is large in several parts at a time.  Every answer proves
 * itself against the block's state root, or against a storage root that did: which peer gave it
 * does not matter, and who gives a false one is named. A peer may have that state no longer; when
 * none has it, the machine says so, and begins again at a later block.  What was laid before stays:
 * accounts are asked for anew, storage and code only where they are not those of the later block.
 *
 *     BEGIN ── 16 parts: ASK, answer, LAY, LAID … ── LOOK, FOUND ── ASK … LAID ── … ── WHOLE
 *                                                └── STALE: begin at another block
 *
 * It owns no clock, heap or socket; memory is fixed, but for the arena that it is lent for the time
 * of a step.  Thread: one at a time. */
#ifndef KL_SYNC_STATESYNC_H
#define KL_SYNC_STATESYNC_H

#include "sync/message.h"

enum {
    KL_STATESYNC_PEERS_MAX = 256,
    KL_STATESYNC_TASKS = 16,
    KL_STATESYNC_WANTS = 8, /* accounts that lack something, of one look */
    KL_STATESYNC_NOTE_MAX = 640,
};

typedef u32 kl_statesync_peer; /* the host's number for it */

typedef struct kl_statesync_config {
    u64 timeout_ns; /* for an answer */
    u64 rest_ns;    /* before somebody who failed is asked again */
} kl_statesync_config;

/* An account that lacks its storage, which is not empty, its code, or both. */
typedef struct kl_statesync_want {
    kl_hash account, storage_root, code_hash;
    bool storage, code;
} kl_statesync_want;

typedef enum kl_statesync_event_kind {
    KL_STATESYNC_BEGIN,  /* height, root, note: nothing that was to be laid is outstanding */
    KL_STATESYNC_HEIGHT, /* peer, height: it says that it has this much */
    KL_STATESYNC_GONE,   /* peer: cannot be asked any more */
    KL_STATESYNC_ANSWER, /* peer, message: STATE or CODE */
    KL_STATESYNC_LAID,   /* task: what was to be laid is */
    KL_STATESYNC_FOUND,  /* wants, want_count; last: where looking stopped, included */
    KL_STATESYNC_TIMER,
} kl_statesync_event_kind;

typedef struct kl_statesync_event {
    kl_statesync_event_kind kind;
    kl_statesync_peer peer;
    u64 height;
    kl_hash root;
    kl_span note; /* kl_statesync_note's; of another block, or empty: from the start */
    const kl_message *message;
    u32 task;
    const kl_statesync_want *wants;
    usize want_count;
    kl_hash last;
} kl_statesync_event;

typedef enum kl_statesync_effect_kind {
    KL_STATESYNC_ASK_STATE, /* peer, has_owner, owner, first: of the state at height */
    KL_STATESYNC_ASK_CODE,  /* peer, owner: the code's hash */
    KL_STATESYNC_LAY,       /* task, has_owner, owner: from first to last, both included, there are
                               these leaves of the event's message and no others; then say LAID */
    KL_STATESYNC_LAY_CODE,  /* task, owner: the code's hash; the message's body */
    KL_STATESYNC_LOOK,      /* from first on: which accounts lack something?  Say FOUND */
    KL_STATESYNC_PENALIZE,  /* peer, rule */
    KL_STATESYNC_STALE,     /* nobody has this state: begin at another block */
    KL_STATESYNC_WHOLE,     /* nothing is missing */
    KL_STATESYNC_SET_TIMER, /* at_ns; UINT64_MAX: none */
} kl_statesync_effect_kind;

typedef struct kl_statesync_effect {
    kl_statesync_effect_kind kind;
    kl_statesync_peer peer;
    u32 task;
    bool has_owner;
    kl_hash owner, first, last;
    usize count; /* of leaves */
    u64 height, at_ns;
    kl_rule rule;
} kl_statesync_effect;

enum { KL_STATESYNC_EFFECTS_MAX = KL_STATESYNC_TASKS + 4 }; /* of one step */
typedef struct kl_statesync_effects {
    kl_statesync_effect list[KL_STATESYNC_EFFECTS_MAX];
    usize count;
} kl_statesync_effects;

struct kl_statesync;

usize kl_statesync_footprint(void);
struct kl_statesync *kl_statesync_init(void *room, const kl_statesync_config *config);
/* Fills out anew.  scratch is used for answers, and not kept; KL_NOMEM when it does not do: the
 * answer counts as none. */
KL_MUST_USE kl_status kl_statesync_step(struct kl_statesync *sync, const kl_statesync_event *event,
                                        u64 now_ns, struct kl_arena *scratch,
                                        kl_statesync_effects *out);

/* How far laying is, for a BEGIN at the same block: to be made durable together with what was
 * laid. */
kl_span kl_statesync_note(const struct kl_statesync *sync, u8 room[KL_STATESYNC_NOTE_MAX]);

typedef struct kl_statesync_progress {
    u32 ppm;    /* of the space of keys, accounts being one half of the way and what they have the
                   other */
    u64 leaves; /* laid, in this life */
} kl_statesync_progress;
kl_statesync_progress kl_statesync_progress_of(const struct kl_statesync *sync);

#endif
