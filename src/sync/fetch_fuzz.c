/* Any series of events, answers that are true but for what the input changes of them: nothing is
 * taken that is not the chain's, and no step fails. */
#include "base/fuzz.h"
#include "codec/rlp.h"
#include "sync/sync_rig.h"

static sync_rig rig;
static bool made;

/* Flips a byte of one part of an answer, in a copy. */
static void change(kl_span *in, kl_message *m, kl_message_block *blocks, kl_span *headers,
                   u8 copy[2048])
{
    u8 what = kl_fuzz_u8(in), where = kl_fuzz_u8(in), by = kl_fuzz_u8(in);
    kl_span *part = what % 4 == 0 && m->block_count   ? &blocks[where % m->block_count].body
                    : what % 4 == 1 && m->block_count ? &blocks[where % m->block_count].finalization
                    : what % 4 == 2 && m->header_count ? &headers[where % m->header_count]
                                                       : &m->finalization;
    if (part->len == 0)
        return;
    KL_ASSERT(part->len <= 2048);
    memcpy(copy, part->p, part->len);
    copy[kl_fuzz_u8(in) * 7u % part->len] ^= by;
    *part = kl_span_of(copy, part->len);
}

static void check_taken(const kl_message *m, usize count)
{
    KL_ASSERT(count <= m->block_count);
    for (usize i = 0; i < count; i++) {
        const sync_block *b = &rig.blocks[m->from + i];
        kl_rlp items = {m->blocks[i].body};
        kl_span block, header;
        bool is_list;
        KL_ASSERT(kl_rlp_item(&items, &block, &is_list) == KL_RULE_NONE &&
                  kl_rlp_open(&items, block) == KL_RULE_NONE &&
                  kl_rlp_item(&items, &header, &is_list) == KL_RULE_NONE &&
                  kl_span_eq(header, kl_span_of(b->header, b->header_len)));
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static _Alignas(64) u8 room[1 << 16];
    static kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX];
    static kl_span headers[SYNC_RIG_EPOCH_BLOCKS];
    kl_span in = {bytes, KL_MIN(len, (usize)512)};
    u64 seed = 1, now_ns = 0;
    kl_fetch_effects out = {0};
    kl_fetch_effect ask = {.from = 1, .to = 1};
    if (!made)
        sync_rig_init(&rig, &seed);
    made = true;
    const kl_fetch_config config = {.domain = rig.domain, .timeout_ns = 200, .rest_ns = 500};
    struct kl_fetch *fetch = kl_fetch_init(room, &config);
    kl_fetch_head head = sync_rig_head(&rig, 0);
    kl_fetch_step(fetch, &(kl_fetch_event){.kind = KL_FETCH_HEAD, .head = &head}, now_ns, &out);
    while (in.len) {
        u8 copy[2048], op = kl_fuzz_u8(&in);
        kl_fetch_event event = {.peer = kl_fuzz_u8(&in)};
        kl_message m;
        now_ns += kl_fuzz_u8(&in);
        switch (op % 6) {
        case 0:
            event.kind = KL_FETCH_HEIGHT;
            event.height = kl_fuzz_u8(&in);
            break;
        case 1:
            event.kind = KL_FETCH_GONE;
            break;
        case 2:
            event.kind = KL_FETCH_TIMER;
            break;
        case 3:
            event.kind = KL_FETCH_FAILED;
            break;
        default:
            event.kind = KL_FETCH_BLOCKS;
            event.peer = op & 64 ? event.peer : ask.peer;
            m = sync_rig_answer(&rig, ask.from, ask.to, ask.from + kl_fuzz_u8(&in), blocks,
                                headers);
            change(&in, &m, blocks, headers, copy);
            event.message = &m;
            break;
        }
        kl_fetch_step(fetch, &event, now_ns, &out);
        usize taken = 0;
        for (usize i = 0; i < out.count; i++) {
            if (out.list[i].kind == KL_FETCH_ASK)
                ask = out.list[i];
            if (out.list[i].kind == KL_FETCH_TAKE)
                taken = out.list[i].count;
        }
        if (!taken)
            continue;
        KL_ASSERT(event.kind == KL_FETCH_BLOCKS);
        check_taken(&m, taken);
        head = sync_rig_head(&rig, m.from + taken - 1);
        kl_fetch_step(fetch, &(kl_fetch_event){.kind = KL_FETCH_HEAD, .head = &head}, now_ns, &out);
        for (usize i = 0; i < out.count; i++)
            if (out.list[i].kind == KL_FETCH_ASK)
                ask = out.list[i];
    }
    return 0;
}
