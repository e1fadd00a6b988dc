/* Three honest replicas and one whose frames are whatever the input makes of them: bytes of its
 * own, messages of its own making, and what an honest one says with a field or a byte changed.
 * Whatever it says: no two become final at one height (the rig looks), nobody signs two votes that
 * exclude one another (the rig looks), and when it is over blocks go on. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fuzz.h"
#include "host/replica_rig_test.h"

enum { COUNT = 4, LIAR = 3, INPUT_MAX = 2048, RAW_MAX = 255, COPY_MAX = 1 << 16 };

/* The rig's checks are tests'; here nobody runs tests. */
void kl_test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

static kl_span input;

static u8 take(void)
{
    return kl_fuzz_u8(&input);
}

static kl_span changed(kl_span part, u8 copy[COPY_MAX])
{
    usize where = take() * 7u + take();
    if (part.len == 0 || part.len > COPY_MAX)
        return part;
    memcpy(copy, part.p, part.len);
    copy[where % part.len] ^= take();
    return kl_span_of(copy, part.len);
}

static void change_subject(kl_vote_subject *s)
{
    kl_proposal *p = &s->proposal;
    switch (take() % 6) {
    case 0:
        p->epoch += take();
        break;
    case 1:
        p->view += take();
        break;
    case 2:
        p->parent_view -= take();
        break;
    case 3:
        p->height += take();
        break;
    case 4:
        p->block_hash.b[take() % 32] ^= take();
        break;
    default:
        p->parent_hash.b[take() % 32] ^= take();
        break;
    }
}

static void twist(KL_UNUSED struct rig *rig, u32 from, kl_message *m)
{
    static u8 copies[2][COPY_MAX];
    if (from != LIAR || input.len == 0)
        return;
    u8 how = take();
    if (how & 1)
        return; /* the truth */
    if (how & 2)
        change_subject(&m->vote.subject);
    if (how & 4)
        m->vote.signature[take() % 64] ^= take();
    if (how & 8 && m->kind == KL_MESSAGE_COMPACT)
        m->compact.hashes = changed(m->compact.hashes, copies[0]);
    else if (how & 8)
        m->body = changed(m->body, copies[0]);
    if (how & 16)
        change_subject(&m->certificate.subject);
    if (how & 32)
        m->certificate.signatures = changed(m->certificate.signatures, copies[1]);
    if (how & 64)
        m->from += take();
    if (how & 128)
        m->hash.b[take() % 32] ^= take();
}

static u64 some_number(void)
{
    u8 n = take();
    return n < 250 ? n : UINT64_MAX - (255 - n);
}

static void ask(struct rig *rig, u32 to)
{
    static const kl_message_kind kinds[] = {
        KL_MESSAGE_ASK_CERTIFICATES, KL_MESSAGE_ASK_BODY,  KL_MESSAGE_ASK_BLOCKS, KL_MESSAGE_STATUS,
        KL_MESSAGE_ASK_RECORDS,      KL_MESSAGE_ASK_STATE, KL_MESSAGE_ASK_CODE};
    kl_message m = {.kind = kinds[take() % KL_COUNT_OF(kinds)]};
    m.epoch = some_number();
    m.from = some_number();
    m.to = some_number();
    m.hash = rig->final[take() % RIG_HEIGHTS_MAX];
    m.first.b[0] = take();
    rig_deliver(rig, to, LIAR, &m);
}

static void raw(struct rig *rig, u32 to)
{
    usize said = take();
    kl_span frame = kl_span_take(&input, said);
    kl_replica_receive(rig->nodes[to].replica, LIAR, frame);
}

static void step(struct rig *rig)
{
    u8 op = take();
    u32 to = op / 8 % LIAR;
    switch (op % 8) {
    case 0:
    case 1:
        raw(rig, to);
        break;
    case 2:
    case 3:
        ask(rig, to);
        break;
    case 4:
        (void)rig_submit(rig, op / 8 % COUNT, take() % RIG_ACCOUNTS);
        break;
    case 5:
        rig->cut[LIAR] = !rig->cut[LIAR];
        break;
    default:
        rig_until(rig, rig->now_ns + (1u + take()) * 4 * RIG_MS);
        break;
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static struct rig rig;
    rig_init(&rig, COUNT, 8, 1);
    rig.compact_bytes = len % 2 ? 1 : 0; /* else whole bodies */
    input = KL_SPAN_NONE;
    rig_start(&rig);
    input = kl_span_of(bytes, KL_MIN(len, (usize)INPUT_MAX));
    rig.twist = twist;
    while (input.len)
        step(&rig);
    rig.twist = NULL;
    rig.cut[LIAR] = false;
    CHECK(rig_reaches(&rig, rig.height + 2, 120 * RIG_S));
    rig_done(&rig);
    return 0;
}
