#include "base/test.h"
#include "codec/rlp.h"
#include "sync/sync_rig.h"

#define S 1000000000ull

static sync_rig rig;
static _Alignas(64) u8 room[1 << 16];
static struct kl_fetch *fetch;
static kl_fetch_effects out;
static kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX];
static kl_span headers[SYNC_RIG_EPOCH_BLOCKS];
static u64 now_ns;

static void step(const kl_fetch_event *event)
{
    kl_fetch_step(fetch, event, now_ns, &out);
}

static void set_head(u64 height)
{
    kl_fetch_head head = sync_rig_head(&rig, height);
    step(&(kl_fetch_event){.kind = KL_FETCH_HEAD, .head = &head});
}

static void set_height(kl_fetch_peer peer, u64 height)
{
    step(&(kl_fetch_event){.kind = KL_FETCH_HEIGHT, .peer = peer, .height = height});
}

static void answer(kl_fetch_peer peer, const kl_message *m)
{
    step(&(kl_fetch_event){.kind = KL_FETCH_BLOCKS, .peer = peer, .message = m});
}

static const kl_fetch_effect *effect(kl_fetch_effect_kind kind)
{
    for (usize i = 0; i < out.count; i++)
        if (out.list[i].kind == kind)
            return &out.list[i];
    return NULL;
}

static void begin(u64 *seed)
{
    const kl_fetch_config config = {.domain = rig.domain, .timeout_ns = 2 * S, .rest_ns = 5 * S};
    sync_rig_init(&rig, seed);
    CHECK(kl_fetch_footprint() <= sizeof room);
    kl_fetch_config c = config;
    c.domain = rig.domain;
    fetch = kl_fetch_init(room, &c);
    now_ns = S;
    set_head(0);
    CHECK(out.count == 0);
}

static kl_message honest(const kl_fetch_effect *ask, u64 height)
{
    return sync_rig_answer(&rig, ask->from, ask->to, height, blocks, headers);
}

/* One peer that has all leads to its head, epoch by epoch. */
KL_TEST(fetch_follows_one_peer)
{
    begin(seed);
    u64 height = 0;
    set_height(3, SYNC_RIG_BLOCKS);
    CHECK_U64(kl_fetch_target(fetch), SYNC_RIG_BLOCKS);
    while (height < SYNC_RIG_BLOCKS) {
        const kl_fetch_effect *e = effect(KL_FETCH_ASK);
        CHECK(e && e->peer == 3 && e->from == height + 1 && e->to >= e->from);
        CHECK_U64((e->from - 1) / SYNC_RIG_EPOCH_BLOCKS, (e->to - 1) / SYNC_RIG_EPOCH_BLOCKS);
        kl_message m = honest(e, SYNC_RIG_BLOCKS);
        answer(3, &m);
        e = effect(KL_FETCH_TAKE);
        CHECK(e && e->count == m.block_count && !effect(KL_FETCH_ASK));
        height += e->count;
        set_head(height);
    }
    CHECK(!effect(KL_FETCH_ASK));
    CHECK_U64(kl_fetch_target(fetch), SYNC_RIG_BLOCKS);
}

/* Who does not answer is passed over, and asked again when it has rested. */
KL_TEST(fetch_passes_over_the_silent)
{
    begin(seed);
    set_height(1, 50);
    CHECK(effect(KL_FETCH_ASK)->peer == 1);
    u64 due_ns = effect(KL_FETCH_SET_TIMER)->at_ns;
    CHECK_U64(due_ns, now_ns + 2 * S);
    set_height(2, 60);
    CHECK(!effect(KL_FETCH_ASK));
    now_ns = due_ns;
    step(&(kl_fetch_event){.kind = KL_FETCH_TIMER});
    CHECK(effect(KL_FETCH_ASK)->peer == 2);
    now_ns += 2 * S;
    step(&(kl_fetch_event){.kind = KL_FETCH_TIMER});
    CHECK(!effect(KL_FETCH_ASK)); /* both rest */
    due_ns = effect(KL_FETCH_SET_TIMER)->at_ns;
    now_ns = due_ns;
    step(&(kl_fetch_event){.kind = KL_FETCH_TIMER});
    CHECK(effect(KL_FETCH_ASK)->peer == 1);
    step(&(kl_fetch_event){.kind = KL_FETCH_GONE, .peer = 1});
    CHECK(!effect(KL_FETCH_ASK));
    now_ns += 2 * S;
    step(&(kl_fetch_event){.kind = KL_FETCH_TIMER});
    CHECK(effect(KL_FETCH_ASK)->peer == 2);
}

static void says_nothing_of(kl_fetch_peer peer, u64 from)
{
    const kl_message none = {.kind = KL_MESSAGE_BLOCKS, .from = from};
    step(&(kl_fetch_event){.kind = KL_FETCH_BLOCKS, .peer = peer, .message = &none});
}

/* Where all who are above us have dropped the next block, it is said; who comes new may have it. */
KL_TEST(fetch_tells_when_nobody_has_the_next_block)
{
    char text[KL_FETCH_LACK_MAX];
    begin(seed);
    CHECK_U64(kl_fetch_lack_of(fetch).number, 0); /* nobody is above us */
    set_height(1, 50);
    set_height(2, 60);
    says_nothing_of(1, 1);
    CHECK_U64(kl_fetch_lack_of(fetch).number, 0); /* the other was not asked */
    CHECK(effect(KL_FETCH_ASK)->peer == 2);
    says_nothing_of(2, 1);
    kl_fetch_lack lack = kl_fetch_lack_of(fetch);
    CHECK(lack.number == 1 && lack.peers == 2);
    kl_fetch_lack_text(text, &lack);
    CHECK(strstr(text, "no peer has block 1 any more (2 asked)"));
    set_height(3, 50);
    lack = kl_fetch_lack_of(fetch);
    kl_fetch_lack_text(text, &lack);
    CHECK(lack.number == 0 && text[0] == '\0');
    step(&(kl_fetch_event){.kind = KL_FETCH_GONE, .peer = 3});
    CHECK_U64(kl_fetch_lack_of(fetch).peers, 2);
}

/* Less than a third of the peers, however high they say they are, are not believed. */
KL_TEST(fetch_believes_more_than_a_third)
{
    begin(seed);
    CHECK_U64(kl_fetch_credible(fetch, 1), 0);
    set_height(0, 1000000);
    CHECK_U64(kl_fetch_credible(fetch, 1), 1000000);
    CHECK_U64(kl_fetch_credible(fetch, 2), 0);
    set_height(1, 50);
    CHECK_U64(kl_fetch_credible(fetch, 2), 50);
    set_height(2, 60);
    CHECK_U64(kl_fetch_credible(fetch, 1), 60);
    set_height(3, 70);
    set_height(4, 80);
    set_height(5, 90);
    CHECK_U64(kl_fetch_credible(fetch, 1), 80);
    CHECK_U64(kl_fetch_target(fetch), 1000000);
}

/* A ledger's record stands in the place of a body. */
KL_TEST(fetch_takes_records)
{
    static u8 records[KL_FETCH_BATCH][KL_HEADER_RLP_MAX + 256];
    begin(seed);
    const kl_fetch_config c = {
        .domain = rig.domain, .timeout_ns = 2 * S, .rest_ns = 5 * S, .records = true};
    fetch = kl_fetch_init(room, &c);
    set_head(0);
    CHECK(!kl_fetch_is_behind(fetch, now_ns));
    set_height(1, SYNC_RIG_BLOCKS);
    CHECK(kl_fetch_is_behind(fetch, now_ns));
    kl_fetch_effect ask = *effect(KL_FETCH_ASK);
    kl_message m = honest(&ask, SYNC_RIG_BLOCKS);
    for (usize i = 0; i < m.block_count; i++) {
        kl_out to = kl_out_of(records[i], sizeof records[i]);
        const sync_block *b = &rig.blocks[ask.from + i];
        kl_rlp_mark list = kl_rlp_put_begin(&to);
        kl_rlp_put_hash(&to, &b->hash);
        kl_rlp_mark block = kl_rlp_put_begin(&to);
        kl_out_bytes(&to, b->header, b->header_len);
        kl_rlp_put_end(&to, block);
        kl_rlp_put_end(&to, list);
        blocks[i].body = kl_out_done(&to);
    }
    answer(1, &m);
    CHECK(effect(KL_FETCH_TAKE) && effect(KL_FETCH_TAKE)->count == m.block_count);
    set_head(m.block_count);
    CHECK(effect(KL_FETCH_ASK) && kl_fetch_is_behind(fetch, now_ns));
}

/* An answer nobody waits for changes nothing, whatever it says. */
KL_TEST(fetch_ignores_what_it_did_not_ask_for)
{
    begin(seed);
    set_height(1, 50);
    kl_fetch_effect asked = *effect(KL_FETCH_ASK);
    kl_message m = honest(&asked, 50);
    answer(2, &m);
    CHECK(out.count == 0);
    m.from++;
    answer(1, &m);
    CHECK(out.count == 0);
    m.from--;
    m.block_count = asked.to - asked.from + 2; /* what an earlier life has asked for, perhaps */
    answer(1, &m);
    CHECK(out.count == 0);
    m = honest(&asked, 50);
    answer(1, &m);
    CHECK(effect(KL_FETCH_TAKE));
    answer(1, &m);
    CHECK(out.count == 0);
}

/* --- lies --- */

enum { LIES = 11 };
static u8 lie_bytes[4][2048];

static kl_span put_certificate(const kl_vote_subject *subject, u64 epoch, u32 signers)
{
    return kl_span_of(lie_bytes[0],
                      sync_rig_certificate(&rig, epoch, subject, signers, lie_bytes[0]));
}

/* An answer as lie number n would have it; false where it cannot be told. */
static bool tell_lie(kl_message *m, unsigned n)
{
    usize last = m->block_count - 1;
    u64 height = m->from + last;
    kl_vote_subject subject = sync_rig_subject(&rig, height);
    m->header_count = m->finalization.len = 0;
    blocks[last].finalization = put_certificate(&subject, subject.proposal.epoch, 4);
    switch (n) {
    case 0: /* too few have signed */
        blocks[last].finalization = put_certificate(&subject, subject.proposal.epoch, 3);
        return true;
    case 1: /* validators of another epoch */
        blocks[last].finalization = put_certificate(&subject, subject.proposal.epoch + 1, 4);
        return true;
    case 2: /* signed for another epoch */
        subject.proposal.epoch++;
        break;
    case 3: /* only notarized */
        subject.kind = KL_VOTE_NOTARIZE;
        break;
    case 4:
        subject.proposal.height++;
        break;
    case 5:
        subject.proposal.block_hash.b[7] ^= 1;
        break;
    case 6: /* proposed again where that cannot be */
        subject.proposal.parent_hash = subject.proposal.block_hash;
        if (height % SYNC_RIG_EPOCH_BLOCKS == 0)
            return false;
        break;
    case 7: /* another parent */
        subject.proposal.parent_hash.b[0] ^= 1;
        break;
    case 8: /* a block is missing in between */
        if (last < 2)
            return false;
        blocks[1] = blocks[2];
        return true;
    case 9: /* a body that is none */
        blocks[0].body.len /= 2;
        return true;
    case 10: /* a certificate that is none */
        blocks[last].finalization.len--;
        return true;
    }
    blocks[last].finalization =
        put_certificate(&subject, sync_rig_subject(&rig, height).proposal.epoch, 4);
    return true;
}

KL_TEST(fetch_names_every_liar)
{
    for (unsigned n = 0; n < LIES; n++)
        for (unsigned k = 0; k < 4; k++) {
            begin(seed);
            u64 height = kl_rand_below(seed, SYNC_RIG_BLOCKS - 20);
            set_head(height);
            set_height(9, SYNC_RIG_BLOCKS);
            kl_message m = honest(effect(KL_FETCH_ASK), SYNC_RIG_BLOCKS);
            if (!tell_lie(&m, n))
                continue;
            answer(9, &m);
            if (!effect(KL_FETCH_PENALIZE))
                kl_test_fail(__FILE__, __LINE__, "lie %u at height %llu is believed", n,
                             (unsigned long long)height);
            CHECK(!effect(KL_FETCH_TAKE) && !effect(KL_FETCH_ASK));
            set_height(4, SYNC_RIG_BLOCKS);
            CHECK(effect(KL_FETCH_ASK) && effect(KL_FETCH_ASK)->peer == 4);
        }
}

/* Headers that lead to something final are as strict as bodies. */
KL_TEST(fetch_headers_lead_to_finality)
{
    for (unsigned k = 0; k < 200; k++) {
        begin(seed);
        u64 height = kl_rand_below(seed, SYNC_RIG_BLOCKS - 20);
        set_head(height);
        set_height(0, height + 1 + kl_rand_below(seed, 15));
        kl_message m = honest(effect(KL_FETCH_ASK), height + 1 + kl_rand_below(seed, 4));
        bool lies = m.header_count && kl_rand_below(seed, 2);
        usize far = height < 30 ? 55 : 3;
        if (lies && kl_rand_below(seed, 2))
            m.finalization = kl_span_of(lie_bytes[1], 0);
        else if (lies)
            headers[kl_rand_below(seed, m.header_count)] =
                kl_span_of(rig.blocks[far].header, rig.blocks[far].header_len);
        answer(0, &m);
        CHECK(!effect(KL_FETCH_PENALIZE) == !lies);
        CHECK(!effect(KL_FETCH_TAKE) == lies);
    }
}

/* The last block of an epoch may have been made final as its own child. */
KL_TEST(fetch_takes_a_reproposal_at_an_epochs_end)
{
    begin(seed);
    set_head(SYNC_RIG_EPOCH_BLOCKS - 1);
    set_height(0, SYNC_RIG_EPOCH_BLOCKS);
    kl_message m = honest(effect(KL_FETCH_ASK), SYNC_RIG_EPOCH_BLOCKS);
    kl_vote_subject subject = sync_rig_subject(&rig, SYNC_RIG_EPOCH_BLOCKS);
    subject.proposal.view += 3;
    subject.proposal.parent_hash = subject.proposal.block_hash;
    blocks[0].finalization = put_certificate(&subject, 0, 4);
    answer(0, &m);
    CHECK(effect(KL_FETCH_TAKE) && effect(KL_FETCH_TAKE)->count == 1);
}

/* Blocks that could not be executed are asked for again, from others first. */
KL_TEST(fetch_goes_on_after_a_failure)
{
    begin(seed);
    set_height(0, 30);
    kl_message m = honest(effect(KL_FETCH_ASK), 30);
    answer(0, &m);
    CHECK(effect(KL_FETCH_TAKE));
    set_height(1, 30);
    CHECK(!effect(KL_FETCH_ASK));
    step(&(kl_fetch_event){.kind = KL_FETCH_FAILED, .rule = KL_RULE_BLOCK_GAS_USED});
    CHECK(effect(KL_FETCH_ASK) && effect(KL_FETCH_ASK)->peer == 1);
}

/* Property: among peers that are silent, lie, have little, or leave, one honest and full one is
 * enough, in bounded time, and nothing is ever taken that is not the chain's. */
KL_TEST(fetch_reaches_the_head_among_liars)
{
    for (unsigned k = 0; k < 40; k++) {
        begin(seed);
        u64 height = 0, due_ns = UINT64_MAX;
        u32 full = (u32)kl_rand_below(seed, 8);
        for (u32 p = 0; p < 8; p++)
            set_height(p, SYNC_RIG_BLOCKS);
        kl_fetch_effect ask = {0};
        bool asked = true;
        /* the first question went out with the first height */
        ask = (kl_fetch_effect){.peer = 0, .from = 1, .to = SYNC_RIG_EPOCH_BLOCKS};
        for (unsigned turn = 0; height < SYNC_RIG_BLOCKS; turn++) {
            CHECK(turn < 3000);
            bool honest_now = asked && ask.peer == full;
            if (asked && (honest_now || kl_rand_below(seed, 2))) {
                kl_message m = honest(&ask, honest_now ? SYNC_RIG_BLOCKS : height + 3);
                bool lies = !honest_now && m.block_count &&
                            tell_lie(&m, (unsigned)kl_rand_below(seed, LIES));
                asked = false;
                answer(ask.peer, &m);
                CHECK(!lies || !effect(KL_FETCH_TAKE));
                if (effect(KL_FETCH_TAKE)) {
                    height += effect(KL_FETCH_TAKE)->count;
                    set_head(height);
                }
            } else {
                now_ns = due_ns == UINT64_MAX ? now_ns + S : KL_MAX(now_ns, due_ns);
                step(&(kl_fetch_event){.kind = KL_FETCH_TIMER});
            }
            if (effect(KL_FETCH_SET_TIMER))
                due_ns = effect(KL_FETCH_SET_TIMER)->at_ns;
            if (effect(KL_FETCH_ASK)) {
                ask = *effect(KL_FETCH_ASK);
                asked = true;
            }
        }
    }
}
