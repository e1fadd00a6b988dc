#include "node/network_genesis.h"

#include "chain/authority.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "node/genesis_text_priv.h"

static void put_hex(struct kl_buf *out, const char *name, kl_span bytes)
{
    kl_buf_print(out, ", \"%s\": \"0x", name);
    u8 *room = kl_buf_extend(out, 2 * bytes.len);
    if (room)
        kl_hex_digits((char *)room, bytes);
    kl_buf_str(out, "\"");
}

static void put_validator(struct kl_buf *out, const kl_policy_entry *e,
                          const kl_vote_scheme *scheme)
{
    char operator[43];
    const kl_validator *v = &e->validator;
    kl_address_text(operator, & v->operator);
    kl_buf_print(out, "        {\"operator\": \"%s\"", operator);
    put_hex(out, "key", kl_span_of(v->key, scheme->key_len));
    if (scheme->proof_len)
        put_hex(out, "proof", e->key_proof);
    put_hex(out, "randaoKey", KL_SPAN_OF(v->randao_key));
    if (e->randao_proof.len)
        put_hex(out, "randaoProof", e->randao_proof);
    kl_buf_print(out, ", \"weight\": %llu}", (unsigned long long)v->weight);
}

static void put_bft(struct kl_buf *out, const kl_network_genesis *g, const kl_vote_scheme *scheme)
{
    char policy[43];
    const kl_bft_spec *b = &g->bft;
    kl_address_text(policy, &b->policy);
    kl_buf_print(out,
                 "    \"keel\": {\"engine\": \"simplex\", \"bft\": {\n"
                 "      \"scheme\": \"%s\",\n"
                 "      \"epochBlocks\": %llu,\n"
                 "      \"blockPeriodMs\": %llu,\n"
                 "      \"emptyPeriodMs\": %llu,\n"
                 "      \"deltaMs\": %llu,\n"
                 "      \"policy\": \"%s\",\n"
                 "      \"validators\": [\n",
                 scheme->name, (unsigned long long)b->epoch_blocks,
                 (unsigned long long)b->block_period_ms, (unsigned long long)b->empty_period_ms,
                 (unsigned long long)b->delta_ms, policy);
    for (usize i = 0; i < g->count; i++) {
        put_validator(out, &g->entries[i], scheme);
        kl_buf_str(out, i + 1 < g->count ? ",\n" : "\n");
    }
    kl_buf_str(out, "      ]\n    }}\n  },\n");
}

kl_status kl_network_genesis_write(struct kl_buf *out, const kl_network_genesis *g,
                                   struct kl_arena *arena, kl_rule *broken)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(g->bft.scheme, false);
    KL_ASSERT(scheme);
    const kl_authority_genesis authority = {
        .scheme = scheme,
        .mode = KL_AUTHORITY_EJECT,
        .entries = g->entries,
        .count = g->count,
    };
    kl_alloc account;
    KL_TRY(kl_authority_account(&account, &authority, arena, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_buf_print(out, "{\n  \"config\": {\n    \"chainId\": %llu,\n",
                 (unsigned long long)g->chain_id);
    kl_genesis_put_forks(out, KL_FORK_NEWEST);
    put_bft(out, g, scheme);
    kl_buf_print(out,
                 "  \"timestamp\": \"0x%llx\",\n  \"gasLimit\": \"0x%llx\",\n"
                 "  \"difficulty\": \"0x0\",\n  \"baseFeePerGas\": \"0x%llx\",\n  \"alloc\": {\n",
                 (unsigned long long)g->timestamp, (unsigned long long)g->gas_limit,
                 (unsigned long long)g->base_fee);
    kl_genesis_put_accounts(out, g->accounts, g->account_count, g->balance);
    kl_buf_str(out, "    ");
    kl_authority_put_alloc(out, &account);
    kl_buf_str(out, ",\n");
    kl_genesis_put_predeploys(out, KL_FORK_NEWEST);
    kl_buf_str(out, "\n  }\n}\n");
    return out->failed ? KL_NOMEM : KL_OK;
}
