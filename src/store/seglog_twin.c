#include "store/seglog_twin.h"

#include "base/test.h"

static u8 want_bytes[KL_TWIN_LEN_MAX];

static kl_span payload_of(u64 seed, u32 len)
{
    kl_rand_fill(&seed, want_bytes, len);
    return kl_span_of(want_bytes, len);
}

static u8 kind_of(u64 seed)
{
    return (u8)(1 + seed % 255);
}

void kl_twin_init(struct kl_seglog_twin *twin, struct kl_fs *fs, usize segment_bytes)
{
    memset(twin, 0, sizeof *twin);
    twin->fs = fs;
    twin->config = (kl_seglog_config){.dir = "log", .segment_bytes = segment_bytes};
}

void kl_twin_open(struct kl_seglog_twin *twin)
{
    kl_seglog_report report;
    kl_status status = kl_seglog_open(&twin->log, twin->fs, &twin->config, &report);
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "open: %s: %s at %s+%llu", kl_status_text(status),
                     report.damage ? report.damage : "no damage", report.file,
                     (unsigned long long)report.offset);
    CHECK(!report.damage);
}

void kl_twin_close(struct kl_seglog_twin *twin)
{
    kl_seglog_close(twin->log);
    twin->log = NULL;
}

kl_status kl_twin_append(struct kl_seglog_twin *twin, usize len, u64 *seed)
{
    KL_ASSERT(twin->end < KL_TWIN_RECORDS && len <= KL_TWIN_LEN_MAX);
    u64 s = kl_rand(seed), seq = UINT64_MAX;
    kl_span payload = payload_of(s, (u32)len), parts[3];
    usize a = kl_rand_below(seed, len + 1), b = a + kl_rand_below(seed, len - a + 1);
    parts[0] = kl_span_of(payload.p, a);
    parts[1] = kl_span_of(payload.p + a, b - a);
    parts[2] = kl_span_of(payload.p + b, len - b);
    kl_status status = kl_seglog_append(twin->log, kind_of(s), parts, 3, &seq);
    if (status != KL_OK) {
        CHECK_U64(seq, UINT64_MAX);
        return status;
    }
    CHECK_U64(seq, twin->end);
    twin->seed[seq] = s;
    twin->len[seq] = (u32)len;
    twin->end = seq + 1;
    return KL_OK;
}

kl_status kl_twin_read(struct kl_seglog_twin *twin, u64 seq, kl_seglog_report *damage)
{
    struct kl_arena arena;
    kl_record record;
    kl_arena_init(&arena, 1 << 20);
    kl_status status = kl_seglog_read(twin->log, seq, &arena, &record, damage);
    if (status == KL_OK) {
        CHECK_U64(record.seq, seq);
        CHECK_U64(record.kind, kind_of(twin->seed[seq]));
        CHECK_SPAN(record.payload, payload_of(twin->seed[seq], twin->len[seq]));
    } else {
        CHECK_U64(arena.used, 0);
    }
    kl_arena_done(&arena);
    return status;
}

void kl_twin_check(struct kl_seglog_twin *twin, u64 seq)
{
    kl_seglog_report damage = {.damage = NULL};
    kl_status status = kl_twin_read(twin, seq, &damage);
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "record %llu: %s: %s at %s+%llu", (unsigned long long)seq,
                     kl_status_text(status), damage.damage ? damage.damage : "no damage",
                     damage.file, (unsigned long long)damage.offset);
}

void kl_twin_check_all(struct kl_seglog_twin *twin)
{
    u64 first = kl_seglog_first(twin->log), end = kl_seglog_end(twin->log);
    CHECK(first <= end && end <= twin->end);
    for (u64 seq = first; seq < end; seq++)
        kl_twin_check(twin, seq);
    CHECK(kl_twin_read(twin, end, NULL) == KL_NOTFOUND);
    CHECK(first == 0 || kl_twin_read(twin, first - 1, NULL) == KL_NOTFOUND);
}
