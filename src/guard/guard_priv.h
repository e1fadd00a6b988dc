/* guard_priv: the guard in memory. */
#ifndef KL_GUARD_GUARD_PRIV_H
#define KL_GUARD_GUARD_PRIV_H

#include "guard/format_priv.h"

typedef struct guard_entry {
    kl_vote_subject subject;
    u64 number; /* of its record */
    bool past;  /* it was there when the guard was opened */
} guard_entry;

struct kl_guard {
    struct kl_fs *fs;
    struct kl_file *lock, *file;
    guard_header header;
    u64 written;        /* records in the file */
    u64 durable;        /* of them */
    kl_status failed;   /* KL_OK, or what every call answers from then on */
    bool used, doubted; /* its marks */
    u32 count;
    guard_entry *entries; /* room of them; by epoch, view, kind */
};

/* Memory and the lock. */
KL_MUST_USE kl_status guard_new(struct kl_guard **out, struct kl_fs *fs,
                                const guard_header *header);

/* Fills the entries from the file of that name.  GUARD_MISSING, GUARD_DAMAGED, GUARD_FOREIGN. */
KL_MUST_USE kl_status guard_load(struct kl_guard *guard, kl_rule *broken);

/* A new file with what is to be remembered, complete and durable, takes the old one's place. */
KL_MUST_USE kl_status guard_rewrite(struct kl_guard *guard);

/* mark.c: which marks there are. */
KL_MUST_USE kl_status guard_marks(struct kl_guard *guard);

/* Where the subject's entry is or would be. */
u32 guard_find(const struct kl_guard *guard, const kl_vote_subject *subject, bool *found);
void guard_insert(struct kl_guard *guard, u32 at, const guard_entry *entry);

/* What is remembered and contradicts the subject: a GUARD_ row, or KL_RULE_NONE. */
kl_rule guard_contrary(const struct kl_guard *guard, const kl_vote_subject *subject);
/* What stands against signing it: that, or a turn of an earlier life. */
kl_rule guard_judge(const struct kl_guard *guard, const kl_vote_subject *subject);

#define GUARD_NAME       "sign.guard"
#define GUARD_NAME_NEXT  "sign.guard.next"
#define GUARD_NAME_LOCK  "sign.guard.lock"
#define GUARD_NAME_USED  "sign.guard.used"
#define GUARD_NAME_DOUBT "sign.guard.doubt"

#endif
