/* genesis: the file's top level and the header it describes, filled in as geth fills it. */
#include "types/genesis.h"

#include "crypto/keccak.h"
#include "types/genesis_priv.h"

enum { NODES_MAX = 1 << 27, GAS_LIMIT_DEFAULT = 4712388, BASE_FEE_DEFAULT = 1000000000 };

/* SHA-256 of nothing: no requests [EIP-7685]. */
static const kl_hash no_requests = {{0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                     0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                     0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                     0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55}};

static kl_rule read_extra(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    kl_header *h = out;
    kl_span extra;
    KL_JUDGE(kl_genesis_data(r, ref, &extra));
    if (extra.len > KL_EXTRA_DATA_MAX)
        return kl_genesis_blame(r, KL_RULE_HEADER_EXTRA_DATA, ref);
    h->extra_len = (u8)extra.len;
    if (extra.len)
        memcpy(h->extra_data, extra.p, extra.len);
    return KL_RULE_NONE;
}

static kl_rule read_number_zero(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    KL_JUDGE(kl_genesis_u64(r, ref, out));
    bool good = *(u64 *)out == 0;
    return good ? KL_RULE_NONE : kl_genesis_blame(r, KL_RULE_GENESIS_RANGE, ref);
}

static kl_rule read_nonce(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    u64 nonce;
    KL_JUDGE(kl_genesis_u64(r, ref, &nonce));
    kl_store_be64(out, nonce);
    return KL_RULE_NONE;
}

/* The fields that the fork at the genesis adds. */
static kl_rule settle_tail(struct kl_genesis_reader *r, kl_spec *spec, kl_header *h)
{
    kl_fork fork = kl_spec_fork(spec, 0, h->timestamp);
    h->tail = kl_header_tail(fork);
    kl_json_ref base_fee = kl_genesis_member(r, 0, "baseFeePerGas");
    const kl_genesis_field fee = {"baseFeePerGas", kl_genesis_u256, &h->base_fee, false};
    h->base_fee = kl_u256_of(BASE_FEE_DEFAULT);
    KL_JUDGE(kl_genesis_fields(r, 0, &fee, 1));
    if (fork < KL_LONDON && base_fee != KL_JSON_NONE) {
        kl_genesis_enter(r, KL_SPAN_TEXT("baseFeePerGas"));
        return kl_genesis_blame(r, KL_RULE_GENESIS_UNSUPPORTED, base_fee);
    }
    if (fork < KL_LONDON)
        h->base_fee = KL_U256_ZERO;
    if (fork >= KL_SHANGHAI)
        h->withdrawals_root = kl_keccak_empty_rlp;
    if (fork < KL_CANCUN)
        h->blob_gas_used = h->excess_blob_gas = 0;
    if (fork >= KL_PRAGUE)
        h->requests_hash = no_requests;
    return KL_RULE_NONE;
}

static kl_rule read_header(struct kl_genesis_reader *r, kl_spec *spec, kl_header *h)
{
    bool stake_first = spec->fork[KL_PARIS].by == KL_AT_BLOCK && spec->fork[KL_PARIS].at == 0;
    const kl_genesis_field fields[] = {
        {"gasLimit", kl_genesis_u64, &h->gas_limit, true},
        {"difficulty", kl_genesis_u256, &h->difficulty, !stake_first},
        {"timestamp", kl_genesis_u64, &h->timestamp, false},
        {"nonce", read_nonce, h->nonce, false},
        {"extraData", read_extra, h, false},
        {"mixHash", kl_genesis_hash, &h->mix_hash, false},
        {"coinbase", kl_genesis_address, &h->coinbase, false},
        {"number", read_number_zero, &h->number, false},
        {"gasUsed", kl_genesis_u64, &h->gas_used, false},
        {"parentHash", kl_genesis_hash, &h->parent_hash, false},
        {"blobGasUsed", kl_genesis_u64, &h->blob_gas_used, false},
        {"excessBlobGas", kl_genesis_u64, &h->excess_blob_gas, false},
    };
    *h = (kl_header){
        .ommers_hash = kl_keccak_empty_list,
        .transactions_root = kl_keccak_empty_rlp,
        .receipts_root = kl_keccak_empty_rlp,
    };
    KL_JUDGE(kl_genesis_fields(r, 0, fields, KL_COUNT_OF(fields)));
    if (h->gas_limit == 0)
        h->gas_limit = GAS_LIMIT_DEFAULT;
    return settle_tail(r, spec, h);
}

static kl_rule read_spec(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_config(r, ref, out);
}

static kl_rule read_alloc(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_alloc(r, ref, out);
}

static kl_rule read_file(struct kl_genesis_reader *r, kl_genesis *genesis)
{
    const kl_genesis_field parts[] = {
        {"config", read_spec, genesis, true},
        {"alloc", read_alloc, genesis, true},
    };
    KL_JUDGE(kl_genesis_object(r, 0));
    KL_JUDGE(kl_genesis_fields(r, 0, parts, KL_COUNT_OF(parts)));
    KL_JUDGE(read_header(r, &genesis->spec, &genesis->header));
    return genesis->spec.engine == KL_ENGINE_SIMPLEX ? kl_genesis_bft_fits(r, genesis)
                                                     : KL_RULE_NONE;
}

kl_status kl_genesis_parse(kl_genesis *out, kl_span text, struct kl_arena *arena,
                           kl_file_fault *fault)
{
    struct kl_json json;
    kl_rule broken;
    usize at;
    *fault = (kl_file_fault){0};
    KL_TRY(kl_json_parse(&json, text, NODES_MAX, arena, &broken, &at));
    if (broken != KL_RULE_NONE) {
        *fault = (kl_file_fault){.rule = broken, .line = kl_json_line(text, at)};
        return KL_OK;
    }
    struct kl_genesis_reader r = {.json = &json, .arena = arena, .fault = fault};
    kl_genesis genesis = {0};
    KL_TRY(kl_settle(read_file(&r, &genesis), &broken));
    if (broken == KL_RULE_NONE)
        *out = genesis;
    return KL_OK;
}
