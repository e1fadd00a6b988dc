/* Leaders.  Let g be the weights' greatest common divisor and W' = W / g.  A circle of W' places is
 * divided into arcs, w / g places a validator, and view v of epoch e leads from the place
 * (start + v * stride) mod W'.  As stride is coprime to W', any W' views in a row meet every place
 * once: the share is exact.  With equal weights stride is 1, and turns go round in order.
 *
 * Else turns should lie evenly.  How evenly a rotation spreads its points is told by the continued
 * fraction of stride / W': the smaller its quotients, the better, and the golden ratio's are all 1.
 * So stride is, of the coprimes within 32 of W' times the golden ratio, the one with the least sum
 * of quotients; of several the least.  For every W' up to 700 nobody is then ever 4 turns ahead of
 * or behind its share, in any row of views.  There is always one: numbers up to 2^32 have at most 9
 * prime factors, and then of 40 numbers in a row one is coprime (Jacobsthal).
 *
 * Views begin at 1 in each epoch, and an epoch may be shorter than a round.  So start moves from
 * epoch to epoch, by the golden ratio of the circle: start = W' * (e times the ratio, mod 1). */
#include "cert/valset.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

static u64 gcd(u64 a, u64 b)
{
    while (b) {
        u64 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* 2^64 times the golden ratio's fraction. */
#define GOLDEN 0x9e3779b97f4a7c15u
#define NEAR   32

/* The sum of the quotients of a / b as a continued fraction; UINT64_MAX when they share a factor.
 */
static u64 unevenness(u64 a, u64 b)
{
    u64 sum = 0;
    while (b) {
        u64 rest = a % b;
        sum += a / b;
        a = b;
        b = rest;
    }
    return a == 1 ? sum : UINT64_MAX;
}

static u64 stride_of(u64 places, u32 count)
{
    if (places == count)
        return 1;
    u64 golden = (u64)(((u128)places * GOLDEN) >> 64), stride = 0, least = UINT64_MAX;
    u64 from = golden > NEAR ? golden - NEAR : 1, to = KL_MIN(golden + NEAR, places - 1);
    for (u64 s = from; s <= to; s++) {
        u64 sum = unevenness(places, s);
        if (sum < least) {
            least = sum;
            stride = s;
        }
    }
    KL_ASSERT(stride > 0);
    return stride;
}

static bool twice(const kl_vote_scheme *scheme, const kl_validator *validators, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        for (u32 j = 0; j < i; j++) {
            const kl_validator *a = &validators[i], *b = &validators[j];
            if (memcmp(a->operator.b, b->operator.b, sizeof a->operator.b) == 0 ||
                memcmp(a->key, b->key, scheme->key_len) == 0)
                return true;
        }
    }
    return false;
}

static void put_validator(kl_out *out, const kl_vote_scheme *scheme, const kl_validator *v)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_address(out, &v->operator);
    kl_rlp_put_bytes(out, kl_span_of(v->key, scheme->key_len));
    kl_rlp_put_bytes(out, KL_SPAN_OF(v->randao_key));
    kl_rlp_put_u64(out, v->weight);
    kl_rlp_put_end(out, list);
}

/* Calls each with the pieces of the encoding, so that hashing needs no room for all of it. */
static void walk(const kl_valset *set, void (*each)(void *ctx, kl_span piece), void *ctx)
{
    u8 room[160];
    kl_out counter = kl_out_counter();
    for (u32 i = 0; i < set->count; i++)
        put_validator(&counter, set->scheme, &set->validators[i]);
    kl_out scheme = kl_out_counter();
    kl_rlp_put_u64(&scheme, set->scheme->id);
    kl_out head = kl_out_of(room, sizeof room);
    kl_rlp_put_list_header(&head, scheme.len + kl_rlp_list_header_len(counter.len) + counter.len);
    kl_rlp_put_u64(&head, set->scheme->id);
    kl_rlp_put_list_header(&head, counter.len);
    each(ctx, kl_out_done(&head));
    for (u32 i = 0; i < set->count; i++) {
        kl_out one = kl_out_of(room, sizeof room);
        put_validator(&one, set->scheme, &set->validators[i]);
        KL_ASSERT(!one.full);
        each(ctx, kl_out_done(&one));
    }
}

static void each_hash(void *ctx, kl_span piece)
{
    kl_keccak_add(ctx, piece);
}

static void each_out(void *ctx, kl_span piece)
{
    kl_out_span(ctx, piece);
}

void kl_valset_encode(kl_out *out, const kl_valset *set)
{
    walk(set, each_out, out);
}

static kl_rule weigh(u64 *weight, u64 *unit, const kl_validator *validators, u32 count)
{
    u64 sum = 0, divisor = 0;
    for (u32 i = 0; i < count; i++) {
        u64 w = validators[i].weight;
        if (w == 0 || w > KL_WEIGHT_MAX - sum)
            return KL_RULE_VALSET_WEIGHT;
        sum += w;
        divisor = gcd(divisor, w);
    }
    *weight = sum;
    *unit = divisor;
    return KL_RULE_NONE;
}

kl_rule kl_valset_init(kl_valset *out, const kl_vote_scheme *scheme, const kl_validator *validators,
                       u32 count)
{
    kl_valset set = {.scheme = scheme, .validators = validators, .count = count};
    if (count == 0)
        return KL_RULE_VALSET_EMPTY;
    if (count > KL_VALIDATORS_MAX)
        return KL_RULE_VALSET_SIZE;
    KL_JUDGE(weigh(&set.weight, &set.unit, validators, count));
    if (twice(scheme, validators, count))
        return KL_RULE_VALSET_TWICE;
    set.stride = stride_of(set.weight / set.unit, count);
    kl_keccak hash;
    kl_keccak_init(&hash);
    walk(&set, each_hash, &hash);
    set.hash = kl_keccak_done(&hash);
    *out = set;
    return KL_RULE_NONE;
}

bool kl_valset_find(const kl_valset *set, const u8 *key, u32 *place)
{
    for (u32 i = 0; i < set->count; i++)
        if (memcmp(set->validators[i].key, key, set->scheme->key_len) == 0) {
            *place = i;
            return true;
        }
    return false;
}

u32 kl_valset_leader(const kl_valset *set, u64 epoch, u64 view)
{
    u64 places = set->weight / set->unit;
    u64 start = (u64)(((u128)places * (epoch * GOLDEN)) >> 64);
    u64 place = (u64)(((u128)(view % places) * set->stride + start) % places);
    for (u32 i = 0; i < set->count; i++) {
        u64 arc = set->validators[i].weight / set->unit;
        if (place < arc)
            return i;
        place -= arc;
    }
    KL_UNREACHABLE();
}

static kl_rule get_validator(kl_rlp *from, kl_validator *v, const kl_vote_scheme *scheme)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    KL_JUDGE(kl_rlp_address(&items, &v->operator));
    KL_JUDGE(kl_rlp_fixed(&items, v->key, scheme->key_len));
    KL_JUDGE(kl_rlp_fixed(&items, v->randao_key, sizeof v->randao_key));
    KL_JUDGE(kl_rlp_u64(&items, &v->weight));
    return kl_rlp_close(&items);
}

/* The scheme, and the list of validators with how many they are. */
static kl_rule open_set(kl_span bytes, bool tests, const kl_vote_scheme **scheme, kl_rlp *list,
                        usize *count)
{
    kl_rlp items;
    u64 id;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &id));
    *scheme = id <= UINT8_MAX ? kl_vote_scheme_of((u8)id, tests) : NULL;
    if (!*scheme)
        return KL_RULE_VALSET_SCHEME;
    KL_JUDGE(kl_rlp_list(&items, list));
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(kl_rlp_count(list, count));
    if (*count == 0)
        return KL_RULE_VALSET_EMPTY;
    return *count > KL_VALIDATORS_MAX ? KL_RULE_VALSET_SIZE : KL_RULE_NONE;
}

static kl_rule read_set(kl_valset *out, kl_rlp *list, const kl_vote_scheme *scheme,
                        kl_validator *validators, u32 count)
{
    for (u32 i = 0; i < count; i++)
        KL_JUDGE(get_validator(list, &validators[i], scheme));
    return kl_valset_init(out, scheme, validators, count);
}

kl_status kl_valset_decode(kl_valset *out, kl_span bytes, bool tests, struct kl_arena *arena,
                           kl_rule *broken)
{
    const kl_vote_scheme *scheme = NULL;
    kl_rlp list;
    usize count = 0;
    kl_rule rule = open_set(bytes, tests, &scheme, &list, &count);
    if (rule == KL_RULE_NONE) {
        kl_validator *validators = KL_ZERO(arena, kl_validator, count);
        if (!validators)
            return KL_NOMEM;
        rule = read_set(out, &list, scheme, validators, (u32)count);
    }
    *broken = rule;
    return KL_OK;
}
