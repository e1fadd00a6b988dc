/* bft_log: the consensus log, what a validator must find again after a crash before it may go on:
 * certificates, bodies of blocks that are not in the ledger yet, and what it was about to sign
 * [DESIGN 7: durability barrier].
 *
 * A seglog in the folder `consensus`; docs/formats/consensus-log.md draws its records.  A tear is
 * cut, as with every seglog; damage ends nothing here: what cannot be read is missing, and a
 * validator whose log is damaged observes until its peers have brought it forward.  Segments that
 * could not be opened at all are set aside, with the suffix `.damaged`, and the log begins anew; it
 * counts as damaged, over restarts too, until kl_bft_log_mended.
 *
 * What the ledger holds, synced, may be forgotten: kl_bft_log_forget drops whole segments.  An
 * index in memory finds certificates by view and bodies by hash; it is made anew when the log is
 * opened.
 *
 * Thread: append, sync and forget on one thread at a time; find on any. */
#ifndef KL_HOST_BFT_LOG_H
#define KL_HOST_BFT_LOG_H

#include "base/arena.h"
#include "base/file.h"
#include "cert/cert.h"
#include "store/seglog.h"

struct kl_bft_log;

typedef struct kl_bft_log_report {
    kl_seglog_report log;     /* a tear that was cut, or damage */
    bool damaged;             /* records were lost, in this life or one before: observe */
    u64 certificates, bodies; /* found */
} kl_bft_log_report;

KL_MUST_USE kl_status kl_bft_log_open(struct kl_bft_log **out, struct kl_fs *fs,
                                      usize segment_bytes, kl_bft_log_report *report);
void kl_bft_log_close(struct kl_bft_log *log); /* NULL is fine; does not sync */

/* In memory, and in the index, from here on; durable with the next sync.  What is there already is
 * not appended twice.  epoch, view: of the body's proposal, for forgetting.  KL_NOMEM, or why the
 * log is broken. */
KL_MUST_USE kl_status kl_bft_log_certificate(struct kl_bft_log *log,
                                             const kl_certificate *certificate);
KL_MUST_USE kl_status kl_bft_log_body(struct kl_bft_log *log, const kl_hash *hash, u64 epoch,
                                      u64 view, kl_span body);
/* Something that is about to be signed with the node's own key.  Where the sign guard comes back
 * from a copy, this is what it lacks.  leader: the signature of a proposal that is notarized here,
 * which its leader may have no record of (docs/adr/0011); empty: none. */
KL_MUST_USE kl_status kl_bft_log_vote(struct kl_bft_log *log, const kl_vote_subject *subject,
                                      kl_span leader);
/* A turn that is about to be taken, see guard/guard.h; likewise. */
KL_MUST_USE kl_status kl_bft_log_turn(struct kl_bft_log *log, u64 epoch, u64 view);
/* All appended before the call becomes durable; a vote waits for it, so nothing else is done. */
KL_MUST_USE kl_status kl_bft_log_sync(struct kl_bft_log *log);

/* Certificates of an epoch's views from..to, in order of views, at most `most` of them: each is
 * given to each(ctx, certificate), which returns false to stop. */
KL_MUST_USE kl_status
kl_bft_log_certificates(struct kl_bft_log *log, u64 epoch, u64 from, u64 to, usize most,
                        bool (*each)(void *ctx, const kl_certificate *certificate), void *ctx);
/* A body, in the arena; KL_NOTFOUND. */
KL_MUST_USE kl_status kl_bft_log_find_body(struct kl_bft_log *log, const kl_hash *hash,
                                           struct kl_arena *arena, kl_span *out);
bool kl_bft_log_has_body(struct kl_bft_log *log, const kl_hash *hash);

/* All own votes that it holds and that are not forgotten, in the order in which they were appended,
 * with the leaders' signatures; and all turns. */
void kl_bft_log_votes(struct kl_bft_log *log,
                      void (*each)(void *ctx, const kl_vote_subject *subject, kl_span leader),
                      void *ctx);
void kl_bft_log_turns(struct kl_bft_log *log, void (*each)(void *ctx, u64 epoch, u64 view),
                      void *ctx);

/* What belongs to views below (epoch, view) is not needed any more: the ledger holds it, synced.
 * The certificates of that view itself stay: whoever restarts there needs them.  Room is made
 * ahead too: no vote waits for this. */
KL_MUST_USE kl_status kl_bft_log_forget(struct kl_bft_log *log, u64 epoch, u64 view);

/* Peers have brought this node past everything that damage may have taken: what was set aside goes,
 * and the log is sound again. */
KL_MUST_USE kl_status kl_bft_log_mended(struct kl_bft_log *log);

#endif
