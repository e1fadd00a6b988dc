/* bft_log_priv: the consensus log's index in memory: what each record is, certificates in order of
 * views, bodies by hash.  No lock and no disk here: bft_log.c has both. */
#ifndef KL_HOST_BFT_LOG_PRIV_H
#define KL_HOST_BFT_LOG_PRIV_H

#include "base/map.h"
#include "host/bft_log.h"

typedef struct log_certificate {
    u64 epoch, view;
    kl_vote_kind kind;
    kl_hash block_hash; /* zeros of a nullification */
    u64 seq;
} log_certificate;

struct log_body {
    kl_hash hash;
    u64 seq;
};

typedef struct log_vote {
    kl_vote_subject subject; /* of kind 0: a turn */
    u8 leader[KL_VOTE_SIGNATURE_MAX], leader_len;
    u64 seq;
} log_vote;

/* Of one record; those of the log lie in order of their numbers. */
typedef struct log_entry {
    u64 epoch, view;
    struct log_body *body; /* NULL: no body, or what could not be read */
} log_entry;

typedef struct log_index {
    u64 first; /* number of the record that entries[0] is of */
    log_entry *entries;
    usize count, cap;
    usize needless; /* so many of the entries, the oldest, belong to what may be forgotten */
    log_certificate *certificates; /* by epoch, view, kind, hash */
    usize certificate_count, certificate_cap;
    struct kl_map bodies;
    log_vote *votes; /* and turns, in order of seq, of views that are needed */
    usize vote_count, vote_cap;
} log_index;

void log_index_init(log_index *index, u64 first);
void log_index_done(log_index *index);

/* Room for one more record of any kind: adding it cannot fail then. */
KL_MUST_USE kl_status log_index_reserve(log_index *index);
/* Record number first + count is a certificate; a body, which the index owns from here on; unread.
 */
void log_index_certificate(log_index *index, const kl_certificate *certificate);
KL_MUST_USE kl_status log_index_body(log_index *index, const kl_hash *hash, u64 epoch, u64 view);
void log_index_vote(log_index *index, const kl_vote_subject *subject, kl_span leader);
void log_index_unread(log_index *index);

bool log_index_has_vote(const log_index *index, const kl_vote_subject *subject);
bool log_index_has(const log_index *index, const kl_vote_subject *subject);
/* Where the first certificate of (epoch, view) or behind is, or would be. */
usize log_index_from(const log_index *index, u64 epoch, u64 view);
/* The first record that is needed from (epoch, view) on, of what the oldest ones are not.  Votes
 * and turns before it are known no more. */
u64 log_index_needed(log_index *index, u64 epoch, u64 view);
/* Records below first, none of which is needed, are gone. */
void log_index_drop(log_index *index, u64 first);

#endif
