/* Announcements, made well and then changed as the input says, and any bytes: nothing that was
 * changed is believed, nothing false replaces what is known. */
#include "base/fuzz.h"
#include "node/herald.h"

enum { VALIDATORS = 3, COPY_MAX = 2 * KL_HERALD_MAX };

static kl_secret32 votes[VALIDATORS], identities[VALIDATORS];
static struct kl_buf good[VALIDATORS];
static const kl_vote_scheme *scheme;
static kl_valset set;
static const kl_vote_domain domain = {.chain_id = 7};

static void prepare(void)
{
    static kl_validator validators[VALIDATORS]; /* of which the set is a view */
    if (scheme)
        return;
    scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    for (u8 i = 0; i < VALIDATORS; i++) {
        memset(votes[i].b, i + 1, 32);
        memset(identities[i].b, i + 101, 32);
        validators[i] = (kl_validator){.weight = 1};
        validators[i].operator.b[19] =(u8)(i + 1);
        KL_ASSERT(scheme->public_key(validators[i].key, &votes[i]));
        const kl_peer_record record = {
            .peer = kl_peer_id_of(&identities[i]),
            .seq = 5,
            .count = 1,
            .addrs = {{.host = KL_HOST_IP4, .has_port = true, .port = (u16)(i + 1)}}};
        kl_buf_init(&good[i], COPY_MAX);
        KL_ASSERT(kl_herald_put(&good[i], &record, &identities[i], scheme, &votes[i], &domain));
    }
    KL_ASSERT(kl_valset_init(&set, scheme, validators, VALIDATORS) == KL_RULE_NONE);
}

static kl_herald_news hear(struct kl_herald *h, kl_span text)
{
    kl_peer_record record;
    kl_rule broken = KL_RULE_NONE;
    kl_herald_news news = kl_herald_hear(h, text, &record, &broken);
    KL_ASSERT((news == KL_HERALD_FALSE) == (broken != KL_RULE_NONE));
    return news;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    u8 copy[COPY_MAX];
    struct kl_herald *h;
    prepare();
    KL_ASSERT(kl_herald_new(&h, &domain) == KL_OK);
    kl_herald_set_validators(h, &set);
    (void)hear(h, kl_span_of(bytes, len));
    KL_ASSERT(hear(h, kl_buf_view(&good[0])) == KL_HERALD_NEW);
    for (usize i = 0; i + 4 <= len && i < 64; i += 4) {
        kl_span text = kl_buf_view(&good[bytes[i] % VALIDATORS]);
        usize at = kl_load_be16(bytes + i + 1) % text.len;
        memcpy(copy, text.p, text.len);
        copy[at] ^= bytes[i + 3];
        kl_herald_news news = hear(h, kl_span_of(copy, text.len));
        KL_ASSERT(bytes[i + 3] == 0 || news != KL_HERALD_NEW);
    }
    KL_ASSERT(hear(h, kl_buf_view(&good[0])) == KL_HERALD_OLD);
    KL_ASSERT(kl_herald_count(h) <= VALIDATORS);
    kl_herald_free(h);
    return 0;
}
