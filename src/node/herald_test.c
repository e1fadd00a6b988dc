#include "node/herald.h"

#include "base/test.h"

enum { VALIDATORS = 5 };

static kl_secret32 votes[2 * VALIDATORS], identities[2 * VALIDATORS];
static kl_validator validators[2 * VALIDATORS];
static kl_vote_domain domain;
static const kl_vote_scheme *scheme;

static void begin(u64 *seed)
{
    scheme =
        kl_vote_scheme_of(kl_rand(seed) & 1 ? KL_SCHEME_SECP256K1 : KL_SCHEME_BLS12_381, false);
    domain.chain_id = kl_rand(seed);
    kl_rand_fill(seed, domain.genesis_hash.b, 32);
    for (u32 i = 0; i < 2 * VALIDATORS; i++) {
        kl_rand_fill(seed, votes[i].b, 32);
        kl_rand_fill(seed, identities[i].b, 32);
        votes[i].b[0] &= 0x3f;
        validators[i] = (kl_validator){.weight = 1};
        validators[i].operator.b[19] =(u8)(i + 1);
        CHECK(scheme->public_key(validators[i].key, &votes[i]));
    }
}

static kl_valset set_of(u32 from, u32 count)
{
    kl_valset set;
    CHECK_RULE(kl_valset_init(&set, scheme, &validators[from], count), KL_RULE_NONE);
    return set;
}

static struct kl_herald *herald_of(u32 count)
{
    struct kl_herald *h;
    kl_valset set = set_of(0, count);
    CHECK_OK(kl_herald_new(&h, &domain));
    kl_herald_set_validators(h, &set);
    return h;
}

/* Validator i at a port, in a buffer of the caller's. */
static kl_span announce(struct kl_buf *out, u32 i, u32 identity, u64 seq, u16 port)
{
    kl_peer_record record = {.peer = kl_peer_id_of(&identities[identity]),
                             .seq = seq,
                             .count = 1,
                             .addrs = {{.host = KL_HOST_IP4, .has_port = true, .port = port}}};
    kl_buf_init(out, 2 * KL_HERALD_MAX);
    CHECK(kl_herald_put(out, &record, &identities[identity], scheme, &votes[i], &domain));
    CHECK(out->len <= KL_HERALD_MAX);
    return kl_buf_view(out);
}

static kl_herald_news hear(struct kl_herald *h, u32 i, u32 identity, u64 seq)
{
    struct kl_buf buf;
    kl_peer_record record;
    kl_rule broken;
    kl_span bytes = announce(&buf, i, identity, seq, (u16)(seq + 1));
    kl_herald_news news = kl_herald_hear(h, bytes, &record, &broken);
    if (news == KL_HERALD_NEW) {
        kl_peer_id id = kl_peer_id_of(&identities[identity]);
        CHECK(kl_peer_id_eq(&record.peer, &id) && record.seq == seq);
        CHECK(record.count == 1 && record.addrs[0].port == seq + 1);
        CHECK(kl_herald_hear(h, bytes, &record, &broken) == KL_HERALD_OLD);
    }
    kl_buf_done(&buf);
    return news;
}

KL_TEST(herald_keeps_the_newest)
{
    begin(seed);
    struct kl_herald *h = herald_of(VALIDATORS);
    kl_peer_id peer, id = kl_peer_id_of(&identities[2]);
    CHECK(kl_herald_count(h) == 0 && !kl_herald_find(h, &id));
    CHECK(hear(h, 2, 2, 7) == KL_HERALD_NEW);
    CHECK(kl_herald_count(h) == 1 && kl_herald_find(h, &id));
    CHECK(hear(h, 2, 2, 6) == KL_HERALD_OLD && hear(h, 2, 2, 8) == KL_HERALD_NEW);
    CHECK(hear(h, 2, 2, 7) == KL_HERALD_OLD && hear(h, 2, 2, 8) == KL_HERALD_OLD);
    CHECK(kl_herald_at(h, 0, &peer).len > 0 && kl_peer_id_eq(&peer, &id));
    /* It may move to another identity. */
    CHECK(hear(h, 2, 3, 9) == KL_HERALD_NEW);
    CHECK(kl_herald_count(h) == 1 && !kl_herald_find(h, &id));
    /* Nobody of the set. */
    CHECK(hear(h, VALIDATORS, 4, 1) == KL_HERALD_ALIEN);
    CHECK(kl_herald_at(h, 0, &peer).len > 0);
    kl_herald_free(h);
}

KL_TEST(herald_follows_the_set)
{
    begin(seed);
    struct kl_herald *h = herald_of(VALIDATORS);
    for (u32 i = 0; i < VALIDATORS; i++)
        CHECK(hear(h, i, i, 5) == KL_HERALD_NEW);
    kl_valset later = set_of(1, VALIDATORS);
    kl_herald_set_validators(h, &later);
    CHECK_U64(kl_herald_count(h), VALIDATORS - 1);
    CHECK(hear(h, 0, 0, 6) == KL_HERALD_ALIEN);
    CHECK(hear(h, VALIDATORS, VALIDATORS, 1) == KL_HERALD_NEW);
    CHECK(hear(h, VALIDATORS + 1, VALIDATORS + 1, 1) == KL_HERALD_ALIEN);
    CHECK(hear(h, 3, 3, 5) == KL_HERALD_OLD);
    for (u32 i = 0; i < kl_herald_count(h); i++) {
        kl_peer_id peer, mine = kl_peer_id_of(&identities[0]);
        CHECK(kl_herald_at(h, i, &peer).len > 0 && !kl_peer_id_eq(&peer, &mine));
        CHECK(kl_herald_find(h, &peer));
    }
    kl_herald_free(h);
}

KL_TEST(herald_knows_where_a_validator_behind_sentries_is_met)
{
    begin(seed);
    struct kl_herald *h = herald_of(VALIDATORS);
    kl_peer_id ward = kl_peer_id_of(&identities[0]), sentries[2];
    kl_peer_record record = {.peer = ward, .seq = 5}, said;
    kl_multiaddr at[KL_RECORD_ADDRS_MAX];
    kl_rule broken;
    struct kl_buf buf;
    for (u32 i = 0; i < 2; i++) {
        sentries[i] = kl_peer_id_of(&identities[VALIDATORS + i]);
        record.addrs[record.count++] = (kl_multiaddr){.host = KL_HOST_IP4,
                                                      .ip = {192, 0, 2, (u8)(i + 1)},
                                                      .has_port = true,
                                                      .port = 30300,
                                                      .has_peer = true,
                                                      .peer = sentries[i]};
    }
    kl_buf_init(&buf, KL_HERALD_MAX);
    CHECK(kl_herald_put(&buf, &record, &identities[0], scheme, &votes[0], &domain));
    CHECK(kl_herald_hear(h, kl_buf_view(&buf), &said, &broken) == KL_HERALD_NEW);
    CHECK(hear(h, 1, 1, 5) == KL_HERALD_NEW);
    CHECK(kl_herald_count(h) == 2 && kl_herald_sentries(h, 1, at) == 0);
    CHECK(kl_herald_sentries(h, 0, at) == 2 && kl_multiaddr_eq(&at[1], &record.addrs[1]));
    CHECK(kl_herald_find(h, &sentries[0]) && kl_herald_find(h, &sentries[1]));
    CHECK(!kl_herald_find(h, &ward));
    CHECK(kl_span_eq(kl_herald_of(h, &ward), kl_buf_view(&buf)));
    CHECK(kl_herald_of(h, &sentries[0]).len == 0);
    /* It may come out from behind them. */
    CHECK(hear(h, 0, 0, 6) == KL_HERALD_NEW);
    CHECK(kl_herald_find(h, &ward) && !kl_herald_find(h, &sentries[0]));
    kl_buf_done(&buf);
    kl_herald_free(h);
}

/* Any one bit changed, any cut: nothing is believed. */
KL_TEST(herald_believes_nothing_changed)
{
    begin(seed);
    struct kl_herald *h = herald_of(VALIDATORS);
    struct kl_buf buf;
    kl_peer_record record;
    kl_rule broken;
    kl_span bytes = announce(&buf, 1, 1, 5, 7);
    for (u32 i = 0; i < 60; i++) {
        usize at = kl_rand_below(seed, 8 * bytes.len);
        buf.p[at / 8] ^= (u8)(1u << at % 8);
        kl_herald_news news = kl_herald_hear(h, bytes, &record, &broken);
        CHECK(news == KL_HERALD_ALIEN || (news == KL_HERALD_FALSE && broken != KL_RULE_NONE));
        buf.p[at / 8] ^= (u8)(1u << at % 8);
        CHECK(kl_herald_hear(h, kl_span_sub(bytes, 0, kl_rand_below(seed, bytes.len)), &record,
                             &broken) == KL_HERALD_FALSE);
    }
    CHECK(kl_herald_count(h) == 0);
    CHECK(kl_herald_hear(h, bytes, &record, &broken) == KL_HERALD_NEW);
    kl_buf_done(&buf);
    /* Somebody else's record with our proof, and the other way round. */
    struct kl_buf mine, theirs;
    (void)announce(&mine, 2, 2, 5, 7);
    (void)announce(&theirs, 2, 3, 5, 7);
    usize proof_end = 1 + 3 + 2 + scheme->key_len + 2 + scheme->signature_len;
    CHECK(mine.len == theirs.len);
    memcpy(theirs.p, mine.p, proof_end);
    CHECK(kl_herald_hear(h, kl_buf_view(&theirs), &record, &broken) == KL_HERALD_FALSE);
    CHECK(broken != KL_RULE_NONE);
    kl_buf_done(&mine);
    kl_buf_done(&theirs);
    kl_herald_free(h);
}
