/* seglog_twin: what a log should hold, for its tests.  Compiled into test programs only. */
#ifndef KL_STORE_SEGLOG_TWIN_H
#define KL_STORE_SEGLOG_TWIN_H

#include "store/seglog.h"

enum { KL_TWIN_RECORDS = 4000, KL_TWIN_LEN_MAX = 20000 };

/* Records are numbered; record n has len[n] bytes and a kind, all drawn from its seed. */
struct kl_seglog_twin {
    struct kl_seglog *log;
    struct kl_fs *fs;
    kl_seglog_config config;
    u64 seed[KL_TWIN_RECORDS];
    u32 len[KL_TWIN_RECORDS];
    u64 end;
};

void kl_twin_init(struct kl_seglog_twin *twin, struct kl_fs *fs, usize segment_bytes);

/* Opens the log and fails the test unless that works. */
void kl_twin_open(struct kl_seglog_twin *twin);
void kl_twin_close(struct kl_seglog_twin *twin);

/* Appends a record of len bytes to log and twin; the twin is left alone on failure. */
KL_MUST_USE kl_status kl_twin_append(struct kl_seglog_twin *twin, usize len, u64 *seed);

/* Fails the test unless record seq reads as it was appended. */
void kl_twin_check(struct kl_seglog_twin *twin, u64 seq);
/* The same for every record the log says it has; also that it has nothing else. */
void kl_twin_check_all(struct kl_seglog_twin *twin);

/* What reading record seq gives; on KL_OK it is what was appended. */
KL_MUST_USE kl_status kl_twin_read(struct kl_seglog_twin *twin, u64 seq, kl_seglog_report *damage);

#endif
