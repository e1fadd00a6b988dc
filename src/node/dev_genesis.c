/* Written by hand, a member a line, so that two texts can be compared by eye and a fault has a
 * line. */
#include "node/dev_genesis.h"

#include "codec/hex.h"
#include "crypto/address.h"
#include "node/genesis_text_priv.h"

enum { PARSE_MEMORY = 64 << 20 };

/* Code is nonce 1 like any contract's [EIP-161]. */
static const struct predeploy {
    kl_fork fork;
    bool needed; /* a block that cannot call it is bad */
    const char *address, *code;
} predeploys[] = {
#define KL_PREDEPLOY_X(FORK, needed, address, code) {KL_##FORK, needed, address, code},
#include "node/predeploy.def"
#undef KL_PREDEPLOY_X
};

/* Heights are 0; so are times, which are all before the genesis'. */
void kl_genesis_put_forks(struct kl_buf *out, kl_fork last)
{
    for (usize fork = KL_FRONTIER + 1; fork <= last; fork++) {
        if (fork == KL_PARIS)
            kl_buf_print(out, "    \"terminalTotalDifficulty\": 0,\n");
        kl_buf_print(out, "    \"%s\": 0,\n", kl_fork_config_key((kl_fork)fork));
        if (fork == KL_SPURIOUS)
            kl_buf_print(out, "    \"eip155Block\": 0,\n");
    }
    if (last == KL_CONSTANTINOPLE) /* where nothing is said, Petersburg comes with it, as in geth */
        kl_buf_print(out, "    \"petersburgBlock\": \"0xffffffffffffffff\",\n");
}

static void put_header(struct kl_buf *out, const kl_dev_genesis *g)
{
    kl_buf_print(out, "  \"timestamp\": \"0x%llx\",\n", (unsigned long long)g->timestamp);
    kl_buf_print(out, "  \"gasLimit\": \"0x%llx\",\n", (unsigned long long)g->gas_limit);
    kl_buf_print(out, "  \"difficulty\": \"%s\",\n", g->fork < KL_PARIS ? "0x20000" : "0x0");
    if (g->fork >= KL_LONDON)
        kl_buf_print(out, "  \"baseFeePerGas\": \"0x%llx\",\n", (unsigned long long)g->base_fee);
}

void kl_genesis_put_accounts(struct kl_buf *out, const kl_address *accounts, usize count,
                             kl_u256 balance)
{
    char digits[KL_HEX_U256_MAX], address[43];
    (void)kl_hex_of_u256(digits, balance);
    for (usize i = 0; i < count; i++) {
        kl_address_text(address, &accounts[i]);
        kl_buf_print(out, "    \"%s\": {\"balance\": \"%s\"},\n", address, digits);
    }
}

void kl_genesis_put_predeploys(struct kl_buf *out, kl_fork fork)
{
    const char *comma = "";
    for (usize i = 0; i < KL_COUNT_OF(predeploys); i++) {
        if (fork < predeploys[i].fork)
            continue;
        kl_buf_print(out, "%s    \"0x%s\": {\"nonce\": \"0x1\", \"code\": \"0x", comma,
                     predeploys[i].address);
        kl_buf_str(out, predeploys[i].code);
        kl_buf_print(out, "\"}");
        comma = ",\n";
    }
}

static void put_alloc(struct kl_buf *out, const kl_dev_genesis *g)
{
    kl_buf_print(out, "  \"alloc\": {\n");
    kl_genesis_put_accounts(out, g->accounts, g->account_count, g->balance);
    kl_genesis_put_predeploys(out, g->fork);
    kl_buf_print(out, "\n  }\n");
}

kl_status kl_dev_genesis_write(struct kl_buf *out, const kl_dev_genesis *g)
{
    kl_buf_print(out, "{\n  \"config\": {\n    \"chainId\": %llu,\n",
                 (unsigned long long)g->chain_id);
    kl_genesis_put_forks(out, g->fork);
    kl_buf_print(out,
                 "    \"keel\": {\"engine\": \"solo\", \"dev\": true, "
                 "\"maxBlockBytes\": %u}\n  },\n",
                 KL_BLOCK_BYTES_MAX);
    put_header(out, g);
    put_alloc(out, g);
    kl_buf_print(out, "}\n");
    return out->failed ? KL_NOMEM : KL_OK;
}

static bool has_code(const kl_genesis *genesis, const kl_address *address)
{
    for (usize i = 0; i < genesis->alloc_count; i++)
        if (kl_address_eq(&genesis->alloc[i].address, address))
            return genesis->alloc[i].code.len > 0;
    return false;
}

const char *kl_genesis_lacks(const kl_genesis *genesis)
{
    kl_fork fork = kl_spec_fork(&genesis->spec, 0, genesis->header.timestamp);
    for (usize i = 0; i < KL_COUNT_OF(predeploys); i++) {
        kl_address address;
        const struct predeploy *p = &predeploys[i];
        if (!p->needed || fork < p->fork)
            continue;
        KL_ASSERT(kl_hex_parse(address.b, sizeof address.b, kl_span_str(p->address)) ==
                  KL_RULE_NONE);
        if (!has_code(genesis, &address))
            return p->address;
    }
    return NULL;
}

bool kl_dev_genesis_timestamp(u64 *out, kl_span text)
{
    struct kl_arena arena;
    kl_genesis genesis;
    kl_file_fault fault;
    kl_arena_init(&arena, PARSE_MEMORY);
    bool good =
        kl_genesis_parse(&genesis, text, &arena, &fault) == KL_OK && fault.rule == KL_RULE_NONE;
    if (good)
        *out = genesis.header.timestamp;
    kl_arena_done(&arena);
    return good;
}

/* Takes the first line off text, without its break, indentation and comma. */
static kl_span take_line(kl_span *text)
{
    usize len = 0, skip = 0;
    while (len < text->len && text->p[len] != '\n')
        len++;
    kl_span line = kl_span_sub(*text, 0, len);
    *text = kl_span_sub(*text, len + 1, text->len);
    while (skip < line.len && line.p[skip] == ' ')
        skip++;
    usize end = line.len - (line.len > skip && line.p[line.len - 1] == ',');
    return kl_span_sub(line, skip, end - skip);
}

bool kl_dev_genesis_differ(kl_span ours, kl_span theirs, kl_span *our_line, kl_span *their_line)
{
    while (ours.len || theirs.len) {
        kl_span a = take_line(&ours), b = take_line(&theirs);
        if (!kl_span_eq(a, b)) {
            *our_line = a;
            *their_line = b;
            return true;
        }
    }
    return false;
}
