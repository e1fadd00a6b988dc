/* Inputs of keel t8n: the first byte is the fork, the rest an object with alloc, env and txs or
 * txsRlp.  Whatever it says, there is a result or a fault with one of the codes; what is small
 * enough is applied, too, and written out. */
#include <stdio.h>

#include "base/fuzz.h"
#include "cli/t8n.h"
#include "codec/hex.h"

enum { GAS_MAX = 100000, TXS_MAX = 8 };

static bool is_small(const kl_t8n_txs *txs)
{
    for (usize i = 0; i < txs->count; i++)
        if (txs->tx[i].tx.gas_limit > GAS_MAX)
            return false;
    return txs->count <= TXS_MAX;
}

static bool read_txs(kl_t8n_input *in, struct kl_fixture *f, struct kl_t8n_fault *fault)
{
    kl_json_ref hex = kl_json_member(&f->json, 0, "txsRlp");
    kl_json_ref txs = kl_json_member(&f->json, 0, "txs");
    kl_span rlp;
    bool no_memory = false;
    if (!kl_json_is(&f->json, hex, KL_JSON_STRING))
        return kl_t8n_txs_read(&in->txs, f, txs, &in->spec, in->env.fork, fault);
    if (kl_hex_data(&rlp, kl_json_raw(&f->json, hex), f->arena, &no_memory) != KL_RULE_NONE ||
        no_memory)
        return kl_t8n_blame(fault, KL_T8N_JSON, "hex");
    return kl_t8n_txs_decode(&in->txs, rlp, in->env.fork, f->arena, fault);
}

static bool read(kl_t8n_input *in, struct kl_fixture *f, struct kl_t8n_fault *fault)
{
    kl_json_ref alloc = kl_json_member(&f->json, 0, "alloc");
    in->alloc = kl_fixture_alloc(f, alloc, &in->alloc_count);
    if (!kl_t8n_read(fault, f, "alloc") ||
        !kl_t8n_env_read(&in->env, f, kl_json_member(&f->json, 0, "env"), fault))
        return false;
    in->env.fork = kl_exec_fork(&in->spec, &in->env.header);
    return read_txs(in, f, fault) && kl_t8n_env_complete(&in->env, &in->spec, fault);
}

static bool apply(const kl_t8n_input *in, struct kl_t8n_fault *fault)
{
    struct kl_t8n_machine *machine;
    kl_t8n_result result;
    const kl_t8n_trace trace = {.on = false, .dir = ""};
    const kl_t8n_outputs nowhere = {
        .dir = "/dev", .alloc = "null", .result = "null", .body = "null"};
    KL_ASSERT(kl_t8n_machine_new(&machine) == KL_OK);
    bool good = kl_t8n_apply(machine, in, &trace, &result, fault);
    KL_ASSERT(!good || result.receipt_count + result.rejected_count == in->txs.count);
    good = good && kl_t8n_write(&nowhere, in, &result, fault);
    kl_t8n_machine_free(machine);
    return good;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    if (len == 0)
        return 0;
    struct kl_arena arena;
    struct kl_fixture f = {.arena = &arena};
    struct kl_t8n_fault fault = {0};
    kl_t8n_input in = {.reward = (i64)bytes[0] - 1};
    kl_rule broken;
    usize at;
    kl_spec_init(&in.spec, (kl_fork)(bytes[0] % KL_FORK_COUNT));
    in.spec.engine = KL_ENGINE_EXTERNAL;
    kl_arena_init(&arena, (usize)1 << 28);
    kl_status status =
        kl_json_parse(&f.json, kl_span_of(bytes + 1, len - 1), 1 << 20, &arena, &broken, &at);
    KL_ASSERT(status == KL_OK);
    if (broken == KL_RULE_NONE) {
        bool good = read(&in, &f, &fault) && (!is_small(&in.txs) || apply(&in, &fault));
        KL_ASSERT(good == (fault.code == 0));
        KL_ASSERT(good || fault.text[0]);
    }
    kl_arena_done(&arena);
    return 0;
}
