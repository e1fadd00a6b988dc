/* guard: what a key has signed, kept beside the key, so that it never signs the contrary.
 *
 * A vote goes through three steps: kl_guard_ask writes down what is to be signed, or refuses;
 * kl_guard_sync makes everything written down durable; only then kl_guard_sign makes the signature.
 * Whatever happens in between, a crash or a power cut, the guard that is opened afterwards knows of
 * every vote that was signed.  The same vote may be asked for again at any time and is signed again
 * with the same bytes, so a crash between signature and send costs nothing.
 *
 * A leader may take a turn: kl_guard_reserve writes down that a notarize vote of a view may have
 * been signed, whichever.  Once that is durable, one notarize vote in the view is signed as soon as
 * it is written down, in the same life of the guard.  A later life that finds the turn and not the
 * vote signs no notarize vote there: one may be about that it does not know (docs/adr/0011).
 *
 * A guard is one file, `sign.guard`, in a folder of the caller's (that of the key, not of the
 * chain's data), for one key on one chain: docs/formats/guard.md.  One process has it open at a
 * time.  It spans epochs: a new epoch resets nothing.
 *
 * What it cannot tell from the file alone is that the file is an old copy, or has one elsewhere.
 * Whoever restores one must watch before voting: a mark beside the file says so (kl_guard_resume).
 * Whoever hears a vote that its guard lacks stops signing: another mark says that (kl_guard_bar).
 *
 * Once a write or sync has failed, the guard answers nothing but that failure until the process
 * ends: what has reached the disk is then unknown.  Thread: one at a time. */
#ifndef KL_GUARD_GUARD_H
#define KL_GUARD_GUARD_H

#include "base/file.h"
#include "cert/vote.h"

struct kl_guard;

enum {
    KL_GUARD_ROOM_MIN = 8,
    KL_GUARD_ROOM = 4096, /* records, 512 bytes each: two or three a view */
    KL_GUARD_ROOM_MAX = 1 << 16,
};

/* Whose guard it is. */
typedef struct kl_guard_owner {
    kl_vote_domain domain;
    const kl_vote_scheme *scheme;
    u8 key[KL_VOTE_KEY_MAX]; /* the public vote key */
} kl_guard_owner;

/* A place in the order of views, epochs first. */
typedef struct kl_guard_view {
    u64 epoch, view;
} kl_guard_view;

/* A new guard for a key that has signed nothing at or above floor on this chain: that is the
 * caller's word, nobody can check it.  room: how many records fit before the file is written anew.
 * KL_BUSY when there is a guard already, or another process has it open. */
KL_MUST_USE kl_status kl_guard_create(struct kl_guard **out, struct kl_fs *fs,
                                      const kl_guard_owner *owner, kl_guard_view floor, u32 room);

/* *broken: GUARD_USED (see kl_guard_bar), GUARD_MISSING, GUARD_DAMAGED, GUARD_FOREIGN (another
 * chain's, scheme's or key's); *out is then NULL, and whoever asks must not sign: it is an
 * observer.  Nothing is made or mended behind the caller's back.  What is kept is written anew and
 * durable before this returns. KL_BUSY, KL_NOMEM, KL_IO, KL_FULL. */
KL_MUST_USE kl_status kl_guard_open(struct kl_guard **out, struct kl_fs *fs,
                                    const kl_guard_owner *owner, kl_rule *broken);

/* What is not synced may be lost.  NULL is fine. */
void kl_guard_close(struct kl_guard *guard);

/* May this be signed?  *broken:
 *   KL_RULE_NONE      yes, and it is written down; or it was already
 *   GUARD_USED        see kl_guard_bar
 *   GUARD_FLOOR       below the floor: what was signed there is no longer known
 *   GUARD_NOTARIZE    another proposal was notarized in this view
 *   GUARD_TURN        a notarize vote, and an earlier life had a turn there whose vote is not known
 *   GUARD_FINALIZE    another proposal was finalized in this view
 *   GUARD_NULLIFIED   a finalize vote, and the view was nullified
 *   GUARD_FINALIZED   a nullify vote, and a proposal of the view was finalized
 * A refusal leaves no trace.  The failure of a write: see above. */
KL_MUST_USE kl_status kl_guard_ask(struct kl_guard *guard, const kl_vote_subject *subject,
                                   kl_rule *broken);

/* Takes the turn of a view.  *broken: KL_RULE_NONE, and it is written down, or was in this life;
 * GUARD_USED, GUARD_FLOOR; GUARD_TURN, an earlier life had it; GUARD_NOTARIZE, a proposal was
 * notarized there already.  Of an earlier life (past): the same, and nothing is signed in it. */
KL_MUST_USE kl_status kl_guard_reserve(struct kl_guard *guard, kl_guard_view view, bool past,
                                       kl_rule *broken);

/* Everything asked for so far becomes durable. */
KL_MUST_USE kl_status kl_guard_sync(struct kl_guard *guard);

/* Signs what has been asked for, allowed and synced (asserted); a notarize vote need not be synced
 * where this life's turn is.  secret is that of the owner's key.  The guard's failure, if it has
 * failed. */
KL_MUST_USE kl_status kl_guard_sign(struct kl_guard *guard, kl_vote *out,
                                    const kl_vote_subject *subject, u32 signer,
                                    const kl_secret32 *secret);

/* Somebody else signs with the key: from here on nothing is allowed any more, and once this returns
 * KL_OK no later life's guard opens either, until kl_guard_resume. */
KL_MUST_USE kl_status kl_guard_bar(struct kl_guard *guard);

/* The owner's word that nobody else has the key in fs any more, also where it came back from an old
 * copy: its guard opens again, and is doubted.  Durable.  KL_BUSY: it is open; KL_NOTFOUND: there
 * is none. */
KL_MUST_USE kl_status kl_guard_resume(struct kl_fs *fs);
/* The key may have signed what the guard lacks: whoever uses it watches until that is in the past,
 * and says so by kl_guard_trust. */
bool kl_guard_is_doubted(const struct kl_guard *guard);
KL_MUST_USE kl_status kl_guard_trust(struct kl_guard *guard);

/* From here on nothing below view is signed; its records go with the next writing anew.  A lower
 * view than the floor changes nothing.  The guard does the same by itself when more than half of
 * its room is taken by what it must remember. */
void kl_guard_raise(struct kl_guard *guard, kl_guard_view floor);

kl_guard_view kl_guard_floor(const struct kl_guard *guard);

/* The highest view something was asked for or reserved in; the floor when that is none. */
kl_guard_view kl_guard_newest(const struct kl_guard *guard);

/* Gives everything that was asked for and is at or above the floor, in order of views: what may
 * have been signed. */
void kl_guard_each(const struct kl_guard *guard,
                   void (*each)(void *ctx, const kl_vote_subject *subject), void *ctx);
/* Gives the turns of earlier lives whose votes are not known, likewise. */
void kl_guard_each_turn(const struct kl_guard *guard, void (*each)(void *ctx, kl_guard_view view),
                        void *ctx);

#endif
