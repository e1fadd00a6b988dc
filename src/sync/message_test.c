#include "base/test.h"
#include "sync/sync_rig.h"

static sync_rig rig;
static struct kl_arena arena;
static u8 bytes[4096];
static kl_span spans[KL_MESSAGE_TRANSACTIONS_MAX + 1];
static kl_trie_change leaves[KL_MESSAGE_LEAVES_MAX + 1];
static kl_message_tx given[KL_MESSAGE_TRANSACTIONS_MAX];
static u32 places[KL_COMPACT_MAX + 1];
static kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX + 1];

static kl_span some_bytes(usize most, u64 *seed)
{
    return kl_span_of(bytes, kl_rand_below(seed, most + 1));
}

static kl_vote some_vote(kl_vote_kind kind, u64 *seed)
{
    kl_vote vote = {.subject = sync_rig_subject(&rig, 1 + kl_rand_below(seed, 100)),
                    .signer = (u32)kl_rand_below(seed, KL_VALIDATORS_MAX)};
    vote.subject.kind = kind;
    if (kind == KL_VOTE_NULLIFY)
        vote.subject.proposal = (kl_proposal){.epoch = kl_rand(seed), .view = 7};
    kl_rand_fill(seed, vote.signature, rig.scheme->signature_len);
    return vote;
}

static void fill(kl_message *m, u64 *seed)
{
    m->vote = some_vote(KL_VOTE_NOTARIZE, seed);
    m->certificate.subject = m->vote.subject;
    m->certificate.signers[kl_rand_below(seed, 32)] = 9;
    m->certificate.signatures = some_bytes(300, seed);
    m->evidence.first = some_vote(KL_VOTE_NULLIFY, seed);
    m->evidence.second = some_vote(KL_VOTE_FINALIZE, seed);
    m->body = some_bytes(sizeof bytes, seed);
    kl_rand_fill(seed, m->hash.b, sizeof m->hash.b);
    m->epoch = kl_rand(seed);
    m->from = 1 + kl_rand_below(seed, 1000);
    m->to = m->from + kl_rand_below(seed, 1000);
    m->block_count = kl_rand_below(seed, KL_MESSAGE_BLOCKS_MAX);
    for (usize i = 0; i < m->block_count; i++)
        blocks[i] = (kl_message_block){some_bytes(90, seed), some_bytes(9, seed)};
    m->blocks = blocks;
    m->transaction_count = kl_rand_below(seed, KL_MESSAGE_TRANSACTIONS_MAX);
    for (usize i = 0; i < m->transaction_count; i++)
        spans[i] = some_bytes(90, seed);
    m->transactions = m->headers = spans;
    m->compact = (kl_compact){some_bytes(600, seed), some_bytes(9, seed), some_bytes(300, seed),
                              kl_span_of(bytes, 32 * (1 + kl_rand_below(seed, 100)))};
    for (u64 place = 0; place < kl_compact_count(&m->compact); place++)
        if (kl_rand_below(seed, 3) == 0) {
            given[m->given_count++] =
                (kl_message_tx){(u32)place, kl_span_of(bytes, 1 + kl_rand_below(seed, 90))};
            places[m->place_count++] = (u32)place;
        }
    m->given = given;
    m->places = places;
    m->header_count = m->block_count && m->transaction_count ? m->transaction_count : 0;
    m->finalization = m->header_count ? kl_span_of(bytes, 5) : kl_span_of(bytes, 0);
    m->has_owner = kl_rand_below(seed, 2);
    kl_rand_fill(seed, m->first.b, sizeof m->first.b);
    m->leaf_count = kl_rand_below(seed, KL_MESSAGE_LEAVES_MAX);
    for (usize i = 0; i < m->leaf_count; i++) {
        kl_rand_fill(seed, leaves[i].key.b, sizeof leaves[i].key.b);
        leaves[i].value = some_bytes(90, seed);
    }
    m->leaves = leaves;
    m->nodes = spans;
    m->node_count = KL_MIN(m->transaction_count, (usize)KL_MESSAGE_NODES_MAX);
}

static kl_rule decode(kl_message *out, kl_span frame)
{
    kl_rule broken;
    CHECK(kl_message_decode(out, frame, rig.scheme, &arena, &broken) == KL_OK);
    return broken;
}

static void begin(u64 *seed)
{
    sync_rig_init(&rig, seed);
    kl_rand_fill(seed, bytes, sizeof bytes);
    kl_arena_init(&arena, (usize)1 << 26);
}

/* Property: every kind is read as it was written, and every shorter frame is refused. */
KL_TEST(message_round_trip)
{
    begin(seed);
    for (unsigned n = 0; n < 220; n++) {
        struct kl_buf out, again;
        kl_message m = {.kind = (kl_message_kind)(1 + n % KL_MESSAGE_LAST)}, got;
        fill(&m, seed);
        kl_buf_init(&out, KL_MESSAGE_MAX);
        kl_buf_init(&again, KL_MESSAGE_MAX);
        kl_message_encode(&out, &m, rig.scheme);
        CHECK(!out.failed);
        CHECK_RULE(decode(&got, kl_buf_view(&out)), KL_RULE_NONE);
        CHECK_U64(got.kind, m.kind);
        kl_message_encode(&again, &got, rig.scheme);
        CHECK(kl_span_eq(kl_buf_view(&out), kl_buf_view(&again)));
        usize cut = kl_rand_below(seed, out.len);
        CHECK(decode(&got, kl_span_of(out.p, cut)) != KL_RULE_NONE);
        kl_buf_bytes(&out, "", 1);
        CHECK(decode(&got, kl_buf_view(&out)) != KL_RULE_NONE);
        kl_buf_done(&out);
        kl_buf_done(&again);
        kl_arena_reset(&arena, 0);
    }
    kl_arena_done(&arena);
}

static kl_rule rule_of(const kl_message *m)
{
    struct kl_buf out;
    kl_message got;
    kl_buf_init(&out, KL_MESSAGE_MAX);
    kl_message_encode(&out, m, rig.scheme);
    CHECK(!out.failed);
    kl_rule broken = decode(&got, kl_buf_view(&out));
    kl_buf_done(&out);
    return broken;
}

KL_TEST(message_limits)
{
    kl_message got;
    begin(seed);
    kl_message m = {.kind = KL_MESSAGE_BLOCKS, .from = 1, .blocks = blocks};
    fill(&m, seed);
    m.header_count = m.finalization.len = 0;
    m.block_count = KL_MESSAGE_BLOCKS_MAX;
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.block_count++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.block_count = 1;
    m.header_count = 1;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE); /* headers that lead to nothing */
    m.finalization.len = 1;
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.header_count = 0;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m.finalization.len = 0;
    m.from = 0;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m.from = UINT64_MAX - 7;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);

    m = (kl_message){.kind = KL_MESSAGE_TRANSACTIONS, .transactions = spans};
    m.transaction_count = KL_MESSAGE_TRANSACTIONS_MAX;
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.transaction_count++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);

    m = (kl_message){.kind = KL_MESSAGE_STATE, .leaves = leaves, .nodes = spans};
    m.leaf_count = KL_MESSAGE_LEAVES_MAX;
    m.node_count = KL_MESSAGE_NODES_MAX;
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.node_count++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.node_count = 0;
    m.leaf_count++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);

    static u8 long_one[KL_MESSAGE_TRANSACTION_MAX + 1];
    spans[0] = kl_span_of(long_one, KL_MESSAGE_TRANSACTION_MAX);
    m = (kl_message){
        .kind = KL_MESSAGE_TRANSACTIONS, .transactions = spans, .transaction_count = 1};
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    spans[0].len++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);

    m = (kl_message){.kind = KL_MESSAGE_ASK_BLOCKS, .from = 5, .to = 5};
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.from = 6;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m = (kl_message){.kind = KL_MESSAGE_ASK_BLOCKS, .from = 0, .to = 5};
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m = (kl_message){.kind = KL_MESSAGE_ASK_BLOCKS, .from = UINT64_MAX - 7, .to = UINT64_MAX};
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE); /* what cannot be answered */
    m = (kl_message){.kind = KL_MESSAGE_ASK_CERTIFICATES, .from = 6, .to = 5};
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);

    m = (kl_message){.kind = KL_MESSAGE_PROPOSAL, .vote = some_vote(KL_VOTE_FINALIZE, seed)};
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);

    CHECK_RULE(decode(&got, kl_span_of(bytes, 0)), KL_RULE_MESSAGE_KIND);
    for (unsigned kind = 0; kind < 256; kind++) {
        u8 frame[2] = {(u8)kind, 0xc0};
        if (kind == 0 || kind > KL_MESSAGE_LAST)
            CHECK_RULE(decode(&got, KL_SPAN_OF(frame)), KL_RULE_MESSAGE_KIND);
        else
            CHECK_RULE(decode(&got, KL_SPAN_OF(frame)), KL_RULE_RLP_COUNT);
    }
    kl_arena_done(&arena);
}

KL_TEST(message_limits_of_compact_proposals)
{
    begin(seed);
    static u8 hashes[32 * (KL_COMPACT_MAX + 1)];
    kl_message m = {.kind = KL_MESSAGE_COMPACT,
                    .vote = some_vote(KL_VOTE_NOTARIZE, seed),
                    .compact.hashes = kl_span_of(hashes, 32 * KL_COMPACT_MAX),
                    .given = given,
                    .given_count = 2};
    given[0] = (kl_message_tx){7, kl_span_of(bytes, 1)};
    given[1] = (kl_message_tx){KL_COMPACT_MAX - 1, kl_span_of(bytes, 1)};
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.compact.hashes.len -= 32; /* the last place is none any more */
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m.compact.hashes.len -= 1;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.compact.hashes.len = sizeof hashes;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.compact.hashes.len = 32 * KL_COMPACT_MAX;
    given[1].place = 7;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    given[1].place = 6;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    given[1] = (kl_message_tx){8, KL_SPAN_NONE};
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.given_count = 1;
    m.vote = some_vote(KL_VOTE_FINALIZE, seed);
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);

    m = (kl_message){
        .kind = KL_MESSAGE_ASK_TRANSACTIONS, .places = places, .place_count = KL_COMPACT_MAX};
    for (u32 i = 0; i <= KL_COMPACT_MAX; i++)
        places[i] = i;
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    m.place_count++;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_SIZE);
    m.place_count = 1;
    places[0] = KL_COMPACT_MAX;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    m = (kl_message){.kind = KL_MESSAGE_TRANSACTIONS_OF, .given = given, .given_count = 1};
    CHECK_RULE(rule_of(&m), KL_RULE_NONE);
    given[0].place = KL_COMPACT_MAX;
    CHECK_RULE(rule_of(&m), KL_RULE_MESSAGE_RANGE);
    kl_arena_done(&arena);
}

/* What cannot be sent is not made. */
KL_TEST(message_too_long)
{
    begin(seed);
    struct kl_buf out;
    static u8 huge[KL_MESSAGE_MAX + 1];
    kl_message m = {.kind = KL_MESSAGE_BODY, .body = KL_SPAN_OF(huge)}, got;
    kl_buf_init(&out, 2 * (usize)KL_MESSAGE_MAX);
    kl_message_encode(&out, &m, rig.scheme);
    CHECK(out.failed);
    huge[0] = KL_MESSAGE_BODY;
    CHECK_RULE(decode(&got, KL_SPAN_OF(huge)), KL_RULE_MESSAGE_SIZE);
    kl_buf_clear(&out);
    m.body.len = KL_MESSAGE_BODY_MAX;
    kl_message_encode(&out, &m, rig.scheme);
    CHECK_RULE(decode(&got, kl_buf_view(&out)), KL_RULE_NONE);
    kl_buf_clear(&out);
    m.body.len++;
    kl_message_encode(&out, &m, rig.scheme);
    CHECK_RULE(decode(&got, kl_buf_view(&out)), KL_RULE_MESSAGE_SIZE);
    kl_buf_done(&out);
    kl_arena_done(&arena);
}

/* What votes wait for is at most what other votes are. */
KL_TEST(message_votes_travel_by_themselves)
{
    for (u32 kind = KL_MESSAGE_VOTE; kind <= KL_MESSAGE_LAST; kind++) {
        kl_message_stream stream = kl_message_stream_of((kl_message_kind)kind);
        bool heavy = kind == KL_MESSAGE_PROPOSAL || kind == KL_MESSAGE_COMPACT ||
                     kind == KL_MESSAGE_TRANSACTIONS_OF || kind == KL_MESSAGE_BODY ||
                     kind == KL_MESSAGE_BLOCKS || kind == KL_MESSAGE_RECORDS ||
                     kind == KL_MESSAGE_STATE || kind == KL_MESSAGE_CODE ||
                     kind == KL_MESSAGE_TRANSACTIONS;
        CHECK(stream < KL_STREAM_COUNT);
        CHECK(!heavy || stream != KL_STREAM_BFT);
    }
    CHECK(kl_message_stream_of(KL_MESSAGE_VOTE) == KL_STREAM_BFT);
    CHECK(kl_message_stream_of(KL_MESSAGE_CERTIFICATE) == KL_STREAM_BFT);
}
