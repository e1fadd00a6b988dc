/* fuzz_shrink: every pass proposes smaller cases and keeps those that the judge still minds; passes
 * repeat until none of them gets anywhere.  Byte strings lose halves, quarters, and so on down to
 * single bytes. */
#include "cli/fuzz_shrink.h"

struct shrink {
    kl_statebench *bench;
    struct kl_fuzz_judge *judge;
    struct kl_arena *arena;  /* of what is kept */
    struct kl_arena attempt; /* of one proposal */
    kl_fuzz_case best;
    u64 tries;
    bool smaller; /* something went in this round */
};

/* Does it differ?  Then it is the best. */
static kl_status propose(struct shrink *s, kl_fuzz_case c, bool *kept)
{
    kl_arena_reset(&s->attempt, (usize)16 << 20);
    KL_TRY(kl_fuzz_case_fill(s->bench, &c, &s->attempt));
    s->tries++;
    KL_TRY(s->judge->differs(s->judge, &c, kept));
    if (*kept) {
        s->best = c;
        s->smaller = true;
    }
    return KL_OK;
}

/* The case with a list of accounts of its own. */
static kl_status own_alloc(struct shrink *s, kl_fuzz_case *c)
{
    kl_alloc *list = KL_ZERO(s->arena, kl_alloc, c->alloc_count + 1);
    if (!list)
        return KL_NOMEM;
    for (usize i = 0; i < c->alloc_count; i++)
        list[i] = c->alloc[i];
    c->alloc = list;
    return KL_OK;
}

static kl_status one_gas(struct shrink *s)
{
    bool kept = false;
    if (s->best.gas_count == 1)
        return KL_OK;
    kl_fuzz_case all = s->best;
    for (usize i = 0; i < all.gas_count && !kept; i++) {
        kl_fuzz_case c = all;
        c.gas[0] = all.gas[i];
        c.gas_count = 1;
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

static kl_status drop_accounts(struct shrink *s)
{
    for (usize i = s->best.alloc_count; i-- > 0;) {
        kl_fuzz_case c = s->best;
        bool kept;
        KL_TRY(own_alloc(s, &c));
        memmove(&c.alloc[i], &c.alloc[i + 1], (--c.alloc_count - i) * sizeof *c.alloc);
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

/* Every slot that can go alone. */
static kl_status drop_slots(struct shrink *s, usize at)
{
    for (usize i = s->best.alloc[at].slot_count; i-- > 0;) {
        kl_fuzz_case c = s->best;
        bool kept;
        KL_TRY(own_alloc(s, &c));
        kl_alloc *a = &c.alloc[at];
        kl_hash *keys = KL_ZERO(s->arena, kl_hash, a->slot_count);
        kl_u256 *values = KL_ZERO(s->arena, kl_u256, a->slot_count);
        if (!keys || !values)
            return KL_NOMEM;
        usize n = 0;
        for (usize j = 0; j < a->slot_count; j++)
            if (j != i) {
                keys[n] = a->keys[j];
                values[n++] = a->values[j];
            }
        a->keys = keys;
        a->values = values;
        a->slot_count = n;
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

static kl_status plain_account(struct shrink *s, usize at)
{
    kl_fuzz_case c = s->best;
    bool kept;
    if (!kl_u256_is_zero(c.alloc[at].balance)) {
        KL_TRY(own_alloc(s, &c));
        c.alloc[at].balance = KL_U256_ZERO;
        KL_TRY(propose(s, c, &kept));
        c = s->best;
    }
    if (c.alloc[at].nonce > 0) {
        KL_TRY(own_alloc(s, &c));
        c.alloc[at].nonce = 0;
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

/* Where the bytes lie that are being shortened: an account's code, or the data. */
static kl_span *bytes_of(kl_fuzz_case *c, usize at)
{
    return at < c->alloc_count ? &c->alloc[at].code : &c->tx.data;
}

static kl_status cut(struct shrink *s, usize at, usize from, usize len, bool *kept)
{
    kl_fuzz_case c = s->best;
    KL_TRY(own_alloc(s, &c));
    kl_span *bytes = bytes_of(&c, at), old = *bytes;
    u8 *room = KL_TAKE(s->arena, u8, old.len);
    if (!room)
        return KL_NOMEM;
    memcpy(room, old.p, from);
    memcpy(room + from, old.p + from + len, old.len - from - len);
    *bytes = kl_span_of(room, old.len - len);
    return propose(s, c, kept);
}

static kl_status shorten(struct shrink *s, usize at)
{
    for (usize len = bytes_of(&s->best, at)->len; len > 0; len /= 2)
        for (usize end = bytes_of(&s->best, at)->len; end >= len; end -= KL_MIN(end, len)) {
            bool kept;
            KL_TRY(cut(s, at, end - len, len, &kept));
            if (end == len)
                break;
        }
    return KL_OK;
}

static kl_status shorten_lists(struct shrink *s)
{
    bool kept;
    kl_fuzz_case c = s->best;
    if (c.tx.access_count > 0) {
        c.tx.access_count--;
        KL_TRY(propose(s, c, &kept));
    }
    for (usize i = s->best.tx.authorization_count; s->best.tx.authorization_count > 1 && i-- > 0;) {
        c = s->best;
        usize n = c.tx.authorization_count - 1;
        kl_authorization *list = KL_ZERO(s->arena, kl_authorization, n);
        if (!list)
            return KL_NOMEM;
        for (usize j = 0; j < n; j++)
            list[j] = c.tx.authorizations[j + (j >= i)];
        c.tx.authorizations = list;
        c.tx.authorization_count = n;
        KL_TRY(propose(s, c, &kept));
    }
    c = s->best;
    if (c.tx.blob_count > 1) {
        c.tx.blob_count = 1;
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

/* The plainest transaction and environment. */
static kl_status plain_tx(struct shrink *s)
{
    bool kept;
    kl_fuzz_case c = s->best;
    if (c.tx.type != KL_TX_LEGACY) {
        c.tx.type = KL_TX_LEGACY;
        c.tx.max_priority_fee = c.tx.max_fee;
        c.tx.access_count = c.tx.authorization_count = c.tx.blob_count = 0;
        KL_TRY(propose(s, c, &kept));
        c = s->best;
    }
    if (!kl_u256_is_zero(c.tx.value)) {
        c.tx.value = KL_U256_ZERO;
        KL_TRY(propose(s, c, &kept));
        c = s->best;
    }
    if (c.env.excess_blob_gas) {
        c.env.excess_blob_gas = 0;
        KL_TRY(propose(s, c, &kept));
        c = s->best;
    }
    if (!kl_u256_is_zero(c.env.base_fee)) {
        c.env.base_fee = KL_U256_ZERO;
        KL_TRY(propose(s, c, &kept));
    }
    return KL_OK;
}

static kl_status round_of(struct shrink *s)
{
    s->smaller = false;
    KL_TRY(one_gas(s));
    KL_TRY(drop_accounts(s));
    KL_TRY(plain_tx(s));
    KL_TRY(shorten_lists(s));
    for (usize i = 0; i < s->best.alloc_count; i++) {
        KL_TRY(shorten(s, i));
        KL_TRY(drop_slots(s, i));
        KL_TRY(plain_account(s, i));
    }
    return shorten(s, s->best.alloc_count);
}

static kl_status run(struct shrink *s)
{
    bool differs;
    KL_TRY(propose(s, s->best, &differs));
    if (!differs)
        return KL_NOTFOUND;
    do
        KL_TRY(round_of(s));
    while (s->smaller);
    return kl_fuzz_case_fill(s->bench, &s->best, s->arena);
}

kl_status kl_fuzz_shrink(kl_statebench *bench, struct kl_fuzz_judge *judge, kl_fuzz_case *c,
                         struct kl_arena *arena, u64 *tries)
{
    struct shrink s = {.bench = bench, .judge = judge, .arena = arena, .best = *c};
    kl_arena_init(&s.attempt, (usize)1 << 30);
    kl_status status = run(&s);
    kl_arena_done(&s.attempt);
    *tries = s.tries;
    if (status == KL_OK)
        *c = s.best;
    return status;
}
